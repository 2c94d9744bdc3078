"""The one idea of this library: a layer is three pure functions, and a network is a layer.

`forward` is ordinary JAX, so `jax.grad`, `jax.jvp`, `jax.vmap` and `jax.jit` see all of it.
`backward` is the same layer's gradient derived by hand; it never calls autodiff.  The two
are independent, so each checks the other.

The combinators here are the chain rule.  With x̄ = ∂L/∂x:

    serial      y = fₙ(…f₁(x))      x̄ₖ = backwardₖ(x̄ₖ₊₁), last layer first
    parallel    y = [f(x), g(x)]    each branch takes its own slice of ȳ; the branches'
                y = f(x) + g(x)     slopes in a shared input add up
    residual    y = x + f(x)        x̄ = ȳ + backward(ȳ)
    recomputed  y = f(x)            x̄ = backward(ȳ), with the residual of a second f(x)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.about import About, constructor, describe, reduce_thing
from jaxdigits.keys import fold_in
from jaxdigits.options import require_name

Params = Any  # a pytree of arrays
Residual = Any  # a pytree: the values of `forward` that `backward` needs, or a person looks at
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
        return describe(self.about) if self.about else "Layer(init, forward, backward)"

    def __reduce__(self):
        return reduce_thing(self)

    def __copy__(self) -> "Layer":
        return self  # nothing in it can change, and a user's own layer cannot be rebuilt

    def __deepcopy__(self, memo: dict[int, Any]) -> "Layer":
        return self


@jax.tree_util.register_static
@dataclass(frozen=True)
class Static:
    """A fact (a width, a flag) that travels in a residual without being traced."""

    value: Any


def spread(a: Array, like: Any) -> Array:
    """Return a [..., C] with leading axes of one, as many axes as `like`; a number stays."""
    return jnp.expand_dims(a, range(max(0, jnp.ndim(like) - jnp.ndim(a)))) if jnp.ndim(a) else a


def without_params(
    forward: Callable, backward: Callable, shape: Callable | None = None
) -> Layer:
    """A layer that learns nothing.

    Args:
      forward: (x, key) -> (y, residual).
      backward: (residual, y_bar) -> x_bar; not called where a layer behind it has no y_bar.
      shape: feature shape -> feature shape; None if it stays.
    """
    x_bar = lambda residual, y_bar: None if y_bar is None else backward(residual, y_bar)
    return Layer(
        lambda key, s: ((), shape(s) if shape else s),
        lambda params, x, key=None: forward(x, key),
        lambda params, residual, y_bar: ((), x_bar(residual, y_bar)),
    )


@constructor
def serial(*layers: Layer) -> Layer:
    """Layers in a row, each on the output of the one before.

    Raises:
      ValueError: for one that is no layer, such as a constructor that is not called.
    """
    for layer in layers:
        if not isinstance(layer, Layer):
            name = getattr(layer, "__name__", repr(layer))
            raise ValueError(f"serial takes layers, got {name}: call a constructor, as relu()")

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

    `init` takes one feature shape for all branches, or a dict by name; `forward` takes one
    array, or a dict.  Params are a dict by name.

    Raises:
      ValueError: without branches; for another `fuse`; for a dict that lacks a name or has
        one too many; for outputs that cannot be fused.
    """
    names = tuple(branches)
    if not names:
        raise ValueError("parallel needs at least one branch")
    require_name("fuse", ("concatenate", "sum"), fuse)

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
        for name, bar in zip(names, y_bars, strict=True):
            inner = params[name], residuals[name]
            grads[name], x_bars[name] = branches[name].backward(*inner, bar)
        return grads, x_bars if separate else _add(x_bars.values())

    return Layer(init, forward, backward)


@constructor
def residual(layer: Layer) -> Layer:
    """A skip connection around a layer that keeps the shape: `x + layer(x)`.

    Raises:
      ValueError: in `init`, if `layer` changes the feature shape.
    """

    def init(key, shape):
        params, out = layer.init(key, shape)
        if out != shape:
            raise ValueError(f"residual needs a layer that keeps {shape}, this one gives {out}")
        return params, shape

    def forward(params, x, key=None):
        y, inner = layer.forward(params, x, key)
        return x + y, inner

    def backward(params, inner, y_bar):
        grads, x_bar = layer.backward(params, inner, y_bar)
        return grads, y_bar + x_bar

    return Layer(init, forward, backward)


@constructor
def recomputed(layer: Layer) -> Layer:
    """`layer` with the residual (x, key): `backward` repeats `forward` first.

    It saves memory at the price of time.  The numbers are the same, as random ones come from
    the key.  The spikes of the layer are in no residual.

    Raises:
      ValueError: in `forward`, for a layer with a price on spikes or batch statistics, which
        others read in its residual.
    """

    def forward(params, x, key=None):
        y, inner = layer.forward(params, x, key)
        if nodes := messages(inner):
            remedy = "put it around other layers"
            raise ValueError(f"recomputed() would lose the {nodes[0].message}: {remedy}")
        return y, (x, key)

    def backward(params, inputs, y_bar):
        # Not before ȳ is there, or XLA would see the same computation twice and do it once.
        (x, key), y_bar = jax.lax.optimization_barrier((inputs, y_bar))
        return layer.backward(params, layer.forward(params, x, key)[1], y_bar)

    return Layer(layer.init, forward, backward)


def differentiable(layer: Layer) -> Callable[[Params, Any, Array | None], Array]:
    """Return `layer` as a function (params, x, key) -> y with the gradient by hand.

    It is for other JAX programs.  `jax.jvp` of it raises; `jax.hessian` works.  Inputs without
    a gradient by hand (bytes, the input of a learning rule) get zeros.  The slope of a price
    on spikes (`rate_penalty`) is always in the gradient, and the price itself is not in y:
    leave it out, or add `penalties` of the residual.
    """

    @jax.custom_vjp
    def apply(params, x, key=None):
        return layer.forward(params, x, key)[0]

    def fwd(params, x, key):
        y, inner = layer.forward(params, x, key)
        return y, (params, inner)

    def bwd(residual, y_bar):
        params, inner = residual
        return *layer.backward(params, inner, y_bar), None  # a key has no gradient

    apply.defvjp(fwd, bwd)
    return apply


def nodes_of(residual: Residual, is_node: Callable[[Any], bool]) -> list[Any]:
    """Return the nodes of one kind in a network's residual, first layer first."""
    return [n for n in jax.tree.leaves(residual, is_leaf=is_node) if is_node(n)]


def messages(residual: Residual) -> list[Any]:
    """Return the nodes of a residual that others than `backward` read: their types say so."""
    return nodes_of(residual, lambda node: hasattr(type(node), "message"))


def to_unit(x: Array) -> Array:
    """Return uint8 pixels as floats in [0, 1], and floats as they are.

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
        raise ValueError(f"concatenated branches may differ in the last axis only: {shapes}")
    return first if fuse == "sum" else (*first[:-1], sum(s[-1] for s in shapes.values()))


def _add(x_bars):
    """Return the sum of the branches' slopes; an integer input has none."""
    slopes = [x_bar for x_bar in x_bars if x_bar is not None]
    return sum(slopes[1:], start=slopes[0]) if slopes else None
