"""The common part of the peers on PyTorch: networks batched over time, training, inference.

A peer gives its neurons: a function from a spec to a module that takes the currents of all
steps [T, B, ...] and returns their spikes.  The products of all steps are one product; so is
the first convolution of an image that does not change.
"""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MakeNeurons = Callable[[dict[str, Any]], nn.Module]
SNN_WORKLOADS = ["W1-T25", "W1-T100", "W2", "W3", "W4-forward", "W4-backward", "W7-snn-1",
                 "W7-snn-10000"]  # fmt: skip
ANN_WORKLOADS = ["W5", "W6", "W7-mlp-1", "W7-mlp-10000"]
# torch.compile unrolls the loop over time: 500 steps take it many minutes.
COMPILED = ["W1-T25", "W1-T100", "W2", "W3", "W7-snn-1"]

torch.set_num_threads(len(os.sched_getaffinity(0)))


class Spiking(nn.Module):
    """Dense layers, each with neurons behind it: spikes [T, B, m] -> counts [B, n]."""

    def __init__(self, spec: dict[str, Any], neurons: MakeNeurons):
        super().__init__()
        sizes = spec["sizes"]
        self.linear = nn.ModuleList(nn.Linear(*mn) for mn in pairwise(sizes))
        self.neurons = nn.ModuleList(neurons(spec) for _ in sizes[1:])

    def forward(self, x):
        for linear, neurons in zip(self.linear, self.neurons, strict=True):
            x = neurons(linear(x))
        return x.sum(0)


class SpikingConv(nn.Module):
    """12C5-P2-64C5-P2-10: images [B, 1, 28, 28] -> counts [B, 10]."""

    def __init__(self, spec: dict[str, Any], neurons: MakeNeurons):
        super().__init__()
        self.steps = spec["steps"]
        self.conv = nn.ModuleList([nn.Conv2d(1, 12, 5), nn.Conv2d(12, 64, 5)])
        self.linear = nn.ModuleList([nn.Linear(1024, 10)])
        self.neurons = nn.ModuleList(neurons(spec) for _ in range(3))

    def forward(self, x):
        current = F.max_pool2d(self.conv[0](x), 2)
        s = self.neurons[0](current.expand(self.steps, *current.shape))
        current = F.max_pool2d(self.conv[1](s.flatten(0, 1)), 2)
        s = self.neurons[1](current.unflatten(0, s.shape[:2]))
        return self.neurons[2](self.linear[0](s.flatten(2))).sum(0)


class Convolutional(nn.Module):
    """32C3-64C3-P2-128-10; the maximum is taken before the rectifier: less work, no change."""

    def __init__(self):
        super().__init__()
        self.conv = nn.ModuleList([nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)])
        self.linear = nn.ModuleList([nn.Linear(9216, 128), nn.Linear(128, 10)])

    def forward(self, x):
        x = F.relu(self.conv[0](x))
        x = F.relu(F.max_pool2d(self.conv[1](x), 2)).flatten(1)
        return self.linear[1](F.relu(self.linear[0](x)))


class Perceptron(nn.Module):
    """Dense layers with rectifiers between them."""

    def __init__(self, sizes: list[int]):
        super().__init__()
        self.linear = nn.ModuleList(nn.Linear(*mn) for mn in pairwise(sizes))

    def forward(self, x):
        for linear in self.linear[:-1]:
            x = F.relu(linear(x))
        return self.linear[-1](x)


def build(spec: dict[str, Any], neurons: MakeNeurons) -> nn.Module:
    """Build the network of a spec."""
    kinds = {
        "snn": lambda: Spiking(spec, neurons),
        "conv_snn": lambda: SpikingConv(spec, neurons),
        "mlp": lambda: Perceptron(spec["sizes"]),
        "cnn": Convolutional,
    }
    return kinds[spec["kind"]]()


