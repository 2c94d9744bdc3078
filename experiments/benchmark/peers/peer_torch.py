"""PyTorch without a library: all steps in one product, LIF neurons differentiated by hand."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

import torch
import torch_base as base
import torch_floor
from torch import nn

SLOPE, THRESHOLD = 25.0, 1.0


class Recurrence(torch.autograd.Function):
    """snnTorch's neuron as two loops over time, on arrays of all steps."""

    @staticmethod
    def forward(ctx, current, decay):
        v = torch.empty_like(current)
        now = torch.zeros_like(current[0])
        for t in range(len(current)):
            now = torch.addcmul(current[t] + decay * now, (now > THRESHOLD).float(),
                                now.new_tensor(-THRESHOLD))  # fmt: skip
            v[t] = now
        ctx.save_for_backward(v)
        ctx.decay = decay
        return (v > THRESHOLD).float()

    @staticmethod
    def backward(ctx, *grad_outputs):
        (v,) = ctx.saved_tensors
        lam = grad_outputs[0] / (1 + SLOPE * (v - THRESHOLD).abs()).square()
        for t in range(len(v) - 2, -1, -1):
            lam[t].add_(lam[t + 1], alpha=ctx.decay)
        return lam, None


class Neurons(nn.Module):
    """Currents of all steps to spikes of all steps."""

    def __init__(self, spec):
        super().__init__()
        self.decay = spec["decay"]

    def forward(self, current):
        return Recurrence.apply(current, self.decay)


def describe(variant):
    if variant == "floor":
        every = base.ANN_WORKLOADS + base.SNN_WORKLOADS
        return base.describe("torch", "the products alone", every)
    compiled = variant == "compiled"
    workloads = base.ANN_WORKLOADS + ([] if compiled else base.SNN_WORKLOADS)
    how = "torch.compile" if compiled else "eager; spiking nets batched over time by hand"
    return base.describe(
        "torch", f"{how}; Adam(fused=True)", workloads, neuron=["snntorch_leaky", {}]
    )


def prepare(variant, spec, image, label):
    if variant == "floor":
        return torch_floor.prepare(spec)
    net = base.build(spec, Neurons)
    return base.prepare(spec, image, label, net, compiled=variant == "compiled")


def forward(variant, spec, arrays):
    return base.forward(spec, arrays, base.build(spec, Neurons), compiled=variant == "compiled")
