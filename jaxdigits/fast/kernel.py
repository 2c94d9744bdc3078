"""A recurrence without weights as one kernel of a GPU.

On a GPU, a scan is a few launches for each step, which take longer than what they compute,
and its carry goes through the memory between them.  The kernel here [1] is one launch: every
thread takes one element through all T steps, with its carry in registers, and reads each xₜ
and writes each yₜ once.

A step is traced once and must be elementwise, which is read off its jaxpr; then it is
evaluated again on blocks of `BLOCK` elements, whatever their place in [..., n].

On an H200 a training step of a spiking network takes 1.3 to 1.5 times as long with a scan in
blocks (`experiments/accelerator.json`).  The kernel is for jax 0.10 and 0.11 only: a later
version will be without Pallas' Triton, and has scans.

[1] Tillet, Kung & Cox, MAPL 2019, doi:10.1145/3315508.3329973 (Triton), through Pallas.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

if TYPE_CHECKING:  # it imports Pallas
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

Tree = Any  # a pytree of arrays
BLOCK = 128  # elements of a program: one for each thread of four warps
AHEAD = 4  # steps whose inputs are read at once, so that the memory's delay is waited for once

# Without floor, ceil, round and integers: Triton divides to two units in the last place, by
# which a neuron that counts its spikes as ⌊v/θ⌋ would miss one.
ELEMENTWISE = {
    "abs", "add", "add_any", "and", "atan", "clamp", "convert_element_type", "div", "eq", "exp",
    "expm1", "ge", "gt", "integer_pow", "le", "log", "log1p", "logistic", "lt", "max", "min",
    "mul", "ne", "neg", "not", "or", "pow", "select_n", "sign", "sqrt", "square", "sub", "tanh",
}  # fmt: skip
SAME = {"broadcast_in_dim", "copy", "reshape", "squeeze", "stop_gradient"}
"""what changes nothing where all arrays are blocks"""


def has_kernels() -> bool:
    """Whether programs run on one GPU that Pallas' Triton compiles for.

    Not on several (nor under `jax.shard_map`), for the compiler divides a scan between
    devices, but no kernel; and not under `jax.default_device` of the CPU, by which a program
    exported for other machines has scans.
    """
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if getattr(chosen, "platform", chosen) == "cpu" or len(jax.devices()) > 1:
        return False
    # NVIDIA's is as "8.0", which is the least; AMD's, which nobody has tried, as "gfx90a".
    capability = str(getattr(jax.devices()[0], "compute_capability", ""))
    fits = re.fullmatch(r"\d+\.\d+", capability) is not None and float(capability) >= 8
    manual = jax.sharding.get_abstract_mesh().manual_axes
    # jax 0.11 announces that a later version will be without Triton.
    return fits and not manual and jax.__version_info__ < (0, 12)


class Step(NamedTuple):
    """One step of a recurrence, traced for elements [n]."""

    jaxpr: "ClosedJaxpr"
    """(*constants, *carry, *x) -> (*carry, *y)"""
    out: Any
    """the structure of (carry, y)"""


def step_of(f: Callable, constants: Tree, start: Tree, xs: Tree) -> Step | None:
    """`f` as one step for a kernel; None where it cannot be one."""
    steps, *shape = jnp.shape(jax.tree.leaves(xs)[0])
    shapes = [jnp.shape(x)[1:] for x in jax.tree.leaves(xs)]
    shapes += [jnp.shape(a) for a in jax.tree.leaves(start)]
    if not shape or not steps * math.prod(shape) or set(shapes) != {tuple(shape)}:
        return None
    element = lambda a: jax.ShapeDtypeStruct(shape[-1:], a.dtype)
    args = constants, jax.tree.map(element, start), jax.tree.map(element, xs)
    jaxpr, out = jax.make_jaxpr(f, return_shape=True)(*args)
    same = jax.tree.structure(out[0]) == jax.tree.structure(start)
    fits = same and is_elementwise(jaxpr.jaxpr, shape[-1]) and is_closed(jaxpr, shape[-1])
    return Step(jaxpr, jax.tree.structure(out)) if fits else None


def is_closed(jaxpr: "ClosedJaxpr", n: int) -> bool:
    """Whether a step maps numbers to numbers [n], and holds on to nothing that is traced.

    What it holds on to is no argument of the recurrence, and would have no derivative.
    """
    numbers: list[Any] = [*map(jax.typeof, jaxpr.consts), *jaxpr.in_avals, *jaxpr.out_avals]
    return (
        all(a.dtype == jnp.float32 for a in numbers)
        and all(a.shape == (n,) for a in jaxpr.out_avals)
        and not any(isinstance(c, Tracer) for c in jaxpr.consts)
    )


def is_elementwise(jaxpr: "Jaxpr", n: int) -> bool:
    """Whether each element of what comes out depends on that element of what goes in.

    All numbers are float32, the one float whose functions Triton has on every GPU.
    """
    atoms = [*jaxpr.constvars, *jaxpr.invars, *jaxpr.outvars]
    for eqn in jaxpr.eqns:
        atoms += [*eqn.invars, *eqn.outvars]
        inner = inner_jaxpr(eqn)
        if inner is None and eqn.primitive.name not in ELEMENTWISE | SAME:
            return False
        if inner is not None and (inner.consts or not is_elementwise(inner.jaxpr, n)):
            return False
    shapes, dtypes = ((), (1,), (n,)), (jnp.float32, jnp.bool)
    return all(v.aval.shape in shapes and v.aval.dtype in dtypes for v in atoms)


def inner_jaxpr(eqn: "JaxprEqn") -> "ClosedJaxpr | None":
    """What a call calls: a jitted function, or one with a derivative of its own."""
    name = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr"}.get(eqn.primitive.name)
    return eqn.params[name] if name else None


def on_blocks(jaxpr: "Jaxpr", args: Sequence[Array]) -> list[Array]:
    """The outputs of an elementwise jaxpr for blocks [BLOCK] of its constants and inputs."""
    from jax.extend.core import Literal

    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), args, strict=True))

    def read(atom: Any) -> Array:
        dtype = atom.aval.dtype
        return jnp.full(BLOCK, atom.val, dtype) if isinstance(atom, Literal) else values[atom]

    for eqn in jaxpr.eqns:
        arrays, inner = [read(atom) for atom in eqn.invars], inner_jaxpr(eqn)
        if inner is not None:
            arrays = on_blocks(inner.jaxpr, arrays)
        elif eqn.primitive.name not in SAME:
            arrays = [eqn.primitive.bind(*arrays, **eqn.params)]
        values.update(zip(eqn.outvars, arrays, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def by_kernel(step: Step, otherwise: Callable, *, reverse: bool) -> Callable:
    """A recurrence, as a function (constants, start, xs): the kernel's on CUDA, or another."""

    def kernel(constants, start, xs):
        return kernel_scan(step, constants, start, xs, reverse=reverse)

    # Under jit, arrays on the CPU of a machine with a GPU find the other.
    return jax.jit(
        lambda *args: jax.lax.platform_dependent(*args, cuda=kernel, default=otherwise)
    )


