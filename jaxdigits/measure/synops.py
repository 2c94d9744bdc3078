"""Synaptic operations of a network, from the inputs of its weights, and energy by a table.

An effective operation is a weight that is not zero times an input that is not zero.  Where all
inputs of a layer are −1, 0 or 1 in an example, it is an accumulate (AC), else a
multiply-accumulate (MAC).  A bias is no operation.  An input that is constant in time is
multiplied once.  At the border of a convolution only weights inside of the image count: the
layer itself counts them, with ones for all weights and inputs that are not zero.

The numbers are those of arithmetic alone.  Memory traffic costs more [1], and is not in them.

[1] Horowitz, ISSCC 2014, doi:10.1109/ISSCC.2014.6757323.
[2] Yik et al., Nat. Commun. 16, 1545, 2025, arXiv:2304.04640 (NeuroBench: the same measures).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import children_of
from jaxdigits.layer import Layer, Params, Residual, parallel, residual, serial
from jaxdigits.quantise import quantised, rounded
from jaxdigits.spikes.storage import stored_input
from jaxdigits.tree import named_leaves


class SynOps(NamedTuple):
    """Operations of each example [B], and the size of the network."""

    acs: Array
    """[B] effective accumulates"""
    macs: Array
    """[B] effective multiply-accumulates"""
    dense: Array
    """[B] operations with zeros too"""
    updates: Array
    """[B] neuron updates: spiking neurons times steps"""
    activation_sparsity: Array
    """[B] share of the inputs of weights that are zero"""
    connection_sparsity: Array
    """[] share of weights that are zero"""
    footprint: int
    """bytes of the params: weights at their bits, all others in 32"""


class Energy(NamedTuple):
    """Energy of an operation, in pJ."""

    mac: float
    ac: float
    source: str


TABLES = {
    "fp32": Energy(4.6, 0.9, "45 nm, float32 [Horowitz 2014]"),
    "fp16": Energy(1.5, 0.4, "45 nm, float16 [Horowitz 2014]"),
    "int8": Energy(0.23, 0.03, "45 nm, int8 [Horowitz 2014]"),
}
"""energies by name; a MAC is a product and a sum"""


class Product(NamedTuple):
    """The weights of a layer, and their inputs."""

    layer: Layer
    weight: Array
    """[..., n]"""
    x: Array
    """[B, ...] or [T, B, ...]"""


Others = Mapping[Callable[..., Layer], Callable[[Layer, Any, Residual], Iterator[Product]]]
"""constructor -> (layer, params, residual) -> products, for layers that are not known here"""
NOTHING: Others = MappingProxyType({})


def synops(
    network: Layer, params: Params, image: Any, key: Array | None = None, *,
    bits: int | None = None, others: Others = NOTHING,
) -> SynOps:  # fmt: skip
    """Count the operations of a network on examples, from one forward pass.  Traceable.

    Args:
      network: in evaluation, of layers in a row, side by side, or around each other.
      params: of the network.
      image: [B, ...] the examples, or a dict of them.
      key: one key, or one per example [B].
      bits: of a weight, for the footprint; None is 32, or the bits of `quantised`.
      others: as for `products_of`.

    Raises:
      ValueError: for a layer whose weights or inputs are not known, as with recompute.
    """
    _, inner = network.forward(params, image, key)
    few = network.about and network.about.find(quantised)
    width = bits or (few.arguments["bits"] if few else 32)
    examples = len(jax.tree.leaves(image)[0])
    acs = macs = dense = updates = zeros = inputs = jnp.zeros(examples, jnp.int32)
    weights, absent = 0, jnp.zeros((), jnp.int32)
    for product in products_of(network, params, inner, others):
        count, all_ops, binary = _count(product)
        acs, macs = acs + count * binary, macs + count * ~binary
        dense = dense + all_ops
        size = product.x.size // examples
        zeros, inputs = zeros + size - _per_example(product, product.x != 0), inputs + size
        weights, absent = weights + product.weight.size, absent + (product.weight == 0).sum()
    for trace in sp.traces(inner):
        updates = updates + trace.spikes.size // examples
    sparsity = zeros / jnp.maximum(inputs, 1), absent / max(weights, 1)
    return SynOps(acs, macs, dense, updates, *sparsity, _bytes(params, width))


def energy(ops: SynOps, table: Energy) -> Array:
    """Return the energy of each example's arithmetic [B], in nJ, without memory traffic."""
    return (ops.macs * table.mac + ops.acs * table.ac) / 1000


def ann_of(network: Layer, params: Params) -> tuple[Layer, Params]:
    """Return the artificial network of a spiking network's shape and weights, and its params.

    Pixels in [0, 1] for spikes, rectifiers for neurons, each layer once, logits for a readout.
    It is there to be counted, not to be right.  A network without spikes is returned as it is.

    Raises:
      ValueError: for layers that are not in a row, for synapses among neurons, and for spikes
        between steps.
    """
    about = network.about
    if about is not None and (few := about.find(quantised)):
        params = rounded(params, few.arguments["bits"], per=few.arguments["per"])
    parts = [layer for _, layer in children_of(about)] if about else []
    if not isinstance(params, tuple) or len(parts) != len(params):
        raise ValueError("an artificial network of this shape takes layers in a row")
    twins = [_artificial(layer, p) for layer, p in zip(parts, params, strict=True)]
    return serial(*(layer for layer, _ in twins)), tuple(p for _, p in twins)


