"""Norse: its `LIFBoxCell`, step by step over currents that one product made."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

import torch
import torch_base as base
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract
from norse.torch.module.lif_box import LIFBoxCell
from torch import nn

DT = 0.001


class Neurons(nn.Module):
    """Currents of all steps to spikes of all steps."""

    def __init__(self, spec):
        super().__init__()
        inverse = torch.as_tensor((1 - spec["decay"]) / DT)
        self.cell = LIFBoxCell(
            LIFBoxParameters(tau_mem_inv=inverse, reset_method=reset_subtract), dt=DT
        )

    def forward(self, current):
        state, spikes = None, []
        for i in current:
            s, state = self.cell(i, state)
            spikes.append(s)
        return torch.stack(spikes)


def describe(variant):
    compiled = variant == "compiled"
    how = "torch.compile" if compiled else "eager"
    workloads = base.COMPILED if compiled else base.SNN_WORKLOADS
    return base.describe(
        "norse", f"LIFBoxCell, reset_subtract, super; {how}; Adam(fused=True)", workloads,
        neuron=["norse_lif_box", {"reset_method": "reset_subtract"}], shrinks=True,
    )  # fmt: skip


def prepare(variant, spec, image, label):
    net = base.build(spec, Neurons)
    return base.prepare(spec, image, label, net, compiled=variant == "compiled")


def forward(variant, spec, arrays):
    return base.forward(spec, arrays, base.build(spec, Neurons), compiled=variant == "compiled")
