"""SpikingJelly in multi-step mode: its `LIFNode`, reset by subtraction in the same step."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

import torch
import torch_base as base
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import nn


def neurons(spec):
    tau = 1 / (1 - spec["decay"])
    return neuron.LIFNode(
        tau=tau, decay_input=False, v_reset=None, detach_reset=True, step_mode="m",
        surrogate_function=surrogate.ATan(),
    )  # fmt: skip


class Fresh(nn.Module):
    """A network whose neurons start from rest at each call; the reset is not compiled."""

    def __init__(self, net, variant):
        super().__init__()
        self.net, self.linear, self.conv = net, net.linear, getattr(net, "conv", [])
        self.run = torch.compile(net) if variant == "compiled" else net

    def forward(self, x):
        functional.reset_net(self.net)
        return self.run(x)


def describe(variant):
    compiled = variant == "compiled"
    workloads = base.COMPILED if compiled else base.SNN_WORKLOADS
    how = "multi-step, torch.compile" if compiled else "multi-step, eager"
    return base.describe(
        "spikingjelly", f"LIFNode, ATan(); {how}; Adam(fused=True)", workloads,
        neuron=["spikingjelly_lif", {"decay_input": False, "v_reset": None,
                                     "detach_reset": True}],
    )  # fmt: skip


def prepare(variant, spec, image, label):
    return base.prepare(spec, image, label, Fresh(base.build(spec, neurons), variant))


def forward(variant, spec, arrays):
    return base.forward(spec, arrays, Fresh(base.build(spec, neurons), variant))
