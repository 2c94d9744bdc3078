"""One step of a neuron, and its adjoint, unrolled over time into a layer.

A neuron carries a state from step to step.  `step` makes one step of it, and `back` is the
same step's adjoint, derived by hand.  With x̄ = ∂L/∂x, for t = 1..T from rest:

    (stateₜ, zₜ) = step(stateₜ₋₁, iₜ)             for t = T..1, with a zero state beyond T:
                                                  (statēₜ₋₁, īₜ) = back(statēₜ, z̄ₜ)

A loss may look at the spikes or at the potential mₜ that ends a step, so `back` takes z̄ₜ and
m̄ₜ.  Spikes of the old potential are the spikes of the new one, a step late:  sₜ = zₜ₋₁, z₀ = 0,
so z̄ₜ = s̄ₜ₊₁.

The same pair of one-step functions makes a feed-forward layer (`over_time`) and a recurrent
one (`jaxdigits.spikes.recurrent`).
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdigits.about import About, constructor, describe, reduce_thing
from jaxdigits.fast.scan import elementwise_scan
from jaxdigits.layer import Layer, Residual, Shape, nodes_of
from jaxdigits.options import require_name
from jaxdigits.spikes.constants import Constants

State = Any  # a pytree that a step passes to the next, or the gradient of the loss in it
Trace = dict[str, Array]  # "v", the potential before reset, and further states by name
EMITS = ("spikes", "potential")
P = ParamSpec("P")


class Traces(NamedTuple):
    """The residual of spiking neurons: their potentials and spikes."""

    v: Array
    """[T, ..., n] membrane potential before reset"""
    spikes: Array
    """[T, ..., n] 0 or 1, or a number of spikes"""


class Neuron(NamedTuple):
    """One step of a neuron without weights, forwards and backwards.

    The arrays of one step are [..., n], those of all steps [T, ..., n].
    """

    init: Callable[[Shape], dict[str, Array]]
    """feature shape -> params by name [n]"""
    constants: Callable[[Any, Any], Constants]
    """(params, dtype) -> constants by name"""
    rest: Callable[[Array], State]
    """a current of one step -> the state before the first"""
    step: Callable[[Constants, State, Array], tuple[State, Trace, Array]]
    """(constants, state, i) -> (state, trace, z) with z the spikes"""
    back: Callable[[Constants, Trace, State, Any, Any], tuple[State, Array, dict[str, Array]]]
    """(constants, trace, ∂L/∂state after, ∂L/∂z, ∂L/∂m)
    -> (∂L/∂state before, ∂L/∂i, ∂L/∂params of this step [..., n])"""
    fire: Callable[[Constants, Trace], Array]
    """(constants, trace) -> z, of one step or of all"""
    potential: Callable[[Constants, Trace], Array]
    """(constants, trace) -> m, the potential that ends the step, of one step or of all"""
    late: bool = False
    """whether spikes come out one step late"""
    after: Callable[[Constants, Trace], State] | None = None
    """(constants, trace) -> the state after that step, if the trace determines it: for speed"""
    fades: Literal["always", "silent", "never"] = "never"
    """when an error fades by the constant `decay` in each step: whatever the potential, while
    the neuron is silent, or never"""
    about: About | None = None

    def __repr__(self) -> str:
        return describe(self.about) if self.about else "Neuron(init, constants, rest, ...)"

    def __reduce__(self):
        return reduce_thing(self)


@constructor
def over_time(neuron: Neuron, *, emit: Literal["spikes", "potential"] = "spikes") -> Layer:
    """Neurons without weights between them: currents [T, ..., n] -> [T, ..., n].

    Args:
      neuron: the neuron.
      emit: "spikes"; or "potential", which ends each step, for a loss on the membrane: before
        reset where the reset waits for the next step, else after it.

    The residual is `Traces`; for neurons with further states, (`Traces`, states by name).

    Raises:
      ValueError: for another `emit`, or a `neuron` that is none; in `forward`, for currents
        that are not floats.
    """
    require_neuron(neuron, "over_time")
    require_name("emit", EMITS, emit)

    def forward(params, current, key=None):
        current = as_current(current)
        k = neuron.constants(params, current.dtype)

        def step(k, state, i_t):
            state, trace_t, _ = neuron.step(k, state, i_t)
            return state, trace_t

        start = neuron.rest(current[0])
        _, trace = elementwise_scan(step, k, start, current, carry_of=neuron.after)
        return output_of(neuron, k, trace, emit)

    def backward(params, residual, y_bar):
        k = neuron.constants(params, y_bar.dtype)
        zeros = jnp.zeros_like(y_bar[0])
        start = neuron.rest(zeros), dict.fromkeys(params, zeros)

        def step(k, carry, xs):
            (state_bar, grads), (trace_t, y_bar_t) = carry, xs
            bars = slopes_of(y_bar_t, emit)
            state_bar, i_bar_t, grads_t = neuron.back(k, trace_t, state_bar, *bars)
            return (state_bar, add_grads(grads, grads_t)), i_bar_t

        xs = trace_of(residual), shift_slopes(neuron, y_bar, emit)
        (_, grads), i_bar = elementwise_scan(step, k, start, xs, reverse=True)
        return sum_grads(grads), i_bar

    return Layer(lambda key, shape: (neuron.init(shape), shape), forward, backward)


def as_layer(make: Callable[P, Neuron]) -> Callable[P, Layer]:
    """Return the constructor of a neuron's layer over time, as `lif` for `lif_neuron`.

    It takes the same options; the layer has currents [T, ..., n] -> spikes [T, ..., n].
    """

    @wraps(make)
    def layer(*args: P.args, **options: P.kwargs) -> Layer:
        return over_time(make(*args, **options))

    layer.__name__ = layer.__qualname__ = make.__name__.removesuffix("_neuron")
    signature = inspect.signature(make).replace(return_annotation=Layer)
    vars(layer)["__signature__"] = signature
    return constructor(layer)


def traces(residual: Residual) -> list[Traces]:
    """Return the traces of every spiking layer in a network's residual, first layer first."""
    return nodes_of(residual, lambda node: isinstance(node, Traces))


