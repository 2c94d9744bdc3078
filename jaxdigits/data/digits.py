"""Handwritten digits that need no network: the UCI digits that scikit-learn carries [1].

1,797 images of 8×8 pixels, each 0..16: how much of a 4×4 block is inked.  scikit-learn itself
is not imported, which would cost seconds; only its data file is read.

[1] Alpaydin & Kaynak, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49.
"""

import csv
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from jaxdigits.data.dataset import Dataset, split
from jaxdigits.data.files import content_of
from jaxdigits.data.geometry import BOX, centred, resampling
from jaxdigits.errors import DataError

LARGEST = 1 << 20  # bytes; the table has some 250 thousand
SIZES = (1437, 360)
SEED = 0


def digits() -> tuple[Dataset, Dataset]:
    """Load (train, test), 1,437 and 360 images in MNIST's geometry, the same on every call.

    The 8×8 picture is scaled to MNIST's 20×20 box, its centre of mass put in the middle.  The
    stratified split is our own: the file has no writer labels, so writers of the test set
    occur in the training set, and results compare only with others on this split.

    Raises:
      ImportError: if scikit-learn is not installed.
      DataError: if its file is missing, damaged or another one.
    """
    image, label = _read(_bundled())
    train, test = split(Dataset(centred(_enlarged(image)), label), SIZES, seed=SEED)
    return train, test


def _bundled() -> Path:
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("digits() reads scikit-learn's file: pip install scikit-learn")
    return Path(spec.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read images [1797, 8, 8] of 0..16 and labels [1797] int32."""
    advice = "pip install --force-reinstall scikit-learn"
    try:
        text = content_of(path, LARGEST, file_most=LARGEST).decode("ascii")
        table = np.array(list(csv.reader(io.StringIO(text))), np.int64)
    except DataError as error:
        raise DataError(f"{error}: {advice}") from error
    except (csv.Error, ValueError, OverflowError) as error:
        raise DataError(f"{path}: not a table of numbers ({error}): {advice}") from error
    if table.shape != (sum(SIZES), 65) or table.min() < 0 or (table > [16] * 64 + [9]).any():
        raise DataError(f"{path}: not 1,797 images of 8×8 values 0..16: {advice}")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int32)


def _enlarged(image: np.ndarray) -> np.ndarray:
    """Enlarge [N, 8, 8] of 0..16 to [N, 20, 20] uint8, interpolated along straight lines.

    From 8 pixels to 20 every weight is a multiple of 1/10, so the sums are done in integers
    and every machine gets the same bytes.  A cubic would swing below paper and above ink.
    """
    w = np.rint(10 * resampling(8, BOX)).astype(np.int64)
    sixteen_hundredths = w @ image @ w.T
    return ((255 * sixteen_hundredths + 800) // 1600).astype(np.uint8)
