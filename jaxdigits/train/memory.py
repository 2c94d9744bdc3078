"""Whether a compiled program fits in memory, said before it runs.

XLA plans all memory of a program when it compiles it: its arguments, what it puts out, what of
that takes an argument's place, and the one block for everything between.  So the need is known,
to what the allocator loses between blocks, and the program is compiled no second time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

MEMORY = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")  # of a container, whose limit can be below the machine's


class DoesNotFit(RuntimeError):
    """Training needs more memory than the device has; the message says what to change."""


def within_memory(program: Any, devices: int = 1) -> Callable:
    """A jitted function that is compiled at its first call, and then run only if it fits.

    All calls must be with arrays of the same shapes.

    Args:
      devices: how many of this process the program is for.

    Raises:
      DoesNotFit: when called, before anything of the program has run.
    """
    compiled = []

    def run(*args: Any) -> Any:
        if not compiled:
            ready = program.lower(*args).compile()
            require_room(bytes_needed(ready), bytes_free(devices))
            compiled.append(ready)
        return compiled[0](*args)

    return run


def bytes_needed(compiled: Any) -> int:
    """What a compiled program takes on each device besides its arguments, which are there.

    0 where XLA does not say.
    """
    plan = compiled.memory_analysis()
    if plan is None:
        return 0
    new = plan.output_size_in_bytes - plan.alias_size_in_bytes
    return new + plan.temp_size_in_bytes


def bytes_free(devices: int = 1) -> int | None:
    """What is free on each of so many of this process's devices; None if that is unknown.

    Those of a CPU share what the machine, or its container, has.
    """
    if jax.default_backend() == "cpu":
        free = _free_of_machine()
        return None if free is None else free // devices
    stats = [device.memory_stats() for device in jax.local_devices()[:devices]]
    free = [s["bytes_limit"] - s["bytes_in_use"] for s in stats if s and "bytes_limit" in s]
    return min(free, default=None)


def require_room(needed: int, free: int | None) -> None:
    """Raise `DoesNotFit` unless so many bytes are free, or nobody knows."""
    if free is None or needed <= free:
        return
    raise DoesNotFit(
        f"an epoch needs {_gigabytes(needed)} of memory besides the data and the params, and "
        f"{_gigabytes(free)} are free: take a smaller batch or microbatch, fewer steps or "
        "neurons, or (snn) recompute"
    )


def _free_of_machine() -> int | None:
    if not MEMORY.exists():  # no Linux
        return None
    available = _table(MEMORY).get("MemAvailable:")
    free = [] if available is None else [1024 * available]
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        of = _table(CGROUP / "memory.stat")
    except (OSError, ValueError):  # no such file, or "max"
        return min(free, default=None)
    cached = of.get("active_file", 0) + of.get("inactive_file", 0)  # given up when wanted
    return min([*free, max(limit - used + cached, 0)])


def _table(path: Path) -> dict[str, int]:
    """The numbers of a file of lines of a name and a number."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines}


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
