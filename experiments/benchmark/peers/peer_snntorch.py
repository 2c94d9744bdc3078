"""snnTorch: its `Leaky`; plain as its tutorials have it, compiled in its fastest form."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

import snntorch
import torch
import torch_base as base
from snntorch import spikegen, surrogate
from torch import nn
from torch.nn import functional as F


def leaky(spec):
    return snntorch.Leaky(beta=spec["decay"], spike_grad=surrogate.fast_sigmoid(slope=25))


class Neurons(nn.Module):
    """One `Leaky`, step by step over currents that one product made."""

    def __init__(self, spec):
        super().__init__()
        self.leaky = leaky(spec)

    def forward(self, current):
        memory, spikes = torch.zeros_like(current[0]), []
        for i in current:
            s, memory = self.leaky(i, memory)
            spikes.append(s)
        return torch.stack(spikes)


class StepByStep(nn.Module):
    """The tutorials' loop: at each step through the whole network."""

    def __init__(self, net):
        super().__init__()
        self.conv, self.linear = getattr(net, "conv", []), net.linear
        self.steps = getattr(net, "steps", None)
        self.leaky = nn.ModuleList(neurons.leaky for neurons in net.neurons)

    def forward(self, x):
        memories = [neuron.init_leaky() for neuron in self.leaky]
        counts = 0
        for t in range(self.steps or len(x)):
            s = x if self.steps else x[t]
            for k, neuron in enumerate(self.leaky):
                if k < len(self.conv):
                    current = F.max_pool2d(self.conv[k](s), 2)
                else:
                    s = s.flatten(1) if self.steps else s
                    current = self.linear[k - len(self.conv)](s)
                s, memories[k] = neuron(current, memories[k])
            counts = counts + s
        return counts


def describe(variant):
    compiled = variant == "compiled"
    how = "torch.compile; products of all steps in one" if compiled else "step by step, eager"
    workloads = base.COMPILED if compiled else base.SNN_WORKLOADS
    return base.describe(
        "snntorch", f"Leaky, fast_sigmoid(25); {how}; spikegen.rate; Adam(fused=True)",
        workloads, neuron=["snntorch_leaky", {}],
    )  # fmt: skip


def _net(variant, spec):
    net = base.build(spec, Neurons)
    return net if variant == "compiled" else StepByStep(net)


def prepare(variant, spec, image, label):
    code = lambda x, steps: spikegen.rate(x, num_steps=steps)
    return base.prepare(
        spec, image, label, _net(variant, spec), compiled=variant == "compiled", code=code
    )


def forward(variant, spec, arrays):
    return base.forward(spec, arrays, _net(variant, spec), compiled=variant == "compiled")
