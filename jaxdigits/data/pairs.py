"""A digit seen and the same digit heard: images and recordings, paired by class.

There is no data set of both, so pairs are made.  In training each image is heard, at each step
anew, with any recording of its digit; in a test each has one partner, the recordings of its
class in turn, so that the test is the same for all.
"""

from collections.abc import Callable

import numpy as np

from jaxdigits.data.dataset import Dataset
from jaxdigits.data.digits import digits
from jaxdigits.data.fsdd import Sounds, fsdd, official_split
from jaxdigits.data.inputs import Drawn
from jaxdigits.data.mnist import mnist


def any_recording(seen: Dataset, heard: Sounds) -> Dataset:
    """Images [N, H, W] that may be heard with any recording of their digit, drawn anew.

    Of a digit with fewer recordings than another some are twice among those to draw from.

    Raises:
      ValueError: for a digit without a recording.
    """
    digits, group = np.unique(seen.label, return_inverse=True)
    members = _recordings(heard, digits)
    most = max(map(len, members))
    among = np.stack([np.resize(of_digit, most) for of_digit in members])
    return _paired(seen, heard, among, group)


def recordings_in_turn(seen: Dataset, heard: Sounds) -> Dataset:
    """Images [N, H, W], each with one recording: those of its digit in turn.

    The first image of a digit has the first recording of it, and so on; after the last one
    comes the first again.

    Raises:
      ValueError: for a digit without a recording.
    """
    return _paired(seen, heard, _partners(seen, heard)[:, None], np.arange(len(seen.label)))


def mnist_fsdd() -> tuple[Dataset, Dataset]:
    """(train, test): MNIST, and the official split of the Free Spoken Digit Dataset.

    An image is {"image": [28, 28] uint8, "sound": [8000] float32}.

    Raises:
      DataError, ImportError: as `mnist` and `fsdd`.
    """
    return _official(mnist)


def digits_fsdd() -> tuple[Dataset, Dataset]:
    """(train, test): the built-in digits, and the same recordings.

    Raises:
      DataError, ImportError: as `fsdd`.
    """
    return _official(digits)


def _official(images: Callable[[], tuple[Dataset, Dataset]]) -> tuple[Dataset, Dataset]:
    train, test = official_split(fsdd())
    seen, seen_in_test = images()
    return any_recording(seen, train), recordings_in_turn(seen_in_test, test)


def _paired(seen: Dataset, heard: Sounds, among: np.ndarray, group: np.ndarray) -> Dataset:
    sound = Drawn(heard.wave, among.astype(np.int32), group.astype(np.int32))
    return Dataset({"image": seen.image, "sound": sound}, seen.label)


def _partners(seen: Dataset, heard: Sounds) -> np.ndarray:
    """[N] which recording each image has in `recordings_in_turn`."""
    digits = np.unique(seen.label)
    partner = np.empty(len(seen.label), np.int32)
    for digit, members in zip(digits, _recordings(heard, digits), strict=True):
        of_digit = np.flatnonzero(np.asarray(seen.label) == digit)
        partner[of_digit] = np.resize(members, len(of_digit))
    return partner


def _recordings(heard: Sounds, digits: np.ndarray) -> list[np.ndarray]:
    members = [np.flatnonzero(heard.label == digit) for digit in digits]
    for digit, of_digit in zip(digits, members, strict=True):
        if not len(of_digit):
            raise ValueError(f"there is no recording of the digit {digit}")
    return members
