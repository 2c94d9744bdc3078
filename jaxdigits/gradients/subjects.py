"""The subjects of a check: everything with a gradient, in one form.

A subject is a point in float64 and a program from a point to both gradients, for a random
∂L/∂y times a scale: a `backward` that is not linear in ∂L/∂y shows at another scale.
Differences evaluate the program, too: it is compiled once, and compiling takes most of a
check's time.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import spikes as sp
from jaxdigits.gradients.compare import floats_of, is_float
from jaxdigits.gradients.estimators import Estimator
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss
from jaxdigits.tree import named_leaves

Point = Any  # a dict by name of pytrees, None in the place of each leaf that is not a float
SEED = 314159  # of ∂L/∂y: a seed that an input was hardly drawn with, or it would be the input


class Outcome(NamedTuple):
    """The value of a subject's program."""

    y: Any  # the output, a pytree
    y_bar: Any  # ∂L/∂y: random, for a loss 1
    hand: Point  # the gradient to check
    reference: Point | None  # the gradient that it should be
    y_reference: Any  # the output on the reference's side; None where there is only one forward
    spiking: list[tuple[Array, Array, Array]]  # per spiking layer, the fields of `Spiking`
    series: list[Array]  # [T] per spiking layer, to know how long a time series is
    y_vjp: Any = None  # the output that comes with the gradient, where a rule may change it


class Subject(NamedTuple):
    """A point, and the program of both gradients there."""

    point: Point
    program: Callable[[Point, Any], Outcome]  # (point, scale of ∂L/∂y)
    value: Callable[[Point], Any]  # the output alone
    witness: str = "jax.vjp"  # the name of the reference
    sides: tuple[str, str] = ("by hand", "by JAX")
    constants: tuple[str, ...] = ()  # leaves that are not floats, with their dtypes


def of_layer(layer: Layer, params: Any, x: Any, key: Array | None) -> Subject:
    """Compare `backward` with `jax.vjp` of `forward`, for a random ∂L/∂y.

    The penalty of a layer is an output beside y, whose slope is 1.
    """
    if not isinstance(layer, Layer):
        name = getattr(layer, "__name__", repr(layer))
        raise ValueError(f"check takes a Layer, got the function {name}: call it, if it builds "
                         f"one, as {name}(), or use check_function" if callable(layer)
                         else f"check takes a Layer, got {type(layer).__name__}")  # fmt: skip
    point, merge = _split({"params": params, "x": x})

    def value(point):
        whole = merge(point)
        y, residual = layer.forward(whole["params"], whole["x"], key)
        penalty = sp.penalties(residual)
        return y if penalty is None else (y, penalty)

    def program(point, scale):
        whole = merge(point)
        pair = layer.forward(whole["params"], whole["x"], key)
        y, residual = _require_pair(pair, "forward", "(y, residual)")
        y_bar = _cotangent(y, scale)
        pair = layer.backward(whole["params"], residual, y_bar)
        grads, x_bar = _require_pair(pair, "backward", "(∂L/∂params, ∂L/∂x)")
        hand = floats_of({"params": grads, "x": x_bar})
        penalty = sp.penalties(residual)
        if penalty is not None:
            y, y_bar = (y, penalty), (y_bar, jnp.ones_like(penalty))
        _, auto = _vjp(value, point, y_bar, "forward")
        return Outcome(y, y_bar, hand, auto, None, *_spiking(residual))

    return Subject(point, program, value, constants=_constants({"params": params, "x": x}))


def of_pair(forward: Callable, backward: Callable, arguments: Sequence[Any]) -> Subject:
    """Compare `backward` with `jax.vjp` of `forward`, in the convention of `jax.custom_vjp`."""
    whole, point, at = _arguments(forward, arguments)
    value = lambda point: forward(*at(point))[0]

    def program(point, scale):
        y, residual = forward(*at(point))
        y_bar = _cotangent(y, scale)
        bars = backward(residual, y_bar)
        if not isinstance(bars, tuple | list) or len(bars) != len(whole):
            count = len(bars) if isinstance(bars, tuple | list) else type(bars).__name__
            raise ValueError(f"backward must return a tuple of {len(whole)}, one gradient for "
                             f"each of {', '.join(whole)}, got {count}")  # fmt: skip
        hand = floats_of(dict(zip(whole, bars, strict=True)))
        _, auto = _vjp(value, point, y_bar, "forward")
        return Outcome(y, y_bar, hand, auto, None, *_spiking(residual))

    return Subject(point, program, value, constants=_constants(whole))


def of_function(function: Callable, arguments: Sequence[Any], twin: Callable | None) -> Subject:
    """Compare JAX's gradient of `function`, by its own rule, with the gradient of `twin`."""
    whole, point, at = _arguments(function, arguments)
    value = lambda point: function(*at(point))
    plain = twin and (lambda point: twin(*at(point)))

    def program(point, scale):
        y = value(point)
        y_bar = _cotangent(y, scale)
        y_vjp, hand = _vjp(value, point, y_bar, "the function")
        if plain is None:
            return Outcome(y, y_bar, hand, None, None, [], [], y_vjp)
        y_plain = plain(point)
        shape = lambda y: jax.tree.map(lambda a: (jnp.shape(a), str(jnp.result_type(a))), y)
        if shape(y) != shape(y_plain):
            raise ValueError(f"the function returns {shape(y)}, its twin {shape(y_plain)}: "
                             "pass a twin of the same (shape, dtype)")  # fmt: skip
        _, reference = _vjp(plain, point, y_bar, "the twin")
        return Outcome(y, y_bar, hand, reference, y_plain, [], [], y_vjp)

    sides = ("of the function", "of the twin")
    return Subject(point, program, value, "twin", sides, _constants(whole))


