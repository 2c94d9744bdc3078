"""Whatever has a gradient, in the one form that a check takes.

A subject is a point in float64 and a program that goes from a point to both gradients.  The
program is also what the differences evaluate: it is compiled once, and compiling is what a
check costs.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.gradients.compare import floats_of, is_float
from jaxdigits.gradients.estimators import Estimator
from jaxdigits.layer import Layer, require_pair
from jaxdigits.losses import Loss
from jaxdigits.spikes import events, penalties, traces
from jaxdigits.tree import named_leaves

Point = Any  # a dict by name of pytrees, None in the place of what is no float
Split = tuple[Point, Callable[[Point], dict[str, Any]]]

SEED = 314159  # of ∂L/∂y: a seed that an input was hardly drawn with, or it would be the input


class Outcome(NamedTuple):
    """What the program of a subject returns."""

    y: Any
    """the output, a pytree"""
    y_bar: Any
    """∂L/∂y: random, for a loss 1"""
    hand: Point
    """the gradient that is checked"""
    reference: Point | None
    """the gradient that it should be"""
    y_reference: Any
    """the output on the reference's side; None where there is only one forward"""
    spiking: list[tuple[Array, Array, Array]]
    """of each spiking layer, what `Spiking` says"""
    series: list[Array]
    """[T] of each spiking layer, to know how long a time series is"""
    y_differentiated: Any = None
    """the output that comes with the gradient, where a rule may make it another one"""


class Subject(NamedTuple):
    """Something with a gradient."""

    point: Point
    program: Callable[[Point], Outcome]
    value: Callable[[Point], Any]
    """the output alone"""
    witness: str = "jax.vjp"
    """what the reference is"""
    sides: tuple[str, str] = ("by hand", "by JAX")
    aside: tuple[str, ...] = ()
    """leaves that are no floats, with their dtypes"""


def of_layer(layer: Layer, params: Any, x: Any, key: Array | None) -> Subject:
    """`backward` against `jax.vjp` of `forward`, for a random ∂L/∂y.

    What the layer adds to the loss is an output beside y, whose slope is 1.
    """
    require_layer(layer)
    point, merge = _split({"params": params, "x": x})

    def value(point):
        whole = merge(point)
        y, residual = layer.forward(whole["params"], whole["x"], key)
        price = penalties(residual)
        return y if price is None else (y, price)

    def program(point):
        whole = merge(point)
        y, residual = require_pair(
            layer.forward(whole["params"], whole["x"], key), "forward", "(y, residual)"
        )
        y_bar = _cotangent(y)
        grads, x_bar = require_pair(
            layer.backward(whole["params"], residual, y_bar),
            "backward", "(∂L/∂params, ∂L/∂x)",
        )  # fmt: skip
        hand = floats_of({"params": grads, "x": x_bar})
        price = penalties(residual)
        if price is not None:
            y, y_bar = (y, price), (y_bar, jnp.ones_like(price))
        auto = _by_vjp(value, point, y_bar, "forward")
        return Outcome(y, y_bar, hand, auto, None, *_spiking(residual))

    return Subject(point, program, value, aside=_aside({"params": params, "x": x}))


def require_layer(layer: Any) -> None:
    """Check that a layer is one.

    Raises:
      ValueError: for a function, with the check that takes it, and for anything else.
    """
    if isinstance(layer, Layer):
        return
    if callable(layer):
        name = getattr(layer, "__name__", repr(layer))
        raise ValueError(
            f"check takes a Layer, got the function {name}: call it, if it builds one, as "
            f"{name}(); for a function with a gradient of its own use check_function"
        )
    raise ValueError(f"check takes a Layer, got {type(layer).__name__}")


def of_pair(forward: Callable, backward: Callable, arguments: Sequence[Any]) -> Subject:
    """`backward` against `jax.vjp` of `forward`, in the convention of `jax.custom_vjp`."""
    names = _argument_names(forward, len(arguments))
    whole = dict(zip(names, arguments, strict=True))
    point, merge = _split(whole)
    _require_floats(whole)
    given = lambda point: [merge(point)[name] for name in names]  # JAX sorts the dict's names
    value = lambda point: forward(*given(point))[0]

    def program(point):
        y, residual = forward(*given(point))
        y_bar = _cotangent(y)
        bars = backward(residual, y_bar)
        if not isinstance(bars, tuple | list) or len(bars) != len(names):
            count = len(bars) if isinstance(bars, tuple | list) else type(bars).__name__
            raise ValueError(
                f"backward must return a tuple of {len(names)}, one gradient for each of "
                f"{', '.join(names)}, got {count}"
            )
        hand = floats_of(dict(zip(names, bars, strict=True)))
        auto = _by_vjp(value, point, y_bar, "forward")
        return Outcome(y, y_bar, hand, auto, None, *_spiking(residual))

    return Subject(point, program, value, aside=_aside(whole))


def of_function(
    function: Callable, arguments: Sequence[Any], twin: Callable | None = None
) -> Subject:
    """The gradient that JAX has of `function`, by its own rule, against that of `twin`."""
    names = _argument_names(function, len(arguments))
    whole = dict(zip(names, arguments, strict=True))
    point, merge = _split(whole)
    _require_floats(whole)
    given = lambda point: [merge(point)[name] for name in names]  # JAX sorts the dict's names
    value = lambda point: function(*given(point))
    plain = twin and (lambda point: twin(*given(point)))

    def program(point):
        y = value(point)
        y_bar = _cotangent(y)
        again, hand = _vjp(value, point, y_bar, "the function")
        if plain is None:
            return Outcome(y, y_bar, hand, None, None, [], [], again)
        y_plain = plain(point)
        _require_same_output(y, y_plain)
        reference = _by_vjp(plain, point, y_bar, "the twin")
        return Outcome(y, y_bar, hand, reference, y_plain, [], [], again)

    sides = ("of the function", "of the twin")
    return Subject(point, program, value, "twin", sides, _aside(whole))


