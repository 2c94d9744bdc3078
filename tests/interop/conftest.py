"""Graphs and traces of other projects, where they are there; and small graphs of our own."""

import json
import os
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxdigits.interop import Graph, Node


@pytest.fixture(scope="session")
def shared():
    """The folder with the graphs of other projects."""
    base = os.environ.get("JAXDIGITS_NIR")
    folder = (
        Path(base) if base else Path(os.environ.get("JAXDIGITS_DATA", ""), "../reference/nir")
    )
    if not (folder / "traces.json").is_file():
        pytest.skip("the graphs of other projects are not beside JAXDIGITS_DATA")
    return folder


@pytest.fixture(scope="session")
def entries(shared):
    return json.loads((shared / "traces.json").read_text())["traces"]


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(0.2, 0.6, shape)


def full(value, *shape):
    return np.full(shape, value)


def end(kind, *shape):
    return Node(kind, {"shape": np.array(shape)})


def affine(m, n):
    return Node("Affine", {"weight": normal(m, n), "bias": normal(m)})


def lif(*shape, **values):
    numbers = dict(tau=4.0, r=3.0, v_leak=0.1, v_threshold=0.4, v_reset=0.0) | values
    return Node("LIF", {key: full(value, *shape) for key, value in numbers.items()})


def cuba(n):
    numbers = dict(tau_syn=3.0, r=2.0, v_leak=0.1, v_threshold=0.3, w_in=3.0)
    values = {key: full(value, n) for key, value in numbers.items()}
    spread = dict(tau_mem=np.linspace(4, 6, n), v_reset=np.linspace(0, 0.1, n))
    return Node("CubaLIF", values | spread)


def chain(**nodes):
    """A graph of nodes in a row."""
    names = list(nodes)
    return Graph(nodes, tuple(pairwise(names)))


def recurrent_graph():
    """A current-based layer with delayed feedback, and a readout that feeds back, too."""
    graph = chain(input=end("Input", 4), fc=affine(5, 4), lif=cuba(5), fc2=affine(3, 5),
                  li=Node("LI", dict(tau=full(3.0, 3), r=full(1.0, 3), v_leak=full(0.2, 3))),
                  output=end("Output", 3))  # fmt: skip
    nodes = dict(rec=affine(5, 5), late=Node("Delay", dict(delay=np.array([1.0, 0, 2, 1, 3]))),
                 fb=affine(5, 3))  # fmt: skip
    edges = (("lif", "rec"), ("rec", "late"), ("late", "lif"), ("li", "fb"), ("fb", "lif"),
             ("fc2", "output"))  # fmt: skip
    return Graph({**graph.nodes, **nodes}, graph.edges + edges)


def conv_graph():
    """Convolutions of groups, strides and dilations, pools, and neurons of every shape."""
    window = dict(
        kernel_size=np.array([2, 2]), stride=np.array([1, 2]), padding=np.array([0, 1])
    )
    conv = lambda o, i, kernel, **values: Node(
        "Conv2d",
        dict(weight=normal(o, i, *kernel), bias=normal(o), stride=np.array([2, 1]),
             padding=np.array([1, 0]), dilation=np.array([1, 2]), groups=np.array(2)) | values,
    )  # fmt: skip
    return chain(
        input=end("Input", 4, 7, 6), c1=conv(6, 2, (3, 2), input_shape=np.array([7, 6])),
        l1=lif(6, 4, 4),
        p=Node("SumPool2d", window),
        c2=conv(4, 3, (2, 3), input_shape=np.array([3, 3]), stride=np.array([1, 1]),
                padding="same"),
        a=Node("AvgPool2d", dict(kernel_size=np.array([2, 2]), stride=np.array([1, 1]),
                                 padding=np.array([0, 0]))),
        f=Node("Flatten", dict(start_dim=np.array(0), end_dim=np.array(-1))),
        s=Node("Scale", dict(scale=normal(16))),
        t=Node("Threshold", dict(threshold=full(0.3, 16))),
        s2=Node("Scale", dict(scale=normal(16)[::-1])),  # below zero too, for a floor
        i=Node("IF", dict(r=full(1.0, 16), v_threshold=full(0.5, 16), v_reset=full(0.0, 16))),
        output=end("Output", 16),
    )  # fmt: skip


def conv1d_graph():
    values = dict(weight=normal(3, 2, 3), bias=normal(3), stride=np.array(2),
                  input_shape=np.array(9), padding=np.array(2),
                  dilation=np.array(2), groups=np.array(1))  # fmt: skip
    return chain(input=end("Input", 2, 9), c=Node("Conv1d", values), l=lif(3, 5),
                 output=end("Output", 3, 5))  # fmt: skip


@pytest.fixture(scope="session")
def graphs():
    """By name, graphs with every kind of node and a cycle."""
    return {"recurrent": recurrent_graph(), "conv": conv_graph(), "conv1d": conv1d_graph()}


@pytest.fixture(scope="session")
def make():
    """The pieces of small graphs."""
    return SimpleNamespace(chain=chain, end=end, affine=affine, lif=lif, cuba=cuba)
