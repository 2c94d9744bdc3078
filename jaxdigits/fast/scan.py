"""Recurrences without weights: a loop that works in place on a CPU, one kernel on a GPU.

A neuron without weights never looks at another one, so that each element of [..., n] has a
recurrence of its own, for t = 1..T (or T..1):

    (carryₜ, yₜ) = f(constants, carryₜ₋₁, xₜ)

`jax.lax.scan` of it has the same result as the loop (`jaxdigits.fast.in_place`) and the kernel
(`jaxdigits.fast.kernel`), which are there for their speed.  What they cannot do is a scan,
and static facts alone decide: the device, the dtype, the shapes and the jaxpr of f, beside
`jaxdigits.fast.switch`.
Derivatives are always those of the scan.

A GPU takes about as long to start a kernel as to compute a step of a scan.  Without the
kernel, its scan unrolls blocks of 10 steps, which XLA fuses.  On an H200 a training
step of a spiking network of 25 steps took 1.93 ms step by step, 0.51 in blocks of 10, 0.60 in
one block, and 0.33 with the kernel (`experiments/accelerator.json`).
"""

from collections.abc import Callable

import jax

from jaxdigits.fast.in_place import CarryOf, Tree, in_place, in_place_scan
from jaxdigits.fast.kernel import by_kernel, has_kernels, step_of
from jaxdigits.fast.switch import platform, uses

UNROLL = {"gpu": 10}  # steps of a block by platform; elsewhere 1


def elementwise_scan(
    f: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]],
    constants: Tree,
    start: Tree,
    xs: Tree,
    *,
    reverse: bool = False,
    carry_of: CarryOf | None = None,
) -> tuple[Tree, Tree]:
    """The end and the outputs of a recurrence: start [..., n], xs [T, ..., n] -> (end, ys).

    Args:
      f: (constants, carry, x of a step) -> (carry, y of the step), elementwise: it may be
        called with arrays [..., n] of any leading axes.
      constants: pytree of numbers, or of one per neuron [n].
      start: pytree of [..., n], the carry before the first step.
      xs: pytree of [T, ..., n].
      reverse: whether the steps are taken from the last to the first.
      carry_of: (constants, y of a step) -> carry after it, if y tells.  Where the carry is
        among what f puts out, as it is, this is found without.

    Returns:
      end: the carry after all steps, and ys: pytree of [T, ..., n], in the order of xs.
    """

    unroll = UNROLL.get(platform(), 1)

    def scan(constants, start, xs):
        step = lambda c, x: f(constants, c, x)
        return jax.lax.scan(step, start, xs, reverse=reverse, unroll=unroll)

    if len({len(x) for x in jax.tree.leaves(xs)}) > 1:
        return scan(constants, start, xs)  # which refuses them
    kernels = uses("kernel") and has_kernels()
    step = step_of(f, constants, start, xs) if kernels else None
    loops = uses("in place") and platform() == "cpu"
    origin = in_place(f, carry_of, constants, start, xs) if loops else None
    if step is None and origin is None:
        return scan(constants, start, xs)

    def loop(constants, start, xs):
        if origin is None:
            return scan(constants, start, xs)
        return in_place_scan(f, origin, constants, start, xs, reverse=reverse)

    run = loop if step is None else by_kernel(step, loop, reverse=reverse)
    run = jax.custom_jvp(run)
    run.defjvp(lambda primals, tangents: jax.jvp(scan, primals, tangents))
    return run(constants, start, xs)