def kernel_scan(
    step: Step,
    constants: Tree,
    start: Tree,
    xs: Tree,
    *,
    reverse: bool = False,
    interpret: bool = False,
) -> tuple[Tree, Tree]:
    """`elementwise_scan` by one launch; `interpret` runs the same kernel where no GPU is."""
    # Here, since a program on a CPU need not wait for it, and a later jax has it no more.
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import triton

    steps, *shape = jax.tree.leaves(xs)[0].shape
    size = math.prod(shape)
    numbers = [jnp.ravel(k) for k in (*step.jaxpr.consts, *jax.tree.leaves(constants))]
    carries = [jnp.ravel(a) for a in jax.tree.leaves(start)]
    inputs = [jnp.reshape(x, (steps, size)) for x in jax.tree.leaves(xs)]
    array = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    ends = [array(size)] * len(carries)
    outputs = [array(steps, size)] * (step.out.num_leaves - len(ends))

    whole = lambda k: pl.BlockSpec(k.shape, lambda i: (0,))
    part = lambda a: pl.BlockSpec((*a.shape[:-1], BLOCK), lambda i: (0, i)[-len(a.shape) :])
    out = pl.pallas_call(
        make_kernel(step.jaxpr.jaxpr, steps, size, reverse),
        grid=(pl.cdiv(size, BLOCK),),
        in_specs=([*map(whole, numbers)], [*map(part, carries)], [*map(part, inputs)]),
        out_specs=([*map(part, ends)], [*map(part, outputs)]),
        out_shape=(ends, outputs),
        compiler_params=triton.CompilerParams(num_warps=BLOCK // 32),
        interpret=interpret,
        name="elementwise_scan",
    )(numbers, carries, inputs)
    return step.out.unflatten([a.reshape(*a.shape[:-1], *shape) for a in (*out[0], *out[1])])


def make_kernel(jaxpr: "Jaxpr", steps: int, size: int, reverse: bool) -> Callable:
    """The program of one block: it writes the ends and outputs of `BLOCK` recurrences."""
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import triton

    def kernel(numbers, starts, inputs, ends, outputs):
        element = pl.program_id(0) * BLOCK + jax.lax.iota(jnp.int32, BLOCK)
        read = lambda ref: triton.load(ref, mask=element < size, other=0.0)
        write = lambda ref, value: triton.store(ref, value, mask=element < size)
        # [n] is the last axis, so that its index is the rest of the flat one.
        k = [number[jax.lax.rem(element, jnp.int32(number.shape[0]))] for number in numbers]

        def advance(first, count, carry):
            ts = [steps - 1 - first - j if reverse else first + j for j in range(count)]
            for t, x_t in [(t, [read(x.at[t]) for x in inputs]) for t in ts]:
                out = on_blocks(jaxpr, [*k, *carry, *x_t])
                carry, ys_t = out[: len(starts)], out[len(starts) :]
                jax.tree.map(lambda ref, y_t: write(ref.at[t], y_t), outputs, ys_t)
            return carry

        many, loop = steps // AHEAD, jax.lax.fori_loop
        carry = [read(ref) for ref in starts]
        carry = loop(0, many, lambda i, c: advance(AHEAD * i, AHEAD, c), carry)
        carry = loop(AHEAD * many, steps, lambda t, c: advance(t, 1, c), carry)
        jax.tree.map(write, ends, carry)

    return kernel
