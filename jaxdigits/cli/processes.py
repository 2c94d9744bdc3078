"""The options of `jaxdigits train` for many devices, and for one of several processes.

Processes that train together wait for each other, so none can continue without the others.
Where one dies, JAX ends the others.
"""

import os
import re
import sys
from dataclasses import dataclass
from typing import Annotated, Any

START = 120  # seconds that processes wait for each other at the start
SILENCE = 20  # seconds without a sign of life after which a process counts as dead


@dataclass(frozen=True)
class Processes:
    """Many devices, and many processes or hosts: the same network, to rounding."""

    devices: int | None = None
    """Devices that share each batch or the seeds; a CPU simulates them."""
    coordinator: Annotated[str | None, "ADDRESS"] = None
    """HOST:PORT, free, of process 0; auto: ask Slurm, Open MPI or Cloud TPU."""
    processes: int | None = None
    """Number of processes, with --coordinator."""
    process: int | None = None
    """Number of this process, from 0; process 0 writes the run."""

    def start(self):
        """Join the other processes and return the mesh to train on; None: one device.

        Must come before anything else that JAX does.

        Raises:
          ValueError: for options that exclude each other, or more devices than there are.
        """
        from jaxdigits.train import device_mesh

        self._check()
        if self.devices is not None:
            _simulate_devices(-(-self.devices // (self.processes or 1)))
        if self.coordinator is not None:
            self._join()
        if self.devices is None and self.coordinator is None:
            return None
        return device_mesh(self.devices)

    def _check(self) -> None:
        if self.devices is not None and self.devices < 1:
            raise ValueError(f"devices must be >= 1, got {self.devices}")
        if self.coordinator in (None, "auto"):
            if self.processes is not None or self.process is not None:
                raise ValueError("--processes and --process need --coordinator HOST:PORT")
            return
        if not re.fullmatch(r".+:\d{1,5}", self.coordinator):
            raise ValueError(f"coordinator must be HOST:PORT or auto, got {self.coordinator!r}")
        if self.processes is None or self.process is None:
            raise ValueError("--coordinator HOST:PORT needs --processes and --process")
        if not 0 <= self.process < self.processes:
            raise ValueError(f"process must be in 0..{self.processes - 1}, got {self.process}")

    def _join(self) -> None:
        import jax

        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        # It would take SIGTERM for itself; `run_job` asks all processes for Ctrl-C too.
        jax.config.update("jax_enable_preemption_service", False)
        group: dict[str, Any] = {}
        if self.coordinator != "auto":
            group = dict(coordinator_address=self.coordinator, num_processes=self.processes,
                         process_id=self.process)  # fmt: skip
        try:
            jax.distributed.initialize(
                **group, initialization_timeout=START, heartbeat_timeout_seconds=SILENCE
            )
        except ValueError as error:
            raise ValueError(
                "coordinator auto found no cluster: pass --coordinator HOST:PORT, "
                f"--processes and --process ({error})"
            ) from error


def is_first() -> bool:
    """Return whether this process is the one that writes and prints."""
    import jax

    return jax.process_index() == 0


def leave(code: int) -> None:
    """Exit; after an error in one of several processes, without waiting for the others."""
    if code in (1, 2) and "jax" in sys.modules:
        import jax

        if jax.distributed.is_initialized():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


def _simulate_devices(count: int) -> None:
    """Simulate `count` devices on the CPU, unless XLA_FLAGS already sets a number."""
    import jax

    if count > 1 and "host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        try:
            jax.config.update("jax_num_cpu_devices", count)
        except RuntimeError:  # JAX has started: their number is fixed
            return
