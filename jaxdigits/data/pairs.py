"""Images and recordings of digits, paired by class.

There is no data set of both, so pairs are made.  In training each image is paired, at each step
again, with any recording of its digit.  In a test each image has one recording, taken in turn,
so the test is the same for all.
"""

from collections.abc import Callable

import numpy as np

from jaxdigits.data.dataset import Dataset
from jaxdigits.data.digits import digits
from jaxdigits.data.fsdd import Sounds, fsdd, official_split
from jaxdigits.data.inputs import Drawn
from jaxdigits.data.mnist import mnist


def any_recording(images: Dataset, sounds: Sounds) -> Dataset:
    """Pair images [N, H, W] with any recording of their digit, drawn whenever they are taken.

    Where a digit has fewer recordings than another, some of them are drawn twice as often.

    Raises:
      ValueError: for a digit without a recording.
    """
    digits, group = np.unique(images.label, return_inverse=True)
    members = _recordings(sounds, digits)
    most = max(map(len, members))
    among = np.stack([np.resize(of_digit, most) for of_digit in members])
    return _paired(images, sounds, among, group)


def recordings_in_turn(images: Dataset, sounds: Sounds) -> Dataset:
    """Pair each of the images [N, H, W] with one recording of its digit, taken in turn.

    The first image of a digit has its first recording, and so on; after the last recording
    comes the first again.

    Raises:
      ValueError: for a digit without a recording.
    """
    label = np.asarray(images.label)
    digits = np.unique(label)
    partner = np.empty(len(label), np.int32)
    for digit, members in zip(digits, _recordings(sounds, digits), strict=True):
        rows = np.flatnonzero(label == digit)
        partner[rows] = np.resize(members, len(rows))
    return _paired(images, sounds, partner[:, None], np.arange(len(label)))


def mnist_fsdd() -> tuple[Dataset, Dataset]:
    """Return (train, test): MNIST, and the official split of the Free Spoken Digit Dataset.

    An example is {"image": [28, 28] uint8, "sound": [8000] float32}.

    Raises:
      DataError, ImportError: as `mnist` and `fsdd`.
    """
    return _official(mnist)


def digits_fsdd() -> tuple[Dataset, Dataset]:
    """Return (train, test): the built-in digits, and the same recordings.

    Raises:
      DataError, ImportError: as `fsdd`.
    """
    return _official(digits)


def _official(load: Callable[[], tuple[Dataset, Dataset]]) -> tuple[Dataset, Dataset]:
    sounds, test_sounds = official_split(fsdd())
    images, test_images = load()
    return any_recording(images, sounds), recordings_in_turn(test_images, test_sounds)


def _paired(images: Dataset, sounds: Sounds, among: np.ndarray, group: np.ndarray) -> Dataset:
    sound = Drawn(sounds.wave, among.astype(np.int32), group.astype(np.int32))
    return Dataset({"image": images.inputs, "sound": sound}, images.label, images.classes)


def _recordings(sounds: Sounds, digits: np.ndarray) -> list[np.ndarray]:
    members = [np.flatnonzero(sounds.label == digit) for digit in digits]
    for digit, of_digit in zip(digits, members, strict=True):
        if not len(of_digit):
            raise ValueError(f"there is no recording of the digit {digit}")
    return members
