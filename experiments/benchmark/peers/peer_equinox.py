"""Equinox: modules for one example, `jax.vmap` over the batch, jitted."""

# pyright: reportMissingImports=false
# (the peer is in its own environment)

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import jax_base as base


def _network(spec):
    keys = iter(jax.random.split(jax.random.key(0), 8))
    relu = eqx.nn.Lambda(jax.nn.relu)
    linear = lambda m, n: eqx.nn.Linear(m, n, key=next(keys))
    if spec["kind"] == "mlp":
        layers = []
        for m, n in pairwise(spec["sizes"]):
            layers += [linear(m, n), relu]
        return eqx.nn.Sequential(layers[:-1])
    conv = lambda c, o: eqx.nn.Conv2d(c, o, 3, key=next(keys))
    return eqx.nn.Sequential([
        conv(1, 32), relu, conv(32, 64), eqx.nn.MaxPool2d(2, 2), relu,
        eqx.nn.Lambda(jnp.ravel), linear(9216, 128), relu, linear(128, 10),
    ])  # fmt: skip


def _run(net, x):
    # Equinox has channels first.
    return jax.vmap(net)(x if x.ndim == 2 else x.transpose(0, 3, 1, 2))


def describe(variant):
    return base.describe(
        "equinox", "modules, jax.vmap, jax.jit; optax.adam", base.ANN_WORKLOADS
    )


def prepare(variant, spec, image, label):
    params, static = eqx.partition(_network(spec), eqx.is_inexact_array)
    apply = lambda params, x: _run(eqx.combine(params, static), x)
    return base.prepare(spec, image, label, params, apply)


def forward(variant, spec, arrays):
    net, shared = _network(spec), iter(base.layers_of(arrays))
    layers = []
    for layer in net.layers:
        if isinstance(layer, eqx.nn.Linear | eqx.nn.Conv2d):
            weight, bias = next(shared)
            if weight.ndim == 4:
                weight, bias = weight.transpose(3, 2, 0, 1), bias[:, None, None]
            else:
                if len(weight) == 9216:  # rows are pixels, then channels
                    weight = weight.reshape(12, 12, 64, -1).transpose(2, 0, 1, 3)
                    weight = weight.reshape(9216, -1)
                weight = weight.T
            layer = eqx.tree_at(lambda a: (a.weight, a.bias), layer, (weight, bias))
        layers.append(layer)
    return _run(eqx.nn.Sequential(layers), base.inputs_of(spec, arrays))
