"""Files and downloads in, `Dataset` out."""

from jaxdigits.data.catalogue import DATASETS
from jaxdigits.data.dataset import DataError, Dataset, split
from jaxdigits.data.digits import digits
from jaxdigits.data.idx import read_idx
from jaxdigits.data.mnist import mnist
from jaxdigits.data.picture import read_picture

__all__ = [
    "DATASETS",
    "DataError",
    "Dataset",
    "digits",
    "mnist",
    "read_idx",
    "read_picture",
    "split",
]
