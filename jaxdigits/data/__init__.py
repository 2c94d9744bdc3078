"""Files and downloads in, `Dataset` out."""

from jaxdigits.data.catalogue import DATASETS
from jaxdigits.data.dataset import DataError, Dataset, split
from jaxdigits.data.digits import digits
from jaxdigits.data.fsdd import SPEAKERS, Sounds, fsdd, leave_speaker_out, official_split
from jaxdigits.data.idx import read_idx
from jaxdigits.data.inputs import Drawn, Inputs, Packed
from jaxdigits.data.mnist import mnist
from jaxdigits.data.nmnist import NMNIST_SHAPE, nmnist, read_nmnist
from jaxdigits.data.pairs import any_recording, digits_fsdd, mnist_fsdd, recordings_in_turn
from jaxdigits.data.picture import read_picture
from jaxdigits.data.sensor import SensorEvents, binned
from jaxdigits.data.shd import SHD_CHANNELS, read_shd, shd
from jaxdigits.data.sound import Recording, read_sound

__all__ = [
    "DATASETS",
    "NMNIST_SHAPE",
    "SHD_CHANNELS",
    "SPEAKERS",
    "DataError",
    "Dataset",
    "Drawn",
    "Inputs",
    "Packed",
    "Recording",
    "SensorEvents",
    "Sounds",
    "any_recording",
    "binned",
    "digits",
    "digits_fsdd",
    "fsdd",
    "leave_speaker_out",
    "mnist",
    "mnist_fsdd",
    "nmnist",
    "official_split",
    "read_idx",
    "read_nmnist",
    "read_picture",
    "read_shd",
    "read_sound",
    "recordings_in_turn",
    "shd",
    "split",
]
