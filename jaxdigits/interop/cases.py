"""Small graphs with every kind of node, for the gradient certificate."""

from itertools import pairwise
from typing import Any

import numpy as np

from jaxdigits.interop.graph import FIELDS, Graph, Node

SIZES = {"tau": 4.0, "tau_mem": 5.0, "tau_syn": 3.0, "r": 3.0, "v_leak": 0.1, "w_in": 3.0,
         "v_threshold": 0.4, "v_reset": 0.05}  # fmt: skip


def chain(**nodes: Node) -> Graph:
    """Return a graph of nodes in a row, between its input and its output."""
    return Graph(nodes, tuple(pairwise(nodes)))


def end(kind: str, *shape: int) -> Node:
    """Return an "Input" or an "Output"."""
    return Node(kind, {"shape": np.array(shape)})


def affine(n: int, m: int) -> Node:
    """Return weights from m inputs to n outputs, with biases."""
    return Node("Affine", {"weight": _normal(n, m), "bias": _normal(n)})


def neurons(kind: str, *shape: int, **values: float) -> Node:
    """Return neurons of a kind, with constants in the usual range."""
    numbers = {key: SIZES[key] for key in FIELDS[kind]} | values
    return Node(kind, {key: np.full(shape, value) for key, value in numbers.items()})


def feedback() -> Graph:
    """Return neurons of both orders in a cycle with a delay, behind an integrator."""
    delay = Node("Delay", {"delay": np.array([1.0, 0, 2, 1])})
    graph = chain(
        input=end("Input", 3), linear=Node("Linear", {"weight": _normal(4, 3)}),
        cuba=neurons("CubaLIF", 4), affine=affine(4, 4), lif=neurons("LIF", 4),
        affine2=affine(2, 4), cubali=neurons("CubaLI", 2), li=neurons("LI", 2),
        i=neurons("I", 2, r=0.2), output=end("Output", 2),
    )  # fmt: skip
    edges = ("lif", "late"), ("late", "back"), ("back", "cuba")
    return Graph({**graph.nodes, "late": delay, "back": affine(4, 4)}, graph.edges + edges)


def images() -> Graph:
    """Return convolutions and pools with groups, strides and dilations, and their neurons."""
    return chain(
        input=end("Input", 2, 6, 7),
        conv=_conv(4, 1, (3, 2), stride=[2, 1], padding=[1, 0], groups=2),
        lif=neurons("LIF", 4, 3, 6),
        sum=_pool("SumPool2d", stride=[1, 2], padding=[0, 1]),
        conv2=_conv(2, 4, (2, 2), dilation=[1, 2], padding="same"),
        mean=_pool("AvgPool2d", stride=[1, 1], padding=[0, 0]),
        flat=Node("Flatten", {"start_dim": np.array(0), "end_dim": np.array(-1)}),
        scale=Node("Scale", {"scale": _normal(6)}),
        iaf=neurons("IF", 6, r=1.0), output=end("Output", 6),
    )  # fmt: skip


def signals() -> Graph:
    """Return a convolution over one axis, and a threshold without a state."""
    return chain(
        input=end("Input", 2, 9), conv=_conv(3, 2, (3,), stride=[2], padding=[2], dilation=[2]),
        lif=neurons("LIF", 3, 5), scale=Node("Scale", {"scale": _normal(3, 5)}),
        fire=Node("Threshold", {"threshold": np.full((3, 5), 0.1)}),
        output=end("Output", 3, 5),
    )  # fmt: skip


def _conv(out: int, inner: int, kernel: tuple[int, ...], **values: Any) -> Node:
    n = len(kernel)
    usual = dict(stride=[1] * n, padding=[0] * n, dilation=[1] * n, groups=1)
    arrays = {
        k: v if isinstance(v, str) else np.array(v) for k, v in {**usual, **values}.items()
    }
    weights = {"weight": _normal(out, inner, *kernel), "bias": _normal(out)}
    return Node(f"Conv{n}d", {**weights, **arrays})


def _pool(kind: str, **values: Any) -> Node:
    arrays = {key: np.array(value) for key, value in values.items()}
    return Node(kind, {"kernel_size": np.array([2, 2]), **arrays})


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0.2, 0.6, shape)
