"""The one idea of this library: a layer is three pure functions, and a network is a layer.

`forward` is ordinary JAX, so `jax.grad`, `jax.jvp`, `jax.vmap` and `jax.jit` see all of it.
`backward` is the same layer's gradient derived by hand; it never calls autodiff.  The two
are independent, so each checks the other.

The combinators here are the chain rule.  With x̄ = ∂L/∂x:

    serial      y = fₙ(…f₁(x))      x̄ₖ = backwardₖ(x̄ₖ₊₁), last layer first
    parallel    y = [f(x), g(x)]    each branch takes its own slice of ȳ; what a shared
                y = f(x) + g(x)     input receives from the branches adds up
    residual    y = x + f(x)        x̄ = ȳ + backward(ȳ)
    recomputed  y = f(x)            x̄ = backward(ȳ), of what f keeps when it is done again
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.about import About, constructor, described, reduced
from jaxdigits.keys import fold_in

Params = Any  # a pytree of arrays
Residual = (
    Any  # a pytree: what `backward` needs from `forward`, and all a person may want to see
)
Shape = Any  # the feature shape of one example, or a dict of them


class Layer(NamedTuple):
    """A layer, or a whole network: layers compose into layers."""

    init: Callable[[Array, Shape], tuple[Params, Shape]]
    """(key, feature shape) -> (params, feature shape), both without batch and time"""
    forward: Callable[[Params, Any, Array | None], tuple[Array, Residual]]
    """(params, x, key) -> (y, residual), with one key, one per example [B], or None"""
    backward: Callable[[Params, Residual, Array], tuple[Params, Any]]
    """(params, residual, ∂L/∂y) -> (∂L/∂params, ∂L/∂x); ∂L/∂x is None for an integer x, and
    where a learning rule has none"""
    about: About | None = None
    """the constructor and its arguments; a layer of your own may leave it out"""

    def __repr__(self) -> str:
        return described(self.about) if self.about else "Layer(init, forward, backward)"

    def __reduce__(self):
        return reduced(self)


@jax.tree_util.register_static
@dataclass(frozen=True)
class Static:
    """A fact of the trace (a width, a flag) that travels in a residual without being traced."""

    value: Any


def without_params(
    forward: Callable, backward: Callable, shape: Callable | None = None
) -> Layer:
    """A layer that learns nothing.

    Args:
      forward: (x, key) -> (y, residual).
      backward: (residual, y_bar) -> x_bar; not asked where a layer behind it has no y_bar.
      shape: feature shape -> feature shape; None if it stays.
    """
    sent_back = lambda residual, y_bar: None if y_bar is None else backward(residual, y_bar)
    return Layer(
        lambda key, s: ((), shape(s) if shape else s),
        lambda params, x, key=None: forward(x, key),
        lambda params, residual, y_bar: ((), sent_back(residual, y_bar)),
    )


@constructor
def serial(*layers: Layer) -> Layer:
    """One layer after another."""

    def init(key, shape):
        params = []
        for layer, k in zip(layers, jax.random.split(key, max(1, len(layers))), strict=False):
            p, shape = layer.init(k, shape)
            params.append(p)
        return tuple(params), shape

    def forward(params, x, key=None):
        residuals = []
        for i, (layer, p) in enumerate(zip(layers, params, strict=True)):
            x, residual = layer.forward(p, x, fold_in(key, i))
            residuals.append(residual)
        return x, tuple(residuals)

    def backward(params, residuals, y_bar):
        grads = []
        for layer, p, r in reversed(list(zip(layers, params, residuals, strict=True))):
            p_bar, y_bar = layer.backward(p, r, y_bar)
            grads.append(p_bar)
        return tuple(reversed(grads)), y_bar

    return Layer(init, forward, backward)


@constructor
def parallel(
    branches: Mapping[str, Layer], *, fuse: Literal["concatenate", "sum"] = "concatenate"
) -> Layer:
    """Named branches side by side, their outputs fused along the last axis or summed.

    `init` takes one feature shape that all branches share, or a dict with one per name;
    `forward` likewise takes one array for all, or a dict.  Params are a dict by name.

    Raises:
      ValueError: without branches; for another `fuse`; for a dict that lacks a name or has
        one too many; for outputs that cannot be fused.
    """
    names = tuple(branches)
    if not names:
        raise ValueError("parallel needs at least one branch")
    if fuse not in ("concatenate", "sum"):
        raise ValueError(f"fuse must be 'concatenate' or 'sum', got {fuse!r}")

    def by_name(x):
        if not isinstance(x, Mapping):
            return dict.fromkeys(names, x)
        if set(x) != set(names):
            raise ValueError(f"branches are {sorted(names)}, got inputs for {sorted(x)}")
        return x

    def init(key, shape):
        shapes, params, outs = by_name(shape), {}, []
        for name, k in zip(names, jax.random.split(key, len(names)), strict=True):
            params[name], out = branches[name].init(k, shapes[name])
            outs.append(out)
        return params, _fused_shape(dict(zip(names, outs, strict=True)), fuse)

    def forward(params, x, key=None):
        xs, ys, residuals = by_name(x), [], {}
        for i, name in enumerate(names):
            y, residuals[name] = branches[name].forward(params[name], xs[name], fold_in(key, i))
            ys.append(y)
        y = jnp.concatenate(ys, -1) if fuse == "concatenate" else sum(ys[1:], start=ys[0])
        facts = Static((isinstance(x, Mapping), tuple(y.shape[-1] for y in ys)))
        return y, (residuals, facts)

    def backward(params, residual, y_bar):
        residuals, facts = residual
        separate, widths = facts.value
        y_bars = [y_bar] * len(names)
        if fuse == "concatenate":
            y_bars = jnp.split(y_bar, np.cumsum(widths)[:-1], -1)
        grads, x_bars = {}, {}
        for name, part in zip(names, y_bars, strict=True):
            grads[name], x_bars[name] = branches[name].backward(
                params[name], residuals[name], part
            )
        return grads, x_bars if separate else _add(x_bars.values())

    return Layer(init, forward, backward)


@constructor
def residual(layer: Layer) -> Layer:
    """`x + layer(x)`: a skip connection around a layer that keeps the shape.

    Raises:
      ValueError: in `init`, if `layer` changes the feature shape.
    """

    def init(key, shape):
        params, out = layer.init(key, shape)
        if out != shape:
            raise ValueError(f"residual needs a layer that keeps {shape}, this one gives {out}")
        return params, shape

    def forward(params, x, key=None):
        y, kept = layer.forward(params, x, key)
        return x + y, kept

    def backward(params, kept, y_bar):
        grads, x_bar = layer.backward(params, kept, y_bar)
        return grads, y_bar + x_bar

    return Layer(init, forward, backward)


@constructor
def recomputed(layer: Layer) -> Layer:
    """`layer`, which keeps only its input and key: `backward` does `forward` again first.

    For less memory at the price of time.  The same numbers, as random ones come from the key.
    The residual is (x, key), so that nobody can read the spikes of the layer in it.

    Raises:
      ValueError: in `forward`, for a layer with a price on spikes or batch statistics, which
        others read in its residual.
    """

    def forward(params, x, key=None):
        y, kept = layer.forward(params, x, key)
        if nodes := read_later(kept):
            raise ValueError(
                f"recomputed() would lose the {nodes[0].read_later}, which is read later: put "
                "it around other layers"
            )
        return y, (x, key)

    def backward(params, kept, y_bar):
        # Not before ȳ is there, or XLA would see the same computation twice and do it once.
        (x, key), y_bar = jax.lax.optimization_barrier((kept, y_bar))
        return layer.backward(params, layer.forward(params, x, key)[1], y_bar)

    return Layer(layer.init, forward, backward)


def differentiable(layer: Layer) -> Callable[[Params, Any, Array | None], Array]:
    """`layer` as a function (params, x, key) -> y whose `jax.grad` is the hand-derived one.

    For use inside somebody else's JAX program.  Reverse mode only: `jax.jvp` of it raises.
    What has no gradient by hand, an image of bytes or the input of a learning rule, gets zeros.
    The slope of a price on spikes (`rate_penalty`) is in the gradient whatever becomes of y,
    and the price itself is not in y: leave it out, or add `penalties` of the residual.
    """

    @jax.custom_vjp
    def apply(params, x, key=None):
        return layer.forward(params, x, key)[0]

    def fwd(params, x, key):
        y, kept = layer.forward(params, x, key)
        return y, (params, kept)

    def bwd(saved, y_bar):
        params, kept = saved
        return *layer.backward(params, kept, y_bar), None  # a key has no gradient

    apply.defvjp(fwd, bwd)
    return apply


def require_pair(value: Any, function: str, meaning: str) -> tuple[Any, Any]:
    """Return the two things that a layer's function returned.

    Raises:
      ValueError: unless they are two, with the function and the meaning of both.
    """
    if type(value) is tuple and len(value) == 2:
        return value
    got = f"{len(value)} values" if type(value) is tuple else f"one {type(value).__name__}"
    raise ValueError(f"{function} must return the pair {meaning}, got {got}")


def read_later(kept: Any) -> list[Any]:
    """The nodes of a residual that are read after the forward pass: their types say so."""
    says_so = lambda node: hasattr(type(node), "read_later")
    return [n for n in jax.tree.leaves(kept, is_leaf=says_so) if says_so(n)]


def require_floats(x: Array, taker: str) -> None:
    """Check that x [...] is not of whole numbers.

    Raises:
      ValueError: if it is.
    """
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ValueError(f"{taker} takes floats, got {x.dtype}: standardise() first")


def to_unit(x: Array) -> Array:
    """uint8 pixels as floats in [0, 1]; floats as they are.

    Raises:
      ValueError: for another integer type, whose scale is unknown.
    """
    if x.dtype == jnp.uint8:
        return x.astype(jnp.result_type(float)) / 255
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"images are uint8 or float, got {x.dtype}")
    return x


def _fused_shape(shapes: dict[str, tuple[int, ...]], fuse: str) -> tuple[int, ...]:
    first = next(iter(shapes.values()))
    if fuse == "sum" and any(s != first for s in shapes.values()):
        raise ValueError(f"summed branches must give one shape, got {shapes}")
    if any(s[:-1] != first[:-1] for s in shapes.values()):
        raise ValueError(
            f"concatenated branches may differ in the last axis only, got {shapes}"
        )
    return first if fuse == "sum" else (*first[:-1], sum(s[-1] for s in shapes.values()))


def _add(x_bars):
    """The sum of what each branch sends back; an integer input has none."""
    parts = [x_bar for x_bar in x_bars if x_bar is not None]
    return sum(parts[1:], start=parts[0]) if parts else None
