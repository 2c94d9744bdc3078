"""The memory of a compiled program, compared with the free memory before the program runs.

XLA plans all memory of a program when it compiles it: arguments, results, results that take the
place of an argument, and one block for everything between.  So the need is known, to what the
allocator loses between blocks, and the program is compiled no second time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxdigits.errors import DoesNotFit

MEMORY = Path("/proc/meminfo")


def within_memory(program: Any, devices: int = 1) -> Callable:
    """Return a jitted function that compiles at its first call, and then runs only if it fits.

    All calls must be with arrays of the same shapes.

    Args:
      devices: number of devices of this process that run the program.

    Raises:
      DoesNotFit: when called, before anything of the program has run.
    """
    compiled = []

    def run(*args: Any) -> Any:
        if jax.config.values["jax_disable_jit"]:  # a debugger steps through it
            return program(*args)
        if not compiled:
            ready = program.lower(*args).compile()
            require_room(bytes_needed(ready), bytes_free(devices))
            compiled.append(ready)
        return compiled[0](*args)

    return run


def bytes_needed(compiled: Any) -> int:
    """Return the bytes that a program allocates on each device; 0 if XLA has no plan."""
    plan = compiled.memory_analysis()
    if plan is None:
        return 0
    return plan.output_size_in_bytes - plan.alias_size_in_bytes + plan.temp_size_in_bytes


def bytes_free(devices: int = 1) -> int | None:
    """Return the free bytes of each of this process's first `devices`; None if unknown.

    Simulated devices share the memory of the machine.  A container's own limit is not seen.
    """
    if jax.default_backend() == "cpu":
        lines = MEMORY.read_text().splitlines() if MEMORY.exists() else []
        free = [1024 * int(x.split()[1]) // devices for x in lines if "MemAvailable:" in x]
    else:
        stats = [device.memory_stats() for device in jax.local_devices()[:devices]]
        free = [s["bytes_limit"] - s["bytes_in_use"] for s in stats if s and "bytes_limit" in s]
    return min(free, default=None)


def require_room(needed: int, free: int | None) -> None:
    """Raise `DoesNotFit` if `needed` bytes are more than the free ones."""
    if free is not None and needed > free:
        raise DoesNotFit(
            f"an epoch needs {needed / 1e9:.2f} GB of memory besides the data and the params, "
            f"and {free / 1e9:.2f} GB are free: choose a smaller batch or microbatch, fewer "
            "steps or neurons, or (snn) recompute"
        )
