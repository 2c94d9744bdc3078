"""SHD, the Spiking Heidelberg Digits: spoken digits as the spikes of a model of the ear [1].

One HDF5 file has many recordings: times in seconds (`spikes/times`) and cochlear channels
(`spikes/units`) of each, and `labels`, 0 to 9 for the digits in English, 10 to 19 in German.

SHD needs little of HDF5.  Data in other files, in chunks that unpack to any size, or shared by
many recordings are rejected.

[1] Cramer, Stradmann, Schemmel & Zenke, IEEE TNNLS 33(7), 2022, arXiv:1910.07407.
"""

import os
from collections.abc import Iterator
from math import prod
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from jaxdigits.data.cache import places
from jaxdigits.data.dataset import Dataset
from jaxdigits.data.files import require_file
from jaxdigits.data.sensor import SensorEvents, in_order, packed, require_steps
from jaxdigits.errors import DataError, import_extra

SHD_CHANNELS = 700
TABLES = {"spikes/times": "f", "spikes/units": "iu", "labels": "iu"}  # NumPy's kinds of number
FILES = ("shd_train.h5", "shd_test.h5")
MAX_FILE = 1_000_000_000  # bytes
MAX_RECORDINGS = 20_000  # of a file; the larger file has 8,156
MAX_EVENTS = 1_000_000  # of one recording; the longest has 15 thousand
MAX_TABLE = 400_000  # bytes, in the file, of a table of labels or of recordings' places
MAX_CHUNK = 16_000_000  # bytes, in memory, of a chunk of such a table
FILTERS = {1, 2, 3}  # deflate, shuffle, Fletcher's checksum
LONGEST = 1.4  # seconds; nearly all recordings are shorter
REMEDY = (
    "unpack shd_train.h5.gz and shd_test.h5.gz of the Spiking Heidelberg Digits "
    "(zenkelab.org/datasets) into a folder shd, and set JAXDIGITS_DATA to its parent folder"
)


def shd(
    folder: str | PathLike[str] | None = None, *, steps: int = 100, duration: float = LONGEST
) -> tuple[Dataset, Dataset]:
    """Load (train, test) of binned spikes of the ear, in the order of the files.

    An example is [steps, 700] spikes, as `steps_first(steps)` takes them; labels are 0 to 19.
    They are stored with one bit per spike (`Packed`).

    Args:
      folder: has shd_train.h5 and shd_test.h5; by default `$JAXDIGITS_DATA/shd`.  They are
        large, and not downloaded.
      duration: seconds of all steps together; later events are left out.

    Raises:
      DataError: if a file is missing or broken, naming it.
      ValueError: unless steps >= 1 and duration > 0.
      ImportError: if h5py is not installed.
    """
    require_steps(steps, duration)
    home = Path(folder) if folder is not None else next(iter(places("shd")), None)
    for name in FILES:
        if home is None or not (home / name).is_file():
            raise DataError(f"{home or 'JAXDIGITS_DATA'}: there is no {name}; {REMEDY}")
    train, test = (_read(Path(home or "", name), steps, duration) for name in FILES)
    return train, test


def read_shd(path: str | PathLike[str]) -> tuple[list[SensorEvents], np.ndarray]:
    """Read all recordings in an HDF5 file of SHD, and their labels [N] int32, 0 to 19.

    Raises:
      DataError: if the file is missing, over 1 GB, or not an HDF5 file of SHD; if a
        recording has different numbers of times and channels, times that are not finite or
        below 0, or a channel that is not 0 to 699, naming it.
      ImportError: if h5py is not installed.
    """
    recordings = _recordings(path)
    label = next(recordings)
    return list(recordings), label


def _read(path: Path, steps: int, duration: float) -> Dataset:
    recordings = _recordings(path)
    label = next(recordings)
    shape = (SHD_CHANNELS,)
    return Dataset(packed(recordings, len(label), steps, shape, duration=duration), label)


def _recordings(path: str | PathLike[str]) -> Iterator[Any]:
    """Yield the labels [N] int32, and then each recording's events, one after the other."""
    h5py = import_extra("h5py", "events", "SHD needs")
    size = require_file(path, MAX_FILE)
    try:
        with h5py.File(os.fspath(path), "r") as file:
            times, units, labels = (_table(h5py, file, name, path) for name in TABLES)
            label = np.asarray(labels[:])
            if not len(times) == len(units) == len(label):
                raise DataError(f"{path}: has {len(times)} recordings and {len(label)} labels")
            if not np.isin(label, np.arange(20)).all():
                raise DataError(f"{path}: labels are not 0 to 19")
            yield label.astype(np.int32)
            total = 0
            for i in range(len(label)):
                name, time, unit = f"{path}: recording {i}", times[i], units[i]
                total += time.nbytes + unit.nbytes
                if total > size:
                    raise DataError(f"{name} and those before it share their events")
                yield _events(time, unit, name)
    except DataError:
        raise
    except Exception as error:  # for a damaged file h5py raises a dozen kinds of exception
        reason = type(error).__name__
        raise DataError(
            f"{path}: not a whole SHD file ({reason}); download it again"
        ) from error


def _table(h5py: ModuleType, file: Any, name: str, path: Any) -> Any:
    """Return one of `TABLES`, if it is a plain one."""
    names = name.split("/")
    for i in range(len(names)):
        link = file.get("/".join(names[: i + 1]), getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise DataError(f"{path}: {name} is a link to another place")
    table = file[name]
    if not isinstance(table, h5py.Dataset) or len(table.shape) != 1:
        raise DataError(f"{path}: {name} is not a table of one axis")
    if len(table) > MAX_RECORDINGS:
        raise DataError(f"{path}: {name} has {len(table)} rows, more than {MAX_RECORDINGS}")
    dtype = h5py.check_vlen_dtype(table.dtype) if "/" in name else table.dtype
    if dtype is None or np.dtype(dtype).kind not in TABLES[name]:
        raise DataError(f"{path}: {name} has the wrong type of numbers")
    if table.external or table.is_virtual:
        raise DataError(f"{path}: {name} lies in another file")
    settings = table.id.get_create_plist()
    filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    packed_once = set(filters) <= FILTERS and len(set(filters)) == len(filters)
    chunk = prod(table.chunks or (0,)) * table.dtype.itemsize
    if table.id.get_storage_size() > MAX_TABLE or chunk > MAX_CHUNK or not packed_once:
        raise DataError(f"{path}: {name} is packed in a way that SHD does not need")
    return table


def _events(time: np.ndarray, unit: np.ndarray, name: str) -> SensorEvents:
    if time.ndim != 1 or time.shape != unit.shape:
        raise DataError(f"{name} has {time.shape} times and {unit.shape} channels")
    if len(time) > MAX_EVENTS:
        raise DataError(f"{name} has {len(time)} events, more than {MAX_EVENTS}")
    time, address = time.astype(np.float64), unit[:, None]
    return in_order(time, address, (SHD_CHANNELS,), name)