def _artificial(layer: Layer, p: Any) -> tuple[Layer, Any]:
    about: Any = layer.about
    if about is None or about.find(sp.recurrent, sp.event_lif, sp.event_dense):
        name = about.name if about else "a layer of your own"
        raise ValueError(f"an artificial network of this shape has no {name}: leave it out")
    if about.constructor in (sp.rate, sp.latency, sp.direct):
        return _to_unit(), ()
    if about.find(sp.over_time, sp.integrate_and_fire):
        return ly.relu(), ()
    if about.constructor in (sp.leaky_readout, sp.spike_count, sp.rate_penalty):
        return ly.dropout(0.0), ()
    if about.constructor in (sp.spikes_stored, sp.at_each_step, sp.of_mean):
        return _artificial(about.arguments["layer"], p)
    return layer, p


def _to_unit() -> Layer:
    """Scale bytes to [0, 1]; floats, as behind a first block, stay."""
    return ly.standardise(0.0, 1.0)


def products_of(
    layer: Layer, params: Any, inner: Residual, others: Others = NOTHING
) -> Iterator[Product]:
    """Yield the weights of a layer and all layers in it, with their inputs.

    Args:
      layer: a network in evaluation, or a layer.
      params: of the layer.
      inner: the residual of its forward pass.
      others: how to find the weights of further layers, by constructor.

    Raises:
      ValueError: for a layer whose weights or inputs are not known, as with recompute.
    """
    about: Any = layer.about
    more = partial(products_of, others=others)
    make: Any = about and about.constructor
    options = about.arguments if about else {}
    if make in others:
        yield from others[make](layer, params, inner)
    elif make in (ly.dense, ly.conv2d):
        yield Product(layer, params["weight"], inner)
    elif make is sp.recurrent:
        spikes = sp.traces(inner)[0].spikes[:-1]
        plain = ly.dense(spikes.shape[-1], bias=False)
        yield Product(plain, params["weight"], spikes)
    elif make is sp.spikes_stored:
        yield from more(options["layer"], params, stored_input(inner, options["storage"]))
    elif make in (sp.at_each_step, residual):
        yield from more(options["layer"], params, inner)
    elif make is sp.of_mean:
        mean, steps = inner
        yield from more(options["layer"], params, _spikes_of(mean, steps.value))
    elif make is quantised:
        few = rounded(params, options["bits"], per=options["per"])
        yield from more(options["layer"], few, inner)
    elif make is parallel:
        for name, branch in options["branches"].items():
            yield from more(branch, params[name], inner[0][name])
    elif about and (children := [child for _, child in children_of(about)]):
        for child, p, r in zip(children, params, inner, strict=True):
            yield from more(child, p, r)
    elif any(name.endswith("weight") for name in named_leaves(params)):
        name = about.name if about else "a layer of your own"
        text = f"{name}: its operations cannot be counted"
        raise ValueError(f"{text}; build it of dense and conv2d, with recompute=False")


def _spikes_of(mean: Array, steps: int) -> Array:
    """Return spikes [T, ..., n] with these means, for their number: their steps do not count.

    A chip adds a weight for each spike, where a processor multiplies it by the mean once.
    """
    step = jnp.arange(steps).reshape(-1, *[1] * mean.ndim)
    return (step < jnp.round(mean * steps)).astype(mean.dtype)


def _count(product: Product) -> tuple[Array, Array, Array]:
    """Return effective and all operations [B], and whether inputs are −1, 0 or 1 [B]."""
    layer, weight, x = product
    zero = jnp.zeros(weight.shape[-1], jnp.float32)

    def operations(weight, x):
        params = {"weight": weight.astype(jnp.float32), "bias": zero}
        return _per_example(product, layer.forward(params, x.astype(jnp.float32), None)[0])

    others = _per_example(product, (x != 0) & (jnp.abs(x) != 1))
    every = operations(jnp.ones_like(weight), jnp.ones_like(x))
    return operations(weight != 0, x != 0), every, others == 0


def _per_example(product: Product, values: Array) -> Array:
    """Return the sums [B] of values [B, ...] or [T, B, ...]."""
    features = product.weight.ndim - 1  # a dense layer takes 1, a convolution 3
    examples = product.x.ndim - features - 1
    axes = tuple(i for i in range(values.ndim) if i != examples)
    return values.astype(jnp.int32).sum(axes)


def _bytes(params: Params, bits: int) -> int:
    sizes = {name: int(np.size(leaf)) for name, leaf in named_leaves(params).items()}
    total = sum(
        size * (bits if name.endswith("weight") else 32) for name, size in sizes.items()
    )
    return -(-total // 8)
