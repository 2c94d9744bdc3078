"""The matrix products of a step, alone: the floor under its time.

A layer of N rows, y = x W with W [m, n], takes part in a training step with

    forward            y = x W         2 N m n floating-point operations
    weight gradient    W̄ = xᵀ ȳ        as many
    input gradient     x̄ = ȳ Wᵀ        as many; the first layer of a network has none

and a k × k convolution without padding, from C to O channels, of N images that come out as
H' × W', with 2 N H' W' k² C O operations for each of the three.  Additions of a bias, neurons,
pooling, the loss and the optimizer count nothing.

The floor does each of these products once, in the order of the step, as one compiled program
on arrays of the step's shapes.  Where a product can be written in several ways, the one that
is fastest on this machine counts: xᵀ ȳ or (ȳᵀ x)ᵀ, a single row times W whole or in pieces, a
convolution's input gradient as a product with a band matrix, and all of them for the whole
batch or for parts of it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.fast.convolutions import IMAGES, NARROW, PIECE, band_matrix
from jaxdigits.fast.products import multiply

TRIALS = 5  # of each way to write a product; the fastest one counts


class Product(NamedTuple):
    """One matrix product or convolution of two arrays."""

    name: str
    flops: int
    """floating-point operations: two for each multiplication"""
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    """of the two arrays"""
    forms: tuple[Callable[[Array, Array], Array], ...]
    """ways to write it"""


def dense_products(
    rows: int,
    m: int,
    n: int,
    *,
    forward: bool = True,
    to_weight: bool = True,
    to_input: bool = True,
    members: int | None = None,
) -> tuple[Product, ...]:
    """The products of a dense layer from m to n features.

    Args:
      rows: of all leading axes together, as batch × steps.
      forward, to_weight, to_input: which of the three.
      members: networks with a product each, in one batched product.
    """
    flops, lead = 2 * rows * m * n * (members or 1), (members,) if members else ()
    x, w, y = (*lead, rows, m), (*lead, m, n), (*lead, rows, n)
    t = lambda a: a.swapaxes(-1, -2)
    size = f"{m}→{n}" + (f" × {members}" if members else "")
    in_pieces = lambda x, w: multiply(x, w, x.dtype)
    forward_forms = (lambda x, w: x @ w, in_pieces)[: 2 if rows == 1 and not members else 1]
    by_weight = (lambda x, g: t(x) @ g, lambda x, g: t(t(g) @ x))
    found = {
        "forward": (forward, (x, w), forward_forms),
        "weight": (to_weight, (x, y), by_weight),
        "input": (to_input, (y, w), (lambda g, w: g @ t(w),)),
    }
    return tuple(
        Product(f"{kind} {size}", flops, shapes, forms)
        for kind, (wanted, shapes, forms) in found.items()
        if wanted
    )


def conv_products(
    images: int, size: int, c: int, channels: int, kernel: int, *, to_input: bool = True
) -> tuple[Product, ...]:
    """The products of a convolution without padding over [images, size, size, c].

    Raises:
      ValueError: unless the kernel fits into the image.
    """
    if kernel > size:
        raise ValueError(f"a kernel of {kernel} does not fit into {size} × {size}")
    out = size - kernel + 1
    flops = 2 * images * out**2 * kernel**2 * c * channels
    x, w = (images, size, size, c), (kernel, kernel, c, channels)
    y = (images, out, out, channels)

    def convolve(x, w):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=IMAGES)

    def by_weight(x, g):
        like = jax.ShapeDtypeStruct(w, x.dtype)
        return jax.linear_transpose(lambda w: convolve(x, w), like)(g)[0]

    def by_weight_transposed(x, g):
        product = convolve(x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3))
        return product.transpose(1, 2, 0, 3)

    def by_input(g, w):
        like = jax.ShapeDtypeStruct(x, g.dtype)
        return jax.linear_transpose(lambda x: convolve(x, w), like)(g)[0]

    def by_bands(g, w):
        return g.reshape(-1, PIECE * channels) @ band_matrix(w).T

    name = f"{kernel}×{kernel} {c}→{channels}"
    found = [
        Product(f"forward {name}", flops, (x, w), (convolve,)),
        Product(f"weight {name}", flops, (x, y), (by_weight, by_weight_transposed)),
    ]
    if to_input:
        forms = (by_input, by_bands) if c < NARROW and out % PIECE == 0 else (by_input,)
        found.append(Product(f"input {name}", flops, (y, w), forms))
    return tuple(found)


def in_order(layers: Sequence[Sequence[Product]]) -> tuple[Product, ...]:
    """The products of layers, first layer first, as a step does them: forward, then back."""
    forward = [p for layer in layers for p in layer if p.name.startswith("forward")]
    back = [p for layer in reversed(layers) for p in layer if not p.name.startswith("forward")]
    return *forward, *back


def floor(products: Sequence[Product], *, repeat: int = 1) -> Callable[[], None]:
    """A function that does the products, one after another, and waits for them.

    Args:
      products: in order.
      repeat: how often to do all of them in a call.
    """
    keys = jax.random.split(jax.random.key(0), 2 * len(products))
    pairs = zip(keys[::2], keys[1::2], strict=True)
    operands = [
        tuple(jax.random.normal(k, shape) for k, shape in zip(pair, p.shapes, strict=True))
        for pair, p in zip(pairs, products, strict=True)
    ]
    forms = [_fastest(p, arrays) for p, arrays in zip(products, operands, strict=True)]

    def chain(operands, outputs):
        del outputs  # the last call's, whose memory is used again
        done: list[Array] = []
        for form, arrays in zip(forms, operands, strict=True):
            arrays, _ = jax.lax.optimization_barrier((arrays, done[-1:]))  # not before the last
            done.append(form(*arrays))
        return done

    shapes = jax.eval_shape(chain, operands, None)
    outputs = [jnp.zeros(s.shape, s.dtype) for s in shapes]
    program = jax.jit(chain, donate_argnums=1, keep_unused=True)
    program = program.lower(operands, outputs).compile()

    def run() -> None:
        nonlocal outputs
        for _ in range(repeat):
            outputs = program(operands, outputs)
        jax.block_until_ready(outputs)

    return run


def quickest(floors: Mapping[int, Callable[[], None]]) -> int:
    """The key of the floor that takes the least time here."""
    return min(floors, key=lambda parts: _least(floors[parts]))


def _fastest(product: Product, arrays: tuple[Array, ...]) -> Callable[[Array, Array], Array]:
    """The way to write a product that takes the least time here."""
    if len(product.forms) == 1:
        return product.forms[0]

    def least(form):
        program = jax.jit(form)
        return _least(lambda: jax.block_until_ready(program(*arrays)))

    return min(product.forms, key=least)


def _least(step: Callable[[], Any]) -> float:
    """Seconds of the fastest of `TRIALS` calls, after one that compiles."""
    step()
    times = []
    for _ in range(TRIALS):
        clock = time.perf_counter()
        step()
        times.append(time.perf_counter() - clock)
    return min(times)
