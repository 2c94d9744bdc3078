"""Downloads, and the user's cache of them: whole and verified files, or none."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, BinaryIO

from jaxdigits.data.archive import BROKEN
from jaxdigits.errors import DataError

TIMEOUT = 30  # seconds without a byte after which the next mirror is tried


def places(*folders: str) -> list[Path]:
    """Those folders in `JAXDIGITS_DATA`; none where that is not set."""
    base = os.environ.get("JAXDIGITS_DATA")
    return [Path(base, folder) for folder in folders] if base else []


def cache_folder(name: str) -> Path:
    """Where the user's cache has the data set of that name, whether it is there or not.

    Raises:
      ImportError: if pooch, which knows where caches are, is not installed.
    """
    return Path(_pooch(name).os_cache("jaxdigits"), name)


def fill(
    cache: Path, names: Sequence[str], write: Callable[[Path], None], what: str, ways_out: str
) -> None:
    """Put files into a folder that is made for them: all of `names`, or none.

    Args:
      write: writes them to the folder that it is given, and verifies them.
      what: they are, for an error to say.
      ways_out: what a user can do about it.

    Raises:
      DataError: if the folder cannot be written; and what `write` raises.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
            write(Path(folder))
            for name in names:
                os.replace(Path(folder, name), cache / name)
    except OSError as error:
        raise DataError(f"cannot write {what} to {cache} ({error}); {ways_out}") from error


def download(
    urls: Sequence[str],
    part: Path,
    verify: Callable[[Path], object],
    *,
    most: int,
    what: str,
    ways_out: str,
) -> None:
    """Write to `part` what the first URL gives that `verify` lets pass.

    Args:
      verify: raises for a file that is not the right one, or damaged.
      most: bytes; a mirror that sends more is left.

    Raises:
      DataError: if none does, with each one's reason.
      ImportError: if pooch is not installed.
    """
    # Not pooch.retrieve: it hashes the compressed file, and writes to its log.
    fetch = _pooch(what).HTTPDownloader(timeout=TIMEOUT, chunk_size=1 << 16)
    reasons = []
    for url in urls:
        try:
            with open(part, "wb") as file:
                fetch(url, _limited(file, most), None)
            verify(part)
        except DataError as error:
            reasons.append(f"{url}: {str(error).removeprefix(f'{part}: ')}")
        except (OSError, ValueError, *BROKEN) as error:
            # Its name says it all ("ConnectionError"); its text is a paragraph.
            reasons.append(f"{url}: {type(error).__name__}")
        else:
            return
    raise DataError(f"no mirror gave {what} ({', '.join(reasons)}); {ways_out}")


def _limited(file: BinaryIO, most: int) -> Any:
    """What a download can be written to, as long as it is not over `most` bytes."""

    def write(data: bytes) -> int:
        if file.tell() + len(data) > most:
            raise DataError(f"sends over {most:,} bytes")
        return file.write(data)

    return SimpleNamespace(write=write, flush=file.flush)


def _pooch(wanted: str) -> ModuleType:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(f"the cache of {wanted} needs pooch: pip install pooch") from error
    return pooch
