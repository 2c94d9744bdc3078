"""The floor of a step's time: its matrix products alone.

A layer of N rows, y = x W with W [m, n], takes part in a training step with

    forward            y = x W         2 N m n floating-point operations
    weight gradient    W̄ = xᵀ ȳ        the same number
    input gradient     x̄ = ȳ Wᵀ        the same number; none for the first layer

and a k × k convolution without padding, from C to O channels, of N images, with
2 N H' W' k² C O operations for each of the three, where the output is H' × W'.

The floor does each product once, in the order of the step, as one compiled program on arrays of
the step's shapes, each in the form that is fastest on this machine: xᵀ ȳ or (ȳᵀ x)ᵀ, a single
row times W whole or in pieces, an input gradient by a band matrix.
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
    """One matrix product or convolution of two arrays, in all its forms."""

    name: str
    flops: int
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    forms: tuple[Callable[[Array, Array], Array], ...]


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
    """Return the products of a dense layer from m to n features.

    Args:
      rows: of all leading axes together, as batch × steps.
      members: number of networks in one batched product.
    """
    flops, lead = 2 * rows * m * n * (members or 1), (members,) if members else ()
    x, w, y = (*lead, rows, m), (*lead, m, n), (*lead, rows, n)
    t = lambda a: a.swapaxes(-1, -2)
    size = f"{m}→{n}" + (f" × {members}" if members else "")
    in_pieces = lambda x, w: multiply(x, w, x.dtype)
    forward_forms = (lambda x, w: x @ w, in_pieces)[: 2 if rows == 1 and not members else 1]
    by_weight = (lambda x, g: t(x) @ g, lambda x, g: t(t(g) @ x))
    products = {
        Product(f"forward {size}", flops, (x, w), forward_forms): forward,
        Product(f"weight {size}", flops, (x, y), by_weight): to_weight,
        Product(f"input {size}", flops, (y, w), (lambda g, w: g @ t(w),)): to_input,
    }
    return tuple(product for product, included in products.items() if included)


def conv_products(
    images: int, size: int, c: int, channels: int, kernel: int, *, to_input: bool = True
) -> tuple[Product, ...]:
    """Return the products of a convolution without padding over [images, size, size, c]."""
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
    forms = (by_input, by_bands) if c < NARROW and out % PIECE == 0 else (by_input,)
    return (
        Product(f"forward {name}", flops, (x, w), (convolve,)),
        Product(f"weight {name}", flops, (x, y), (by_weight, by_weight_transposed)),
        Product(f"input {name}", flops, (y, w), forms),
    )[: 3 if to_input else 2]


def in_order(layers: Sequence[Sequence[Product]]) -> tuple[Product, ...]:
    """Return the products of layers in the order of a step: forward, then back."""
    forward = [p for layer in layers for p in layer if p.name.startswith("forward")]
    back = [p for layer in reversed(layers) for p in layer if not p.name.startswith("forward")]
    return *forward, *back


def floor(products: Sequence[Product], *, repeat: int = 1) -> Callable[[], None]:
    """Return a function that does the products in order, `repeat` times, and waits."""
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
    """Return the key of the floor that takes the least time here."""
    return min(floors, key=lambda parts: _least(floors[parts]))


def _fastest(product: Product, arrays: tuple[Array, ...]) -> Callable[[Array, Array], Array]:
    """Return the form of a product that takes the least time here."""
    if len(product.forms) == 1:
        return product.forms[0]
    programs = {jax.jit(form): form for form in product.forms}
    run = lambda program: lambda: jax.block_until_ready(program(*arrays))
    return programs[min(programs, key=lambda program: _least(run(program)))]


def _least(step: Callable[[], Any]) -> float:
    """Return the seconds of the fastest of `TRIALS` calls, after one that compiles."""
    step()
    times = []
    for _ in range(TRIALS):
        clock = time.perf_counter()
        step()
        times.append(time.perf_counter() - clock)
    return min(times)
