"""N-MNIST: MNIST's digits, shown to an event camera that moves in three jerks [1].

A file is one recording: 40 bits for each event, from the first byte on: column, row, and then
one bit of polarity (1 is brighter) above 23 bits of time in microseconds, big-endian.

[1] Orchard, Jayawant, Cohen & Thakor, Front. Neurosci. 9:437, 2015.
"""

from os import PathLike
from pathlib import Path

import numpy as np

from jaxdigits.data.cache import places
from jaxdigits.data.dataset import Dataset
from jaxdigits.data.files import read_file
from jaxdigits.data.sensor import SensorEvents, in_order, packed, require_steps
from jaxdigits.errors import DataError

NMNIST_SHAPE = (34, 34, 2)  # rows, columns, polarity
EVENT_BYTES = 5
MAX_FILE = 10_000_000  # bytes; the largest has some 40 thousand
MAX_FILES = 100_000  # of Train or Test; Train has 60 thousand
JERKS = 0.3  # seconds, of three jerks of a tenth; the last events come some ms later
REMEDY = (
    "unpack Train.zip and Test.zip of N-MNIST (doi:10.17632/468j46mzdv) into a folder nmnist, "
    "and set JAXDIGITS_DATA to its parent folder"
)


def nmnist(
    folder: str | PathLike[str] | None = None, *, steps: int = 16, duration: float = JERKS
) -> tuple[Dataset, Dataset]:
    """Load (train, test) of binned events, in the order of digits, then of file names.

    An example is [steps, 34, 34, 2] spikes, as `multimodal(vision="events")` takes them.  They
    are stored with one bit per spike (`Packed`), 289 bytes for each step of an example.

    Args:
      folder: has Train/0 to Train/9 and Test/0 to Test/9 with any number of .bin files.
        By default `$JAXDIGITS_DATA/nmnist`; N-MNIST is large, and not downloaded.
      duration: seconds of all steps together; later events are left out.

    Raises:
      DataError: if there is no such folder, or a file is broken, naming it.
      ValueError: unless steps >= 1 and duration > 0.
    """
    require_steps(steps, duration)
    home = Path(folder) if folder is not None else next(iter(places("nmnist")), None)
    if home is None or not home.is_dir():
        raise DataError(f"{home or 'JAXDIGITS_DATA'}: there is no N-MNIST; {REMEDY}")
    # Both folders are listed before the first of many files is read.
    listings = [_files(home / name) for name in ("Train", "Test")]
    train, test = (_read(files, steps, duration) for files in listings)
    return train, test


def read_nmnist(path: str | PathLike[str]) -> SensorEvents:
    """Read the events of one N-MNIST recording; the sensor is `NMNIST_SHAPE`.

    Raises:
      DataError: if the file is missing, empty, over 10 MB, ends within an event, or has an
        event outside of the sensor.
    """
    content = read_file(path, MAX_FILE)
    if not content or len(content) % EVENT_BYTES:
        rest = len(content) % EVENT_BYTES
        fault = f"{rest} bytes of an event at its end" if rest else "no events"
        raise DataError(f"{path}: {fault}; get it again")
    column, row, *rest = np.frombuffer(content, np.uint8).reshape(-1, EVENT_BYTES).T
    high, middle, low = (a.astype(np.int32) for a in rest)
    polarity = high >> 7
    time = ((high & 0x7F) << 16 | middle << 8 | low) / 1e6
    return in_order(time, np.stack([row, column, polarity], 1), NMNIST_SHAPE, path)


def _files(home: Path) -> list[tuple[Path, int]]:
    """List the recordings of Train or Test, with their digits."""
    files = []
    for digit in range(10):
        folder = home / str(digit)
        try:
            paths = sorted(p for p in folder.iterdir() if p.suffix == ".bin")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DataError(f"{folder}: {reason}; {REMEDY}") from error
        if not paths:
            raise DataError(f"{folder}: no .bin file in it; {REMEDY}")
        files += [(path, digit) for path in paths]
    if len(files) > MAX_FILES:
        raise DataError(f"{home}: {len(files):,} files, more than N-MNIST has")
    return files


def _read(files: list[tuple[Path, int]], steps: int, duration: float) -> Dataset:
    recordings = (read_nmnist(path) for path, _ in files)
    image = packed(recordings, len(files), steps, NMNIST_SHAPE, duration=duration)
    return Dataset(image, np.array([digit for _, digit in files], np.int32))