def of_estimator(
    pair: Callable[[Any], tuple[Estimator, Estimator]], params: Any, batch: Any, key: Any
) -> Subject:
    """Compare the gradients of two estimators of a scaled loss, pair(scale), for one batch."""
    point, merge = _split({"params": params})
    batch = jax.tree.map(lambda a: np.asarray(a, np.float64) if is_float(a) else a, batch)
    value = lambda point: pair(1.0)[0](merge(point)["params"], batch, key)[0]

    def program(point, scale):
        whole, (estimator, reference) = merge(point)["params"], pair(scale)
        y, grads, residual = estimator(whole, batch, key)
        y_ref, grads_ref, _ = reference(whole, batch, key)
        hand, auto = floats_of({"params": grads}), floats_of({"params": grads_ref})
        return Outcome(y, jnp.ones_like(y), hand, auto, y_ref, *_spiking(residual))

    sides = ("of the estimator", "of the reference")
    return Subject(point, program, value, "reference", sides)


def of_loss(loss: Loss, logits: Array, label: Any) -> Subject:
    """Compare the slope of a loss with `jax.grad` of its value, at logits [B, K]."""
    point, _ = _split({"logits": logits})
    value = lambda point: loss.value(point["logits"], label)

    def program(point, scale):
        y, slope = value(point), loss.slope(point["logits"], label)
        _, auto = _vjp(value, point, jnp.ones_like(y), "the loss")
        return Outcome(y, jnp.ones_like(y), {"logits": slope}, auto, None, [], [])

    return Subject(point, program, value)


def _arguments(function: Callable, arguments: Sequence[Any]) -> tuple[dict, Point, Callable]:
    """Return the arguments by name, their floats as a point, and point -> arguments."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD]
    names += [f"argument {i}" for i in range(len(names), len(arguments))]
    whole = dict(zip(names, arguments, strict=False))
    if not any(map(is_float, jax.tree.leaves(whole))):
        dtypes = ", ".join(_constants(whole)) or "no arguments"
        raise ValueError(f"nothing here has a gradient: give floats, got {dtypes}")
    point, merge = _split(whole)
    return whole, point, lambda point: [merge(point)[name] for name in whole]  # JAX sorts names


def _constants(whole: dict[str, Any]) -> tuple[str, ...]:
    """Return the leaves that are not floats, as "x (uint8)"."""
    dtype = lambda leaf: getattr(leaf, "dtype", jnp.result_type(leaf))
    leaves = named_leaves(whole).items()
    return tuple(f"{name} ({dtype(leaf)})" for name, leaf in leaves if not is_float(leaf))


def _split(whole: dict[str, Any]) -> tuple[Point, Callable[[Point], dict[str, Any]]]:
    """Return the floats of a tree, and a function that puts them back among the rest."""
    for name, leaf in named_leaves(whole).items():
        if jnp.iscomplexobj(leaf):
            raise ValueError(f"{name} is complex: give its real and imaginary parts as leaves")
    leaves, tree = jax.tree.flatten(whole)
    floats = [np.asarray(a, np.float64) if is_float(a) else None for a in leaves]

    def merge(point):
        values = zip(leaves, floats, tree.flatten_up_to(point), strict=True)
        return tree.unflatten([leaf if f is None else value for leaf, f, value in values])

    return tree.unflatten(floats), merge


def _vjp(function: Callable, point: Point, y_bar: Any, name: str) -> tuple[Any, Point]:
    """Return the output that comes with the gradient, and the gradient."""
    try:
        y, backward = jax.vjp(function, point)
        return y, backward(y_bar)[0]
    except Exception as error:  # of a user's function: JAX names many reasons
        first = str(error).strip().splitlines()[:1]
        raise ValueError(f"JAX cannot differentiate {name}: {''.join(first)}") from error


def _cotangent(y: Any, scale: Any) -> Any:
    """Return a random ∂L/∂y times a scale, in the shape of y."""
    for leaf in jax.tree.leaves(y):
        if not is_float(leaf):
            raise ValueError(f"the output has dtype {jnp.result_type(leaf)} and no gradient: "
                             "return floats")  # fmt: skip
    # Drawn while tracing, a constant of the program: nothing to compile.
    rng = np.random.default_rng(SEED)
    draw = lambda a: jnp.asarray(scale * rng.standard_normal(jnp.shape(a)), jnp.result_type(a))
    return jax.tree.map(draw, y)


def _spiking(residual: Any) -> tuple[list, list]:
    """Return the fields of `Spiking` per spiking layer, and an array as long as its series."""
    spikes = [t.spikes for t in sp.traces(residual)]
    facts = [(s.mean(), (s != 0).mean(), (s == jnp.round(s)).all()) for s in spikes]
    counts = [e.spikes for e in sp.events(residual)]  # their times move with the point
    facts += [(c.mean(), (c != 0).mean(), jnp.zeros((), bool)) for c in counts]
    return facts, [jnp.zeros(len(s)) for s in spikes]


def _require_pair(value: Any, function: str, meaning: str) -> tuple[Any, Any]:
    """Return the two results of a layer's function.

    Raises:
      ValueError: unless they are two.
    """
    if type(value) is tuple and len(value) == 2:
        return value
    got = f"{len(value)} values" if type(value) is tuple else f"one {type(value).__name__}"
    raise ValueError(f"{function} must return the pair {meaning}, got {got}")
