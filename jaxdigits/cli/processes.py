"""The options of `jaxdigits train` for many devices, and a command that is one of several.

Processes that train together wait for each other, so none can go on without the others.  Where
one dies, JAX ends the others with an abort in C++ that Python cannot catch.  So a command with
--coordinator runs in a child process (`supervised`), whose parent says in one line what
happened.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import PIPE
from typing import Annotated, Any

from tyro.conf import arg

CHILD = "JAXDIGITS_CHILD"  # set for the child that does the work
START = 120  # seconds that processes wait for each other at the start
SILENCE = 20  # seconds without a sign of life after which a process counts as dead
PROGRAM = "from jaxdigits.cli import main; main()"
LOST = "another process ended or is out of reach, and none goes on without the others: "
LOST += "see what that one said, and start all of them again, with --resume RUN"
SIGNS = re.compile(r"gloo|nccl|coordination service|UNAVAILABLE|peer|heartbeat", re.IGNORECASE)
ABORT = re.compile(r"(F|E(?=.*coordination))\d{4} \d\d:\d\d:")  # logged before JAX aborts


def _none(metavar: str, text: str) -> Any:
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")


class LostProcess(RuntimeError):
    """One of the processes that train together is gone."""


@dataclass(frozen=True)
class Processes:
    """Many devices, and many processes or hosts: the same network, to rounding."""

    devices: Annotated[int | None, _none("INT", "1, or all of several processes")] = None
    """Devices that share the examples of each batch, or with --seeds the networks. A CPU stands
    for as many as are asked for."""
    coordinator: Annotated[str | None, _none("HOST:PORT", "one process")] = None
    """Where process 0 runs, and a free port there, the same for all processes; or auto: as
    Slurm, Open MPI or Cloud TPU say."""
    processes: Annotated[int | None, _none("INT", "as the cluster says")] = None
    """With --coordinator: how many there are."""
    process: Annotated[int | None, _none("INT", "as the cluster says")] = None
    """With --coordinator: which one this is, from 0. Process 0 writes the run."""

    def start(self):
        """The mesh to train on, after joining the other processes; None: one device.

        Must come before anything else that JAX does.

        Raises:
          ValueError: for options that do not go together, or more devices than there are.
        """
        from jaxdigits.train import device_mesh

        self._check()
        if self.devices is not None:
            _make_devices(-(-self.devices // (self.processes or 1)))
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
                raise ValueError("--processes and --process want --coordinator HOST:PORT")
            return
        if not re.fullmatch(r".+:\d{1,5}", self.coordinator):
            raise ValueError(f"coordinator must be HOST:PORT or auto, got {self.coordinator!r}")
        if self.processes is None or self.process is None:
            raise ValueError("--coordinator HOST:PORT wants --processes and --process")
        if not 0 <= self.process < self.processes:
            raise ValueError(f"process must be in 0..{self.processes - 1}, got {self.process}")

    def _join(self) -> None:
        import jax

        if os.environ.get(CHILD) is None:
            raise ValueError("--coordinator is for the command line")
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        # It would take SIGTERM for itself.
        jax.config.update("jax_enable_preemption_service", False)
        given: dict[str, Any] = {}
        if self.coordinator != "auto":
            given = dict(coordinator_address=self.coordinator, num_processes=self.processes,
                         process_id=self.process)  # fmt: skip
        try:
            jax.distributed.initialize(
                **given, initialization_timeout=START, heartbeat_timeout_seconds=SILENCE
            )
        except ValueError as error:
            raise ValueError(
                "no cluster says which process this is: give --coordinator HOST:PORT, "
                f"--processes and --process ({error})"
            ) from error


def is_first() -> bool:
    """Whether this process is the one that writes and prints."""
    import jax

    return jax.process_index() == 0


@contextmanager
def others_needed() -> Iterator[None]:
    """Where work with other processes fails because one is gone, say so.

    Raises:
      LostProcess: instead of what JAX raises.
    """
    from jaxdigits.data import DataError
    from jaxdigits.runs import RunError
    from jaxdigits.train import Diverged, DoesNotFit

    try:
        yield
    except (DataError, RunError, Diverged, DoesNotFit):  # these have other reasons
        raise
    except Exception as error:
        if os.environ.get(CHILD) and SIGNS.search(str(error)):
            raise LostProcess(LOST) from error
        raise


def is_parent(args: Sequence[str]) -> bool:
    """Whether this command is for a child process to run."""
    wanted = any(a.split("=")[0] == "--coordinator" for a in args)
    return wanted and CHILD not in os.environ


def supervised(args: Sequence[str]) -> int:
    """Run a command in a child process, and return its exit code: 1 if it was aborted."""
    command = [sys.executable, "-c", PROGRAM, *args]
    environment = os.environ | {CHILD: "1"}
    debug = bool(os.environ.get("JAXDIGITS_DEBUG"))
    with subprocess.Popen(
        command, env=environment, stdin=PIPE, stderr=PIPE, text=True, errors="replace"
    ) as child:
        # Ctrl-C reaches the child by itself; whatever it does then, its end is this one's.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        aborted = False
        for line in child.stderr or ():
            aborted = aborted or bool(ABORT.match(line))
            if debug or not aborted or line.startswith("jaxdigits: "):
                print(line, end="", file=sys.stderr, flush=True)
        code = child.wait()
    if code in (-signal.SIGINT, -signal.SIGTERM):
        return 128 - code
    if code < 0:
        killed = f"the process that trains was ended by signal {-code}"
        print(f"jaxdigits: {LOST if code == -signal.SIGABRT else killed}", file=sys.stderr)
        return 1
    return code


def end_with_parent() -> None:
    """Have this child end when its parent does, however that comes about."""
    threading.Thread(target=_wait_for_end, daemon=True).start()


def leave(code: int) -> None:
    """End this child.  After a failure at once: JAX would wait for the other processes."""
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        os._exit(code)


def _wait_for_end() -> None:
    # Nothing is written to it: it ends with the parent.  Not `sys.stdin`, whose lock a thread
    # that waits would still hold at the end.
    os.read(0, 1)
    os._exit(1)


def _make_devices(count: int) -> None:
    """Have a CPU stand for so many devices, unless somebody has said how many it does."""
    import jax

    if count > 1 and "host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        try:
            jax.config.update("jax_num_cpu_devices", count)
        except RuntimeError:  # JAX has started: there are as many as there are
            return
