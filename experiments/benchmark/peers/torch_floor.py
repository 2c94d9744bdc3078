"""The products and convolutions of a workload by PyTorch, and nothing else: a second floor.

As for the first one (`jaxdigits.bench.products`), the forward product, the weight gradient, and
the input gradient where a layer is below; for the whole batch, or for parts of it one after
another; convolutions with channels first or last.  The fastest way on this machine counts.
"""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

import time
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

PARTS = (1, 2, 4, 8, 16, 32)
FEWEST = 4  # examples of a part
TRIES = 3


class Layer(NamedTuple):
    """A layer with weights."""

    rows: int
    """of an example: one, or one for each step"""
    weight: tuple[int, ...]
    """[n, m], or [O, C, k, k]"""
    side: int = 1
    """of the images that a convolution takes"""


def layers_of(spec: dict[str, Any]) -> list[Layer]:
    """Return the layers of a spec; the first convolution takes an image once."""
    steps = spec.get("steps", 1)
    if spec["kind"] == "conv_snn":
        return [Layer(1, (12, 1, 5, 5), 28), Layer(steps, (64, 12, 5, 5), 12),
                Layer(steps, (10, 1024))]  # fmt: skip
    if spec["kind"] == "cnn":
        return [Layer(1, (32, 1, 3, 3), 28), Layer(1, (64, 32, 3, 3), 26),
                Layer(1, (128, 9216)), Layer(1, (10, 128))]  # fmt: skip
    return [Layer(steps, (n, m)) for m, n in pairwise(spec["sizes"])]


def prepare(spec: dict[str, Any]) -> Callable[[], float]:
    """Return a function that does the products of a step and returns its seconds."""
    torch.manual_seed(0)
    batch = spec.get("part", spec["batch"])
    repeat = spec["batch"] // batch
    layouts = (torch.contiguous_format, torch.channels_last)
    ways = [(parts, layout) for parts, layout in product(PARTS, layouts)
            if parts == 1 or (batch % parts == 0 and batch >= FEWEST * parts)]  # fmt: skip
    if spec["kind"] in ("snn", "mlp"):
        ways = [way for way in ways if way[1] is layouts[0]]
    steps = [_timed(_products(spec, batch // parts, layout), repeat * parts)
             for parts, layout in ways]  # fmt: skip
    return min(steps, key=lambda step: min(step() for _ in range(TRIES)))


def _timed(products: list[Callable[[], Any]], times: int) -> Callable[[], float]:
    def step() -> float:
        clock = time.perf_counter()
        with torch.inference_mode():
            for _ in range(times):
                for each in products:
                    each()
        return time.perf_counter() - clock

    return step


def _products(spec: dict[str, Any], examples: int, layout: Any) -> list[Callable[[], Any]]:
    """Return the products of some examples, in the order of a step."""
    mode, there, back = spec["mode"], [], []
    for i, layer in enumerate(layers_of(spec)):
        of = _dense if len(layer.weight) == 2 else _convolution
        forward, backward = of(layer, examples * layer.rows, layout, to_input=i > 0)
        there.append(forward)
        back.append(backward)
    return {"forward": there, "infer": there, "backward": back,
            "train": [*there, *reversed(back)]}[mode]  # fmt: skip


def _dense(layer: Layer, rows: int, _: Any, *, to_input: bool) -> tuple[Callable, Callable]:
    n, m = layer.weight
    x, w, slope = torch.rand(rows, m), torch.rand(n, m), torch.rand(rows, n)

    def backward() -> None:
        torch.mm(slope.T, x)
        if to_input:
            torch.mm(slope, w)

    return lambda: F.linear(x, w), backward


def _convolution(
    layer: Layer, images: int, layout: Any, *, to_input: bool
) -> tuple[Callable, Callable]:
    c = layer.weight[1]
    x = torch.rand(images, c, layer.side, layer.side).to(memory_format=layout)
    w = torch.rand(layer.weight).to(memory_format=layout)
    slope = torch.rand_like(F.conv2d(x, w))
    still = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    backward = lambda: torch.ops.aten.convolution_backward(
        slope, x, w, None, *still, [to_input, True, False]
    )
    return lambda: F.conv2d(x, w), backward
