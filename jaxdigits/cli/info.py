"""`jaxdigits info`."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jaxdigits.cli.cache import VARIABLE, cpu, folder_name
from jaxdigits.cli.console import say, say_json
from jaxdigits.data.fsdd import SPEAKERS, TAKES
from jaxdigits.data.mnist import FILES

PACKAGES = ("jaxdigits", "jax", "jaxlib", "numpy", "optax", "scipy", "scikit-learn", "tyro")
EXTRAS = {
    "plots": ("matplotlib", "figures and reports"),
    "audio": ("soundfile", "spoken digits"),
    "events": ("h5py", "recordings of event cameras and cochleas"),
    "tensorboard": ("tensorboardX", "metrics for TensorBoard"),
    "cuda": ("jax-cuda13-plugin", "NVIDIA GPUs"),
    "tpu": ("libtpu", "TPUs"),
}


@dataclass(frozen=True)
class Info:
    """What is here: versions, devices, data, cache folders, extras.

    For a look before the first training, and for a report of a fault. Nothing is downloaded,
    and nothing changed.

      $ jaxdigits info
      $ jaxdigits info --json | jq .devices
    """

    json: bool = False
    """Print one JSON object instead."""

    def run(self) -> int:
        """Look, and print what was found."""
        found = {
            "versions": _versions(),
            "devices": _devices(),
            "data": _data(),
            "caches": _caches(),
            "extras": _extras(),
        }
        if self.json:
            say_json(found)
            return 0
        for title, lines in found.items():
            width = max(map(len, lines))
            say(title)
            for name, value in lines.items():
                say(f"  {name:{width}}  {value}")
        return 0


def _versions() -> dict[str, str]:
    python = f"{platform.python_version()} on {platform.platform()}"
    return {"python": python} | {name: version(name) for name in PACKAGES}


def _devices() -> dict[str, str]:
    import jax

    kinds = [device.device_kind for device in jax.devices()]
    counts = ", ".join(f"{kinds.count(kind)} × {kind}" for kind in dict.fromkeys(kinds))
    processor = f"{cpu()[0]}, {os.cpu_count()} threads"
    return {"jax uses": f"{jax.default_backend()}: {counts}", "processor": processor}


def _data() -> dict[str, str]:
    """Where each data set would be read from; its files are not opened."""
    found = {"digits": "bundled"}
    for name, (size, below, is_there) in SETS.items():
        base = os.environ.get("JAXDIGITS_DATA")
        places = [Path(base, folder) for folder in below] if base else []
        places += [_downloads() / name]
        place = next((place for place in places if is_there(place)), None)
        found[name] = str(place or f"not here; its first use downloads it ({size})")
    return found


def _caches() -> dict[str, str]:
    base, downloads = os.environ.get(VARIABLE), _downloads()
    programs = f"off; {VARIABLE}=DIR keeps compiled programs there, for quicker starts"
    if base:
        programs = str(Path(base).expanduser().absolute() / folder_name(version("jaxlib")))
    return {
        "downloads": f"{downloads}{'' if downloads.exists() else ', not there yet'}",
        "programs": programs,
    }


def _extras() -> dict[str, str]:
    found = {}
    for extra, (package, use) in EXTRAS.items():
        try:
            found[extra] = f"{package} {version(package)}"
        except PackageNotFoundError:
            found[extra] = f'not installed; for {use}: pip install "jaxdigits[{extra}]"'
    return found


def _downloads() -> Path:
    from pooch import os_cache

    return Path(os_cache("jaxdigits"))


def _has_mnist(place: Path) -> bool:
    return all((place / n).is_file() or (place / f"{n}.gz").is_file() for n in FILES)


def _has_fsdd(place: Path) -> bool:
    return len(list(place.glob("?_*_*.wav"))) >= 10 * len(SPEAKERS) * TAKES


SETS = {
    "mnist": ("11 MB", ("mnist", ""), _has_mnist),
    "fsdd": ("16 MB", ("fsdd/recordings", "fsdd"), _has_fsdd),
}
"""name -> size of its download, where it lies in JAXDIGITS_DATA, and how to tell"""