def of_estimator(
    estimator: Estimator, reference: Estimator, params: Any, batch: Any, key: Any
) -> Subject:
    """The gradient of one estimator against that of another, of one batch."""
    point, merge = _split({"params": params})
    batch = to_float64(batch)
    value = lambda point: estimator(merge(point)["params"], batch, key)[0]

    def program(point):
        whole = merge(point)["params"]
        loss, grads, residual = estimator(whole, batch, key)
        loss_reference, grads_reference, _ = reference(whole, batch, key)
        return Outcome(
            loss,
            jnp.ones_like(loss),
            floats_of({"params": grads}),
            floats_of({"params": grads_reference}),
            loss_reference,
            *_spiking(residual),
        )

    sides = ("of the estimator", "of the reference")
    return Subject(point, program, value, "reference", sides)


def of_loss(loss: Loss, logits: Array, label: Any) -> Subject:
    """The slope of a loss against `jax.grad` of its value."""
    point, _ = _split({"logits": logits})
    value = lambda point: loss.value(point["logits"], label)

    def program(point):
        y, slope = value(point), loss.slope(point["logits"], label)
        auto = _by_vjp(value, point, jnp.ones_like(y), "the loss")
        return Outcome(y, jnp.ones_like(y), {"logits": slope}, auto, None, [], [])

    return Subject(point, program, value)


def to_float64(tree: Any) -> Any:
    """The tree with its floats in float64."""
    return jax.tree.map(lambda a: np.asarray(a, np.float64) if is_float(a) else a, tree)


def _aside(whole: dict[str, Any]) -> tuple[str, ...]:
    """The leaves that are no floats, as "x (uint8)"."""
    dtype = lambda leaf: getattr(leaf, "dtype", jnp.result_type(leaf))
    return tuple(
        f"{name} ({dtype(leaf)})"
        for name, leaf in named_leaves(whole).items()
        if not is_float(leaf)
    )


def _require_floats(whole: dict[str, Any]) -> None:
    if not any(map(is_float, jax.tree.leaves(whole))):
        given = ", ".join(_aside(whole)) or "no arguments"
        raise ValueError(f"nothing here has a gradient: give floats, got {given}")


def _split(whole: dict[str, Any]) -> Split:
    """The floats of a tree, and a function that puts them back among the rest."""
    leaves, tree = jax.tree.flatten(whole)
    floats = [np.asarray(a, np.float64) if is_float(a) else None for a in leaves]

    def merge(point):
        given = tree.flatten_up_to(point)
        return tree.unflatten(
            [a if f is None else f for a, f in zip(leaves, given, strict=True)]
        )

    return tree.unflatten(floats), merge


def _by_vjp(function: Callable, point: Point, y_bar: Any, what: str) -> Point:
    return _vjp(function, point, y_bar, what)[1]


def _vjp(function: Callable, point: Point, y_bar: Any, what: str) -> tuple[Any, Point]:
    """(the output that comes with the gradient, the gradient)"""
    try:
        y, backward = jax.vjp(function, point)
        return y, backward(y_bar)[0]
    except Exception as error:  # whatever a user's function does: JAX names many reasons
        first = str(error).strip().splitlines()[:1]
        raise ValueError(f"JAX cannot differentiate {what}: {''.join(first)}") from error


def _cotangent(y: Any) -> Any:
    """A random ∂L/∂y, of the shape of y."""
    leaves, tree = jax.tree.flatten(y)
    for leaf in leaves:
        if not is_float(leaf):
            raise ValueError(
                f"the output has dtype {jnp.result_type(leaf)}: it has no gradient"
            )
    # Drawn while tracing, a constant of the program: nothing to compile.
    rng = np.random.default_rng(SEED)
    draw = lambda a: jnp.asarray(rng.standard_normal(jnp.shape(a)), jnp.result_type(a))
    return tree.unflatten(map(draw, leaves))


def _spiking(residual: Any) -> tuple[list, list]:
    """What `Spiking` says of each spiking layer, and an array as long as each ran."""
    spikes = [t.spikes for t in traces(residual)]
    facts = [(s.mean(), (s != 0).mean(), (s == jnp.round(s)).all()) for s in spikes]
    counts = [found.spikes for found in events(residual)]  # their times move with the point
    facts += [(c.mean(), (c != 0).mean(), jnp.zeros((), bool)) for c in counts]
    return facts, [jnp.zeros(len(s)) for s in spikes]


def _require_same_output(y: Any, y_twin: Any) -> None:
    shape = lambda tree: jax.tree.map(lambda a: (jnp.shape(a), str(jnp.result_type(a))), tree)
    if shape(y) != shape(y_twin):
        raise ValueError(
            f"the function returns {shape(y)}, its twin {shape(y_twin)}: (shape, dtype)"
        )


def _argument_names(function: Callable, count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return [names[i] if i < len(names) else f"argument {i}" for i in range(count)]
