"""Downloads into the user's cache, by pooch: whole and verified files, or none."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from jaxdigits.data.files import BROKEN
from jaxdigits.errors import DataError

TIMEOUT = 30  # seconds without a byte after which the next mirror is tried


def places(*folders: str) -> list[Path]:
    """Return these folders in `JAXDIGITS_DATA`; none where it is not set."""
    base = os.environ.get("JAXDIGITS_DATA")
    return [Path(base, folder) for folder in folders] if base else []


def cache_folder(name: str) -> Path:
    """Return the path of a data set in the user's cache, whether it exists or not.

    Raises:
      ImportError: if pooch, which knows where caches are, is not installed.
    """
    return Path(_pooch(name).os_cache("jaxdigits"), name)


def fill(
    cache: Path,
    names: Sequence[str],
    urls: Sequence[str],
    *,
    sha256: str | None = None,
    unpack: Callable[[Path], object] = lambda archive: None,
    title: str,
    remedy: str,
) -> None:
    """Download files into a cache folder, from the first good URL: all of `names`, or none.

    Args:
      names: the files; one, if it is downloaded as it is.
      sha256: hex digest of the download, compressed; None where `unpack` verifies the content.
      unpack: writes `names` beside the archive at that path.
      title, remedy: for errors: the files in words, and the user's way out.

    Raises:
      DataError: if the folder cannot be written, or no URL is good, with each one's reason.
      ImportError: if pooch is not installed.
    """
    pooch, reasons = _pooch(title), []
    pooch.get_logger().setLevel("WARNING")  # it reports each download on stderr
    fetch = pooch.HTTPDownloader(timeout=TIMEOUT, chunk_size=1 << 16)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for url in urls:
            with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
                name = names[0] if sha256 else "archive"
                try:
                    unpack(Path(pooch.retrieve(url, sha256, name, folder, downloader=fetch)))
                except (OSError, ValueError, *BROKEN) as error:
                    reasons.append(f"{url}: {_reason(error)}")
                    continue
                for name in names:
                    os.replace(Path(folder, name), cache / name)
                return
    except OSError as error:
        raise DataError(f"cannot write {title} to {cache} ({error}); {remedy}") from error
    raise DataError(f"no mirror gave {title} ({', '.join(reasons)}); {remedy}")


def _reason(error: Exception) -> str:
    """Describe an error in few words: requests and pooch write a paragraph."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return (
        str(error).partition(":")[0] if isinstance(error, ValueError) else type(error).__name__
    )


def _pooch(title: str) -> ModuleType:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(f"the cache of {title} needs pooch: pip install pooch") from error
    return pooch
