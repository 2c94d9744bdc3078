"""Compiled programs kept on disk from one start to the next, where JAXDIGITS_CACHE says.

This is JAX's own persistent compilation cache, in a subfolder that is named after jaxlib's
version and the CPU.  JAX 0.10 and 0.11 find an entry by the program, jaxlib's version, XLA's
flags and compile options, and the device: of a CPU the features that XLA compiles for.  The
subfolder says it once more, for two reasons.  XLA only logs that an entry was made for features
that this CPU lacks, and runs it, which may end in an illegal instruction.  And the entries of a
machine or a version that is gone can be told from the others, and removed.
"""

import glob
import hashlib
import os
import platform
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import jax

VARIABLE = "JAXDIGITS_CACHE"
CPU_INFO = Path("/proc/cpuinfo")
NAMES = ("model name", "CPU implementer", "CPU part")  # the last two where ARM has no name
FEATURES = ("flags", "Features")
NOISY = ("0.10.0", "0.10.1")
FAILURE = re.compile(r"Error (\w+) persistent compilation cache entry for '(.+?)': (.*)")


@contextmanager
def compiled_programs() -> Iterator[None]:
    """Have JAX keep compiled programs in JAXDIGITS_CACHE; without it, change nothing.

    An entry that cannot be read or written is one line on stderr, and never the end.

    Raises:
      ValueError: if the folder cannot be used, saying why.
    """
    base = os.environ.get(VARIABLE)
    if not base:
        yield
        return
    folder = usable_folder(base)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # By default a program that compiles within a second is not kept; a start has several.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    with warnings.catch_warnings():
        warnings.showwarning = _in_one_line(folder, warnings.showwarning)
        yield


def usable_folder(base: str) -> Path:
    """The subfolder of `base` for this version and CPU, which is there and can be written.

    Raises:
      ValueError: if there is none, saying why, or if jaxlib is too old.
    """
    jaxlib = version("jaxlib")
    if jaxlib in NOISY:  # XLA's own preferences for gathers look like missing features there
        raise ValueError(
            f"{VARIABLE} needs jaxlib 0.10.2 or later: {jaxlib} prints a page of false errors "
            "for each program that it loads"
        )
    folder = Path(base).expanduser().absolute() / folder_name(jaxlib)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is in it gets executed
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{VARIABLE}={base} cannot be used: {reason}") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ValueError(f"{VARIABLE}={base} cannot be used: {folder} is not writable")
    return folder


def folder_name(jaxlib: str) -> str:
    """As "jaxlib-0.10.2-Intel-R-Xeon-R-Processor-3f9a01c2": a version, and this CPU."""
    name, features = cpu()
    readable = re.sub("[^A-Za-z0-9]+", "-", name)[:40].strip("-")
    digest = hashlib.sha256(f"{name}\n{features}".encode()).hexdigest()[:8]
    return f"jaxlib-{jaxlib}-{readable}-{digest}"


def cpu() -> tuple[str, str]:
    """The processor's name, and the features of its instruction set, "" if it does not say."""
    # Not `jaxdigits.bench`, which has a name too: importing it takes longer than all this.
    told: dict[str, str] = {}
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            key, _, value = line.partition(":")
            told.setdefault(key.strip(), value.strip())  # the first core stands for all
    name = " ".join(told[key] for key in NAMES if key in told)
    features = " ".join(told[key] for key in FEATURES if key in told)
    return name or platform.processor() or platform.machine(), features


def _in_one_line(folder: Path, usual):
    """`warnings.showwarning` with a line of its own for what JAX says about the cache."""

    def show(message, category, *args, **kwargs):
        found = FAILURE.match(str(message))
        if not found:
            return usual(message, category, *args, **kwargs)
        task, name, reason = found.groups()
        what = f"cannot write {name}: {reason}"
        if task == "reading":
            _remove(folder, name)
            what = f"{name} is damaged and is compiled again"
        return print(f"jaxdigits: {VARIABLE}: {what}", file=sys.stderr)

    return show


def _remove(folder: Path, name: str) -> None:
    """Remove all entries of that name: JAX does not say which, nor would it replace it."""
    for entry in folder.glob(f"{glob.escape(name)}-*-cache"):
        with suppress(OSError):
            entry.unlink()
