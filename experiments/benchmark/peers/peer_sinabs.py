"""sinabs: its `LIF` without synaptic current, one spike a step, reset by subtraction."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

import math

import torch_base as base
from sinabs.activation import MembraneSubtract, SingleExponential, SingleSpike
from sinabs.layers import LIF
from torch import nn


class Neurons(nn.Module):
    """Currents of all steps to spikes of all steps; sinabs takes the batch first."""

    def __init__(self, spec):
        super().__init__()
        self.lif = LIF(
            tau_mem=-1 / math.log(spec["decay"]), spike_fn=SingleSpike, norm_input=False,
            reset_fn=MembraneSubtract(), surrogate_grad_fn=SingleExponential(),
        )  # fmt: skip

    def forward(self, current):
        self.lif.reset_states()
        return self.lif(current.transpose(0, 1)).transpose(0, 1)


def describe(variant):
    return base.describe(
        "sinabs", "LIF, SingleSpike, SingleExponential; eager; Adam(fused=True)",
        base.SNN_WORKLOADS,
        neuron=["sinabs_lif", {"spike_fn": "SingleSpike", "norm_input": False}],
    )  # fmt: skip


def prepare(variant, spec, image, label):
    return base.prepare(spec, image, label, base.build(spec, Neurons))


def forward(variant, spec, arrays):
    return base.forward(spec, arrays, base.build(spec, Neurons))
