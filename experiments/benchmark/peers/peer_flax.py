"""Flax NNX, jitted by JAX after `nnx.split`: the fastest way by its guide."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

from itertools import pairwise

import jax_base as base
from flax import nnx


class Perceptron(nnx.Module):
    """Dense layers with rectifiers between them."""

    def __init__(self, sizes, rngs):
        self.layers = nnx.List([nnx.Linear(m, n, rngs=rngs) for m, n in pairwise(sizes)])

    def __call__(self, x):
        for layer in list(self.layers)[:-1]:
            x = nnx.relu(layer(x))
        return self.layers[-1](x)


class Convolutional(nnx.Module):
    """32C3-64C3-P2-128-10; the maximum is taken before the rectifier: less work, no change."""

    def __init__(self, rngs):
        conv = lambda c, o: nnx.Conv(c, o, (3, 3), padding="VALID", rngs=rngs)
        linear = lambda m, n: nnx.Linear(m, n, rngs=rngs)
        self.layers = nnx.List([conv(1, 32), conv(32, 64), linear(9216, 128), linear(128, 10)])

    def __call__(self, x):
        x = nnx.relu(self.layers[0](x))
        x = nnx.relu(nnx.max_pool(self.layers[1](x), (2, 2), strides=(2, 2)))
        x = nnx.relu(self.layers[2](x.reshape(len(x), -1)))
        return self.layers[3](x)


def _network(spec):
    rngs = nnx.Rngs(0)
    return Perceptron(spec["sizes"], rngs) if spec["kind"] == "mlp" else Convolutional(rngs)


def describe(variant):
    return base.describe("flax", "NNX modules, jax.jit; optax.adam", base.ANN_WORKLOADS)


def prepare(variant, spec, image, label):
    graph, params = nnx.split(_network(spec))
    apply = lambda params, x: nnx.merge(graph, params)(x)
    return base.prepare(spec, image, label, params, apply)


def forward(variant, spec, arrays):
    net = _network(spec)
    for layer, (weight, bias) in zip(net.layers, base.layers_of(arrays), strict=True):
        layer.kernel, layer.bias = nnx.Param(weight), nnx.Param(bias)
    return net(base.inputs_of(spec, arrays))
