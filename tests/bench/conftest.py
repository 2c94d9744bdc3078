"""Workloads so small that a test may run them; no test here looks at how long they take."""

import pytest

from jaxdigits.bench import workloads as w


@pytest.fixture(scope="module", autouse=True)
def timed_compilation(all_compiled):
    """How long a program compiles is one of the figures."""


TINY = {
    "S1": w.train_snn((784, 4, 10), 2, 3),
    "S2-forward": w.lif_layer(4, 3, 2, back=False),
    "S2-backward": w.lif_layer(4, 3, 2, back=True),
    "S3-1": w.infer("a net", lambda: w.spiking((784, 4, 10), 2), (784, 4, 10), 2, 1),
    "S3-3": w.infer("a net", lambda: w.perceptron((784, 4, 10)), (784, 4, 10), 1, 3),
    "S4-population": w.train_many((784, 4, 10), 3, 2, loop=False),
    "S4-loop": w.train_many((784, 4, 10), 3, 2, loop=True),
}


@pytest.fixture(scope="session")
def tiny():
    """Workloads by name."""
    return TINY
