"""The data sets that can be asked for by name."""

from collections.abc import Callable, Mapping

from jaxdigits.data.dataset import Dataset
from jaxdigits.data.digits import digits
from jaxdigits.data.mnist import mnist

DATASETS: Mapping[str, Callable[[], tuple[Dataset, Dataset]]] = {
    "digits": digits,
    "mnist": mnist,
}
"""name -> () -> (train, test)"""
