"""The participants of the comparison, and their protocol: JSON lines over pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

PEERS = Path(__file__).parent / "peers"
# One allocator for all, as `jaxdigits.fast.allocator` sets it: glibc keeps freed memory and
# grows in large steps, instead of asking the kernel again each step.  It helps PyTorch and JAX
# alike.
ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}


class Kind(NamedTuple):
    """A kind of participant."""

    adapter: str
    """`peers/peer_ADAPTER.py`"""
    variant: str
    environment: str | None
    """a folder of `peers/.venv`; None for this program's own"""


PARTICIPANTS = {
    "ours": Kind("ours", "plain", None),
    "ours, newest jax": Kind("ours", "plain", "newest"),
    "floor": Kind("ours", "floor", None),
    "floor by PyTorch": Kind("torch", "floor", "torch"),
    "PyTorch": Kind("torch", "plain", "torch"),
    "PyTorch compiled": Kind("torch", "compiled", "torch"),
    "snnTorch": Kind("snntorch", "plain", "snntorch"),
    "snnTorch compiled": Kind("snntorch", "compiled", "snntorch"),
    "SpikingJelly": Kind("spikingjelly", "plain", "spikingjelly"),
    "SpikingJelly compiled": Kind("spikingjelly", "compiled", "spikingjelly"),
    "Norse": Kind("norse", "plain", "norse"),
    "Norse compiled": Kind("norse", "compiled", "norse"),
    "sinabs": Kind("sinabs", "plain", "sinabs"),
    "Spyx": Kind("spyx", "plain", "spyx"),
    "Flax NNX": Kind("flax", "plain", "flax"),
    "Equinox": Kind("equinox", "plain", "equinox"),
}


LATER = ("ours, newest jax", "floor by PyTorch")  # measured in sittings of their own


class Failed(Exception):
    """A participant cannot do a request; the message is one line with the reason."""


class Client:
    """A participant's process.  Use it in a `with`: it ends with the block."""

    def __init__(self, name: str, *, threads: int, log: Path):
        kind = PARTICIPANTS[name]
        self.name, self.is_floor = name, kind.variant == "floor"
        python = Path(sys.executable)
        if kind.environment:
            python = PEERS / ".venv" / kind.environment / "bin" / "python"
            note = PEERS / ".venv" / f"{kind.environment}.error"
            if note.exists() or not python.exists():
                why = (
                    note.read_text().strip() if note.exists() else "peers/setup.py was not run"
                )
                raise Failed(f"not installed: {why}")
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        self.log = open(log, "a")  # noqa: SIM115 (closed with the process)
        self.process = subprocess.Popen(
            [python, PEERS / "serve.py", kind.adapter, kind.variant],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=os.environ | ENVIRONMENT | counts, cwd=PEERS,
        )  # fmt: skip

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; further calls do nothing."""
        if self.process.stdin and self.process.poll() is None:
            self.process.stdin.close()  # it reads to the end, and leaves
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def ask(self, todo: str, **options: Any) -> dict[str, Any]:
        """Return its answer to a request.

        Raises:
          Failed: if it answers with an error, or has died.
        """
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"do": todo, **options}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failed(f"its process died: see {self.log.name}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer
