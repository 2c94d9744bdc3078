"""The data sets by name."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxdigits.data.dataset import Dataset
from jaxdigits.data.digits import digits
from jaxdigits.data.field_ink import ROWS
from jaxdigits.data.fields import WIDTH, fields
from jaxdigits.data.hands import signatures
from jaxdigits.data.mnist import mnist
from jaxdigits.data.pairs import digits_fsdd, mnist_fsdd
from jaxdigits.data.signature import HEIGHT
from jaxdigits.data.signature import WIDTH as WIDE
from jaxdigits.data.sound import RATE

DATASETS: Mapping[str, Callable[[], tuple[Dataset, Dataset]]] = {
    "digits": digits,
    "mnist": mnist,
    "digits+fsdd": digits_fsdd,
    "mnist+fsdd": mnist_fsdd,
    "fields": fields,
    "signatures": signatures,
}
"""name -> () -> (train, test)"""
FEATURES: Mapping[str, Any] = {
    name: {"image": (28, 28), "sound": (RATE,)} if name.endswith("+fsdd") else (28, 28)
    for name in DATASETS
} | {"fields": (ROWS, WIDTH), "signatures": (HEIGHT, WIDE)}
"""name -> the feature shape of an example, or one for each sense"""
WEAKNESS: Mapping[str, str] = dict.fromkeys(
    ("digits", "digits+fsdd"),
    "learned from 8 × 8 digits and misreads many pictures: train one with --data mnist, or "
    "leave it out for the network of the package",
)
"""name -> the weakness of its networks with people's pictures, to tell after a run's name"""
CLASSES = (*"0123456789", "no digit")
"""the names of the classes; a network with eleven knows what is no digit"""


def blank(features: Any, count: int) -> Any:
    """Return `count` examples of the feature shape without any ink or sound."""
    if isinstance(features, Mapping):
        return {name: _BLANK[name](count, shape) for name, shape in features.items()}
    return _BLANK["image"](count, features)


_BLANK: Mapping[str, Callable[[int, tuple[int, ...]], np.ndarray]] = {
    "image": lambda count, shape: np.zeros((count, *shape), np.uint8),
    "sound": lambda count, shape: np.zeros((count, *shape), np.float32),
}
