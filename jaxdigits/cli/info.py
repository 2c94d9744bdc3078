"""`jaxdigits info`."""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from jaxdigits.cli.cache import VARIABLE
from jaxdigits.cli.parser import POSITIONAL
from jaxdigits.cli.report import printable, say, say_json

PACKAGES = ("jaxdigits", "jax", "jaxlib", "numpy", "optax", "scipy", "scikit-learn")
EXTRAS = {
    "plots": ("matplotlib", "figures and reports"),
    "audio": ("soundfile", "spoken digits"),
    "events": ("h5py", "recordings of event cameras and cochleas"),
    "nir": ("h5py", "neuromorphic graphs"),
    "tensorboard": ("tensorboardX", "metrics for TensorBoard"),
    "onnx": ("onnx", "ONNX models"),
    "export": ("flatbuffers", "StableHLO programs"),
    "cuda": ("jax-cuda13-plugin", "NVIDIA GPUs"),
    "tpu": ("libtpu", "TPUs"),
}


@dataclass(frozen=True)
class Info:
    """List versions, devices, data, cache folders and extras, or the nodes of a NIR graph.

    Use it before the first training, and in a bug report. It downloads and changes nothing.
    For a graph it names the discretisations that can read it.

      $ jaxdigits info
      $ jaxdigits info graph.nir
      $ jaxdigits info --json | jq .devices
    """

    graphs: Annotated[tuple[Path, ...], "GRAPH", POSITIONAL] = ()
    """NIR files to describe, instead of this machine."""
    json: bool = False
    """Print one JSON object instead."""

    def run(self) -> int:
        """Print the lists, or one JSON object."""
        sections = {k: v for path in self.graphs for k, v in _graph(path).items()} or _machine()
        if self.json:
            say_json(sections)
            return 0
        for title, lines in sections.items():
            width = max(map(len, map(printable, lines)))
            say(printable(title))
            for name, value in lines.items():
                say(f"  {printable(name):{width}}  {printable(value)}".rstrip())
        return 0


def _machine() -> dict[str, dict[str, str]]:
    return {
        "versions": _versions(),
        "devices": _devices(),
        "data": _data(),
        "caches": _caches(),
        "extras": _extras(),
    }


def _graph(path: Path) -> dict[str, dict[str, str]]:
    """Return the nodes of a NIR file with their shapes, and the meanings that fit."""
    from jaxdigits.errors import DataError
    from jaxdigits.interop import read_graph
    from jaxdigits.interop.discretise import from_metadata
    from jaxdigits.interop.importing import fits, misfits
    from jaxdigits.interop.wiring import wire

    graph = read_graph(path)
    nodes, edges = graph.nodes, graph.edges
    try:
        own = from_metadata(graph.metadata)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    with suppress(ValueError):  # a graph that is wrong has its reason among the misfits
        wiring = wire(graph)
        nodes = wiring.nodes
        edges = [(a, b) for b in nodes for a in wiring.sources[b]]
    text = "none: name one (`jaxdigits import --discretisation`, `from_graph`)"
    about = {"in the file": str(own) if own else text, "that fit": fits(graph)}
    if not about["that fit"].startswith("none"):
        about |= {f"not {name}": reason for name, reason in misfits(graph).items()}
    sections = {
        "nodes": {name: repr(node) for name, node in nodes.items()},
        "edges": {f"{a} -> {b}": "" for a, b in edges},
        "discretisations": about,
        "notes": {str(i): note for i, note in enumerate(graph.notes, start=1)},
    }
    return {f"{path}: {title}": lines for title, lines in sections.items() if lines}


def _versions() -> dict[str, str]:
    python = f"{platform.python_version()} on {platform.platform()}"
    return {"python": python} | {name: version(name) for name in PACKAGES}


def _devices() -> dict[str, str]:
    import jax

    from jaxdigits.bench import processor

    kinds = [device.device_kind for device in jax.devices()]
    counts = ", ".join(f"{kinds.count(kind)} × {kind}" for kind in dict.fromkeys(kinds))
    host = f"{processor()}, {os.cpu_count()} threads"
    return {"jax uses": f"{jax.default_backend()}: {counts}", "processor": host}


def _data() -> dict[str, str]:
    """Return the place of each data set; its files are not opened."""
    lines = {"digits": "bundled"}
    for name, (size, below, is_there) in SETS.items():
        base = os.environ.get("JAXDIGITS_DATA")
        places = [Path(base, folder) for folder in below] if base else []
        places += [_downloads() / name]
        place = next((place for place in places if is_there(place)), None)
        lines[name] = str(place or f"not here; its first use downloads it ({size})")
    return lines


def _caches() -> dict[str, str]:
    base, downloads = os.environ.get(VARIABLE), _downloads()
    off = f"off; {VARIABLE}=DIR keeps compiled programs there, for quicker starts"
    programs = str(Path(base).expanduser().absolute()) if base else off
    return {
        "downloads": f"{downloads}{'' if downloads.exists() else ', not there yet'}",
        "programs": programs,
    }


def _extras() -> dict[str, str]:
    lines = {}
    for extra, (package, use) in EXTRAS.items():
        try:
            lines[extra] = f"{package} {version(package)}"
        except PackageNotFoundError:
            lines[extra] = f'not installed; for {use}: pip install "jaxdigits[{extra}]"'
    return lines


def _downloads() -> Path:
    from pooch import os_cache

    return Path(os_cache("jaxdigits"))


def _has_mnist(place: Path) -> bool:
    from jaxdigits.data.mnist import FILES, find_idx

    return all(find_idx(place, name) for name in FILES)


def _has_fsdd(place: Path) -> bool:
    from jaxdigits.data.fsdd import SPEAKERS, TAKES

    return len(list(place.glob("?_*_*.wav"))) >= 10 * len(SPEAKERS) * TAKES


SETS = {
    "mnist": ("11 MB", ("mnist", ""), _has_mnist),
    "fsdd": ("16 MB", ("fsdd/recordings", "fsdd"), _has_fsdd),
}
"""data set -> (size of its download, folders in JAXDIGITS_DATA, test of a folder)"""
