"""Files and downloads in, `Dataset` out; and augmentations, which make more of one."""

from jaxdigits.data.acoustic import (
    Acoustic,
    add_noise,
    change_gain,
    change_speed,
    change_tone,
    cut_ends,
    drop_stretch,
    mask_bands,
    mask_frames,
    other_speech,
    shift_time,
)
from jaxdigits.data.augment import AUGMENTS, compose, of_senses, one_of, sometimes
from jaxdigits.data.catalogue import DATASETS
from jaxdigits.data.dataset import DataError, Dataset, split
from jaxdigits.data.digits import digits
from jaxdigits.data.events import SensorEvents, binned
from jaxdigits.data.fsdd import SPEAKERS, Sounds, fsdd, leave_speaker_out, official_split
from jaxdigits.data.idx import read_idx
from jaxdigits.data.inputs import Drawn, Inputs, Packed
from jaxdigits.data.mnist import mnist
from jaxdigits.data.nmnist import NMNIST_SHAPE, nmnist, read_nmnist
from jaxdigits.data.pairs import (
    any_recording,
    digits_fsdd,
    mnist_fsdd,
    recordings_in_turn,
)
from jaxdigits.data.photometric import (
    background,
    blur,
    brightness,
    contrast,
    erase,
    invert,
    noise,
)
from jaxdigits.data.picture import read_picture
from jaxdigits.data.pixels import Augment
from jaxdigits.data.shd import SHD_CHANNELS, read_shd, shd
from jaxdigits.data.sound import Recording, read_sound
from jaxdigits.data.warp import affine, elastic, warp

__all__ = [
    "AUGMENTS",
    "DATASETS",
    "NMNIST_SHAPE",
    "SHD_CHANNELS",
    "SPEAKERS",
    "Acoustic",
    "Augment",
    "DataError",
    "Dataset",
    "Drawn",
    "Inputs",
    "Packed",
    "Recording",
    "SensorEvents",
    "Sounds",
    "add_noise",
    "affine",
    "any_recording",
    "background",
    "binned",
    "blur",
    "brightness",
    "change_gain",
    "change_speed",
    "change_tone",
    "compose",
    "contrast",
    "cut_ends",
    "digits",
    "digits_fsdd",
    "drop_stretch",
    "elastic",
    "erase",
    "fsdd",
    "invert",
    "leave_speaker_out",
    "mask_bands",
    "mask_frames",
    "mnist",
    "mnist_fsdd",
    "nmnist",
    "noise",
    "of_senses",
    "official_split",
    "one_of",
    "other_speech",
    "read_idx",
    "read_nmnist",
    "read_picture",
    "read_shd",
    "read_sound",
    "recordings_in_turn",
    "shd",
    "shift_time",
    "sometimes",
    "split",
    "warp",
]
