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
from jaxdigits.data.events import SensorEvents, in_order, packed, require_steps
from jaxdigits.data.files import read_file
from jaxdigits.errors import DataError

NMNIST_SHAPE = (34, 34, 2)  # rows, columns, polarity
EVENT_BYTES = 5
MAX_FILE = 10_000_000  # bytes; the largest has some 40 thousand
MAX_FILES = 100_000  # of a part; the larger one has 60 thousand
JERKS = 0.3  # seconds, of three jerks of a tenth; the last events come some ms later
WAYS_OUT = (
    "unpack Train.zip and Test.zip of N-MNIST (doi:10.17632/468j46mzdv) into a folder nmnist, "
    "and set JAXDIGITS_DATA to the one that it is in"
)


def nmnist(
    folder: str | PathLike[str] | None = None, *, steps: int = 16, duration: float = JERKS
) -> tuple[Dataset, Dataset]:
    """(train, test) of binned events: by digit, and those of a digit by the names of files.

    An example is [steps, 34, 34, 2] spikes, as `multimodal(vision="events")` takes them; all
    are kept at a bit a spike (`Packed`), 289 bytes for each step of an example.

    Args:
      folder: with Train/0 to Train/9 and Test/0 to Test/9 of .bin files, as many as there are.
        By default `$JAXDIGITS_DATA/nmnist`; N-MNIST is large, and not downloaded.
      duration: seconds that the steps are of; later events are left out.

    Raises:
      DataError: if there is no such folder, or a file is broken, naming it.
      ValueError: unless steps >= 1 and duration > 0.
    """
    require_steps(steps, duration)
    home = Path(folder) if folder is not None else next(iter(places("nmnist")), None)
    if home is None or not home.is_dir():
        raise DataError(f"{home or 'JAXDIGITS_DATA'}: there is no N-MNIST; {WAYS_OUT}")
    # Both parts are listed before the first of so many files is read.
    listed = [_files(home / part) for part in ("Train", "Test")]
    train, test = (_read(files, steps, duration) for files in listed)
    return train, test


def read_nmnist(path: str | PathLike[str]) -> SensorEvents:
    """The events of one N-MNIST recording, whose sensor is `NMNIST_SHAPE`.

    Raises:
      DataError: if the file is missing, empty, over 10 MB, ends within an event, or has an
        event outside of the sensor.
    """
    content = read_file(path, MAX_FILE)
    if not content or len(content) % EVENT_BYTES:
        more = len(content) % EVENT_BYTES
        what = f"{more} bytes of an event at its end" if more else "no events"
        raise DataError(f"{path}: {what}; get it again")
    column, row, *rest = np.frombuffer(content, np.uint8).reshape(-1, EVENT_BYTES).T
    high, middle, low = (a.astype(np.int32) for a in rest)
    polarity = high >> 7
    time = ((high & 0x7F) << 16 | middle << 8 | low) / 1e6
    return in_order(time, np.stack([row, column, polarity], 1), NMNIST_SHAPE, path)


def _files(part: Path) -> list[tuple[Path, int]]:
    """The recordings of a part, with their digits."""
    found = []
    for digit in range(10):
        try:
            paths = sorted(p for p in (part / str(digit)).iterdir() if p.suffix == ".bin")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DataError(f"{part / str(digit)}: {reason}; {WAYS_OUT}") from error
        if not paths:
            raise DataError(f"{part / str(digit)}: no .bin file in it; {WAYS_OUT}")
        found += [(path, digit) for path in paths]
    if len(found) > MAX_FILES:
        raise DataError(f"{part}: {len(found):,} files, more than N-MNIST has")
    return found


def _read(files: list[tuple[Path, int]], steps: int, duration: float) -> Dataset:
    recordings = (read_nmnist(path) for path, _ in files)
    image = packed(recordings, len(files), steps, NMNIST_SHAPE, duration=duration)
    return Dataset(image, np.array([digit for _, digit in files], np.int32))
