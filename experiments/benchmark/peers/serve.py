"""A participant of the benchmark: answers JSON lines on stdin with JSON lines on stdout.

    python serve.py ADAPTER [VARIANT]

It runs in the peer's own environment, so it imports nothing but NumPy and the adapter, which
is a module `peer_ADAPTER` beside this file, with

    describe(variant) -> its versions, configuration, neuron, shrinks, workloads
    prepare(variant, spec, image, label) -> a function that does a step and returns its seconds
    forward(variant, spec, arrays) -> the network's output on shared weights and inputs

A request is {"do": "describe" | "check" | "prepare" | "run" | "quit", ...}; the answer to a
failed request has "error".
"""

import contextlib
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np


def memory(field: str) -> int:
    """Return bytes of this process's memory now ("VmRSS"), or at the peak ("VmHWM")."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(f"{field}:"):
                return 1024 * int(line.split()[1])
    return 0


class Participant:
    """An adapter and its prepared step: the only mutable state here."""

    def __init__(self, adapter: str, variant: str):
        clock = time.perf_counter()
        self.adapter = importlib.import_module(f"peer_{adapter}")
        self.import_seconds = time.perf_counter() - clock
        self.variant = variant
        self.step: Callable[[], float] = lambda: 0.0

    def describe(self) -> dict[str, Any]:
        """Describe this participant, with the cost of importing it."""
        about = {"import_seconds": self.import_seconds, "import_rss_bytes": memory("VmRSS")}
        return self.adapter.describe(self.variant) | about

    def check(self, spec: dict[str, Any], inputs: str, outputs: str, **more: Any) -> dict:
        """Write the forward pass on shared arrays to a file."""
        with np.load(inputs) as file:
            arrays = {name: file[name] for name in file.files}
        y = self.adapter.forward(self.variant, spec, arrays, **more)
        np.savez(outputs, y=np.asarray(y))
        return {}

    def prepare(self, spec: dict[str, Any], images: str) -> dict[str, Any]:
        """Build, compile and warm up a step."""
        clock = time.perf_counter()
        with np.load(images) as file:
            image, label = file["image"], file["label"]
        self.step = self.adapter.prepare(self.variant, spec, image, label)
        first = self.step()
        self.step()
        return {"prepare_seconds": time.perf_counter() - clock, "first_step_seconds": first}

    def run(self, steps: int) -> dict[str, Any]:
        """Run some steps, and return the seconds of each."""
        seconds = [self.step() for _ in range(steps)]
        return {"seconds": seconds, "peak_rss_bytes": memory("VmHWM")}


def main() -> None:
    # The output of a library must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    participant = Participant(sys.argv[1], (sys.argv[2:] or ["plain"])[0])
    for line in sys.stdin:
        request = json.loads(line)
        todo = request.pop("do")
        if todo == "quit":
            break
        try:
            with contextlib.redirect_stdout(sys.stderr):
                answer = getattr(participant, todo)(**request)
        except Exception as error:
            traceback.print_exc()
            said = (str(error).strip() or "no message").splitlines()[0]
            answer = {"error": f"{type(error).__name__}: {said}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