def firing_rates(residual: Residual) -> Array:
    """Return the mean number of spikes per neuron and step [layers] of every spiking layer."""
    return jnp.array([t.spikes.mean() for t in traces(residual)])


def require_neuron(neuron: Neuron, layer: str) -> None:
    """Check that `neuron` is a `Neuron`, or raise a ValueError."""
    if not isinstance(neuron, Neuron):
        value = "a layer" if isinstance(neuron, Layer) else repr(neuron)
        raise ValueError(f"{layer} takes a neuron, as lif_neuron(...), not {value}")


def as_current(current: ArrayLike) -> Array:
    """Return currents [T, ..., n] as an array of JAX, with a dtype of JAX.

    Raises:
      ValueError: unless they are floats: decays in integers would all be zero.
    """
    current = jnp.asarray(current)
    if not jnp.issubdtype(current.dtype, jnp.floating):
        raise ValueError(f"currents must be floats, got {current.dtype}")
    return current


def output_of(neuron: Neuron, k: Constants, trace: Trace, emit: str) -> tuple[Array, Residual]:
    """Return (y, residual) from the trace of all steps."""
    # Fired again from the potentials, rather than written by the scan: one array less to store.
    spikes = neuron.fire(k, trace)
    if neuron.late:
        spikes = jnp.concatenate([jnp.zeros_like(spikes[:1]), spikes[:-1]])
    states = {name: value for name, value in trace.items() if name != "v"}
    traces = Traces(trace["v"], spikes)
    y = spikes if emit == "spikes" else neuron.potential(k, trace)
    return y, (traces, states) if states else traces


def trace_of(residual: Residual) -> Trace:
    """Return the trace of all steps from the residual of `output_of`."""
    traces, states = (residual, {}) if isinstance(residual, Traces) else residual
    return {"v": traces.v, **states}


def shift_slopes(neuron: Neuron, y_bar: Array, emit: str) -> Array:
    """Return ∂L/∂y [T, ..., n], each at the step whose potential made it."""
    if emit == "spikes" and neuron.late:
        return jnp.concatenate([y_bar[1:], jnp.zeros_like(y_bar[:1])])
    return y_bar


def slopes_of(y_bar_t: Array, emit: str) -> tuple[Any, Any]:
    """Return (z̄ₜ, m̄ₜ): ȳₜ for the output, and 0 for the other."""
    return (y_bar_t, 0.0) if emit == "spikes" else (0.0, y_bar_t)


def add_grads(grads: dict[str, Array], grads_t: dict[str, Array]) -> dict[str, Array]:
    """Add one step's gradients to the running sum."""
    return {name: grads[name] + grads_t[name] for name in grads}


def sum_grads(grads: dict[str, Array]) -> dict[str, Array]:
    """Sum gradients [..., n] over all examples (and pixels) -> [n]."""
    return {name: bar.sum(tuple(range(bar.ndim - 1))) for name, bar in grads.items()}
