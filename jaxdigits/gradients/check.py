"""Does a hand-derived gradient agree with JAX's?

`check` draws a random ȳ, sends it back twice, through the layer's `backward` and through
`jax.vjp` of its `forward`, both in float64, and compares ∂L/∂params and ∂L/∂x leaf by leaf.
A network in which no neuron fires, or every neuron always does, would agree for the wrong
reason, so it does not pass.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.layer import Layer
from jaxdigits.losses import Loss
from jaxdigits.spikes import firing_rates
from jaxdigits.tree import cosine, named_leaves, relative_error

LIVELY = (0.005, 0.995)  # spikes per neuron and step between which a layer tests its slopes


class Row(NamedTuple):
    """One leaf of the gradient, by hand and by JAX."""

    leaf: str
    error: float
    """largest difference, in units of the largest number in JAX's leaf"""
    cosine: float
    where: tuple[int, ...]
    """index of the largest difference"""


class Report(NamedTuple):
    """What `check` found; `ok` only if all leaves agree and all spiking layers are lively."""

    ok: bool
    error: float
    """the largest of the rows"""
    cosine: float
    """the smallest of the rows"""
    worst: str
    """the leaf with the largest error"""
    rows: tuple[Row, ...]
    firing_rates: tuple[float, ...]
    """of each spiking layer, in spikes per neuron and step"""
    reason: str
    """why it is not ok, in one line; empty if it is"""


def check(
    layer: Layer, params: Any, x: Any, key: Array | None = None, *, tolerance: float = 1e-10
) -> Report:
    """Compare `layer.backward` with `jax.vjp(layer.forward)` in float64.

    Args:
      layer: a layer, or a whole network.
      params: its parameters; taken over into float64.
      x: its input, an array or a pytree of them.  Floats are taken over into float64;
        integers (uint8 images) have no gradient.
      key: for layers that draw random numbers; the same for both sides.
      tolerance: the largest relative error per leaf that agrees.

    Raises:
      ValueError: if the two gradients are not alike in leaves and shapes, naming the leaf.
    """

    def both(params, x, key):
        y, residual = layer.forward(params, x, key)
        y_bar = jax.random.normal(jax.random.key(0), y.shape, y.dtype)
        grads, x_bar = layer.backward(params, residual, y_bar)
        auto = _by_vjp(layer, params, x, key, y_bar)
        return {"params": grads, "x": x_bar}, auto, firing_rates(residual)

    # Compiled for one run on small arrays: optimising it would take longer than running it.
    compiled = jax.jit(both, compiler_options={"xla_backend_optimization_level": 0})
    with jax.enable_x64(True):
        hand, auto, rates = compiled(_float64(params), _float64(x), key)
    return report(hand, auto, tolerance, tuple(np.asarray(rates).tolist()))


def check_loss(loss: Loss, logits: Array, label: Array, *, tolerance: float = 1e-10) -> Report:
    """Compare `loss.slope` with `jax.grad(loss.value)` in float64 at logits [B, K]."""
    with jax.enable_x64(True):
        logits = _float64(logits)
        hand = loss.slope(logits, label)
        auto = jax.grad(loss.value)(logits, label)
    return report({"logits": hand}, {"logits": auto}, tolerance)


def report(
    hand: Any, reference: Any, tolerance: float, rates: tuple[float, ...] = ()
) -> Report:
    """Compare two gradients leaf by leaf, `reference` setting the scale.

    Raises:
      ValueError: if they are not alike in leaves and shapes, naming the leaf.
    """
    ours, theirs = named_leaves(hand), named_leaves(reference)
    if different := sorted(set(ours) ^ set(theirs)):
        side = "by hand" if different[0] in ours else "by JAX"
        raise ValueError(f"only the gradient {side} has a leaf {different[0]!r}")
    rows = tuple(_row(name, np.asarray(ours[name]), np.asarray(theirs[name])) for name in ours)
    worst = max(rows, key=lambda row: row.error, default=Row("nothing", 0.0, 1.0, ()))
    reason = ""
    if not worst.error <= tolerance:
        reason = f"{worst.leaf} differs by {worst.error:.1e} at {worst.where}"
    for i, rate in enumerate(rates):
        if not LIVELY[0] <= rate <= LIVELY[1]:
            state = "silent" if rate < LIVELY[0] else "saturated"
            reason = f"spiking layer {i + 1} is {state} (rate {rate:.3g}): nothing was tested"
    least = min((row.cosine for row in rows), default=1.0)
    return Report(not reason, worst.error, least, worst.leaf, rows, rates, reason)


def _row(name: str, hand: np.ndarray, reference: np.ndarray) -> Row:
    if hand.shape != reference.shape:
        raise ValueError(f"{name}: by hand {hand.shape}, by JAX {reference.shape}")
    index = ()
    if hand.size:
        index = np.unravel_index(np.abs(hand - reference).argmax(), hand.shape)
    where = tuple(int(i) for i in index)
    return Row(name, relative_error(hand, reference), cosine(hand, reference), where)


def _by_vjp(layer, params, x, key, y_bar):
    """By JAX, of the params and of the input's floats; its integers have no gradient."""
    leaves, tree = jax.tree.flatten(x)
    floats = [leaf if _is_float(leaf) else None for leaf in leaves]

    def forward(params, floats):
        mixed = [a if f is None else f for a, f in zip(leaves, floats, strict=True)]
        return layer.forward(params, tree.unflatten(mixed), key)[0]

    _, vjp = jax.vjp(forward, params, floats)
    grads, x_bar = vjp(y_bar)
    return {"params": grads, "x": tree.unflatten(x_bar)}


def _float64(tree: Any) -> Any:
    double = lambda a: jnp.asarray(a, jnp.float64) if _is_float(a) else a
    return jax.tree.map(double, tree)


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