def rate(x: torch.Tensor, steps: int) -> torch.Tensor:
    """Return Bernoulli spikes [T, B, n] of pixels [B, n] in [0, 1]."""
    return (torch.rand(steps, *x.shape) < x).float()


def encode(spec: dict[str, Any], image: torch.Tensor, code=rate) -> torch.Tensor:
    """Return uint8 images [B, 28, 28] as the network's input."""
    x = image.float() / 255
    if spec["kind"] == "snn":
        return code(x.flatten(1), spec["steps"])
    return x.flatten(1) if spec["kind"] == "mlp" else x[:, None]


def prepare(spec, image, label, net: nn.Module, *, compiled=False, code=rate):
    """Return a function that does one step of the spec's mode and returns its seconds."""
    torch.manual_seed(0)
    run = torch.compile(net) if compiled else net
    if spec["mode"] in ("forward", "backward"):
        return _one_way(spec, run)
    image, label = torch.from_numpy(image), torch.from_numpy(label).long()
    random, batch = np.random.default_rng(0), spec["batch"]
    draw = lambda: torch.from_numpy(random.permutation(len(image))[:batch])
    if spec["mode"] == "infer":
        part = spec.get("part", batch)

        def infer():
            x = image[draw()]
            clock = time.perf_counter()
            with torch.inference_mode():
                [run(encode(spec, some, code)).argmax(-1) for some in x.split(part)]
            return time.perf_counter() - clock

        return infer
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)

    def train():
        rows = draw()
        clock = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(run(encode(spec, image[rows], code)), label[rows])
        loss.backward()
        optimizer.step()
        return time.perf_counter() - clock

    return train


def _one_way(spec, run):
    """Return a step forwards, or backwards from a slope in the output, for existing spikes."""
    shape = (spec["steps"], spec["batch"], spec["sizes"][0])
    inputs = [(torch.rand(shape) < 0.13).float() for _ in range(2)]
    calls = 0

    def step():
        nonlocal calls
        calls += 1
        clock = time.perf_counter()
        y = run(inputs[calls % 2])
        between = time.perf_counter()
        if spec["mode"] == "forward":
            return between - clock
        slope = torch.rand_like(y)
        run.zero_grad(set_to_none=True)
        clock = time.perf_counter()
        y.backward(slope)
        return time.perf_counter() - clock

    return step


def forward(spec, arrays, net: nn.Module, *, compiled=False) -> np.ndarray:
    """Return the network's output with the shared weights on the shared inputs."""
    load(net, arrays)
    x = torch.from_numpy(arrays["x"])
    if spec["kind"] != "snn":
        x = x.flatten(1) if spec["kind"] == "mlp" else x[:, None]
    run = torch.compile(net) if compiled else net
    with torch.no_grad():
        return run(x).numpy()


def load(net: Any, arrays: dict[str, np.ndarray]) -> None:
    """Copy the shared weights, which are HWIO and [m, n], into a network of this file."""
    convs, linears = list(getattr(net, "conv", ())), list(net.linear)
    channels = convs[-1].out_channels if convs else None
    for i, layer in enumerate([*convs, *linears]):
        weight = arrays[f"weight{i}"]
        if layer in convs:
            weight = weight.transpose(3, 2, 0, 1)
        else:
            if channels and layer is linears[0]:  # rows are pixels, then channels
                side = round((len(weight) / channels) ** 0.5)
                weight = weight.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
                weight = weight.reshape(-1, weight.shape[-1])
            weight = weight.T
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
            layer.bias.copy_(torch.from_numpy(arrays[f"bias{i}"]))


def describe(package: str, configuration: str, workloads: list[str], **more: Any) -> dict:
    """Describe a participant on PyTorch."""
    versions = {name: version(name) for name in dict.fromkeys([package, "torch"])}
    return dict(
        versions=versions, configuration=configuration, workloads=workloads,
        threads=torch.get_num_threads(), neuron=None, shrinks=False,
    ) | more  # fmt: skip
