"""Spyx: its `LIF` and `run`, over currents that one product made."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

from itertools import pairwise

import jax.numpy as jnp
import jax_base as base
import spyx
from flax import nnx


class Neurons(nnx.Module):
    """Currents of all steps [T, B, ...] to spikes; the decay is not learned."""

    def __init__(self, shape, spec, rngs):
        self.lif = spyx.nn.LIF(
            shape, beta=spec["decay"], activation=spyx.axn.superspike(25), rngs=rngs
        )
        self.lif.beta = nnx.Variable(jnp.full((), spec["decay"]))

    def __call__(self, current):
        return spyx.nn.run(self.lif, current)[0]


class Spiking(nnx.Module):
    """Dense layers, each with neurons behind it: spikes [T, B, m] -> counts [B, n]."""

    def __init__(self, spec, rngs):
        sizes = list(pairwise(spec["sizes"]))
        self.layers = nnx.List([nnx.Linear(m, n, rngs=rngs) for m, n in sizes])
        self.neurons = nnx.List([Neurons((n,), spec, rngs) for _, n in sizes])

    def __call__(self, x):
        for layer, neurons in zip(self.layers, self.neurons, strict=True):
            x = neurons(layer(x))
        return x.sum(0)


class SpikingConv(nnx.Module):
    """12C5-P2-64C5-P2-10: images [B, 28, 28, 1] -> counts [B, 10]."""

    def __init__(self, spec, rngs):
        self.steps = spec["steps"]
        conv = lambda c, o: nnx.Conv(c, o, (5, 5), padding="VALID", rngs=rngs)
        self.layers = nnx.List([conv(1, 12), conv(12, 64), nnx.Linear(1024, 10, rngs=rngs)])
        shapes = [(12, 12, 12), (4, 4, 64), (10,)]
        self.neurons = nnx.List([Neurons(shape, spec, rngs) for shape in shapes])

    def __call__(self, x):
        pool = lambda x: nnx.max_pool(x, (2, 2), strides=(2, 2))
        current = pool(self.layers[0](x))
        s = self.neurons[0](jnp.broadcast_to(current, (self.steps, *current.shape)))
        current = pool(self.layers[1](s.reshape(-1, *s.shape[2:])))
        s = self.neurons[1](current.reshape(*s.shape[:2], *current.shape[1:]))
        return self.neurons[2](self.layers[2](s.reshape(*s.shape[:2], -1))).sum(0)


def _network(spec):
    make = Spiking if spec["kind"] == "snn" else SpikingConv
    return make(spec, nnx.Rngs(0))


def _split(net):
    graph, params, rest = nnx.split(net, nnx.Param, ...)
    return params, lambda params, x: nnx.merge(graph, params, rest)(x)


def describe(variant):
    return base.describe(
        "spyx", "LIF, superspike(25), run over currents of all steps; jax.jit; optax.adam",
        base.SNN_WORKLOADS, neuron=["spyx_lif", {}],
    )  # fmt: skip


def prepare(variant, spec, image, label):
    return base.prepare(spec, image, label, *_split(_network(spec)))


def forward(variant, spec, arrays):
    net = _network(spec)
    for layer, (weight, bias) in zip(net.layers, base.layers_of(arrays), strict=True):
        layer.kernel, layer.bias = nnx.Param(weight), nnx.Param(bias)
    return net(base.inputs_of(spec, arrays))
