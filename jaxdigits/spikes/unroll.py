"""One step of a neuron, and its adjoint, unrolled over time into a layer.

A neuron carries a state from step to step.  `step` makes one step of it, and `back` is the
same step's adjoint, derived by hand.  With x̄ = ∂L/∂x, for t = 1..T from rest:

    (stateₜ, zₜ) = step(stateₜ₋₁, iₜ)             for t = T..1, with a zero state beyond T:
                                                  (statēₜ₋₁, īₜ) = back(statēₜ, z̄ₜ)

A loss may look at the spikes or at the potential mₜ that ends a step, so `back` takes z̄ₜ and
m̄ₜ.  Spikes of the old potential are those of the new one, a step late:  sₜ = zₜ₋₁, z₀ = 0, so
z̄ₜ = s̄ₜ₊₁.

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

from jaxdigits.about import About, constructor, described, reduced
from jaxdigits.fast.scan import elementwise_scan
from jaxdigits.layer import Layer, Residual, Shape
from jaxdigits.spikes.constants import Constants
from jaxdigits.spikes.traces import Traces

State = Any  # a pytree: what a step leaves to the next, or the gradient of the loss in it
Kept = dict[str, Array]  # "v", the potential before reset, and further states by name
EMITS = ("spikes", "potential")
P = ParamSpec("P")


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
    step: Callable[[Constants, State, Array], tuple[State, Kept, Array]]
    """(constants, state, i) -> (state, kept, z) with z the spikes"""
    back: Callable[[Constants, Kept, State, Any, Any], tuple[State, Array, dict[str, Array]]]
    """(constants, kept, ∂L/∂state after, ∂L/∂z, ∂L/∂m)
    -> (∂L/∂state before, ∂L/∂i, ∂L/∂params of this step [..., n])"""
    fire: Callable[[Constants, Kept], Array]
    """(constants, kept) -> z, of one step or of all"""
    potential: Callable[[Constants, Kept], Array]
    """(constants, kept) -> m, the potential that ends the step, of one step or of all"""
    late: bool = False
    """whether spikes come out one step late"""
    after: Callable[[Constants, Kept], State] | None = None
    """(constants, kept) -> the state after that step, if what is kept tells: for speed"""
    fades: Literal["always", "silent", "never"] = "never"
    """when an error fades by the constant `decay` in each step: whatever the potential, while
    the neuron is silent, or never"""
    about: About | None = None

    def __repr__(self) -> str:
        return described(self.about) if self.about else "Neuron(init, constants, rest, ...)"

    def __reduce__(self):
        return reduced(self)


@constructor
def over_time(neuron: Neuron, *, emit: Literal["spikes", "potential"] = "spikes") -> Layer:
    """Neurons without weights between them: currents [T, ..., n] -> [T, ..., n].

    Args:
      neuron: the neuron.
      emit: "spikes"; or "potential", what each step ends with, for a loss on the membrane:
        the potential before reset where the reset waits for the next step, else after it.

    The residual is `Traces`; for neurons with further states, (`Traces`, states by name).

    Raises:
      ValueError: for another `emit`, or what is no neuron; in `forward`, for currents that
        are not floats.
    """
    require_neuron(neuron, "over_time")
    require_emit(emit)

    def init(key, shape):
        del key
        return neuron.init(shape), shape

    def forward(params, current, key=None):
        del key
        current = as_current(current)
        k = neuron.constants(params, current.dtype)

        def step(k, state, i_t):
            state, kept_t, _ = neuron.step(k, state, i_t)
            return state, kept_t

        start = neuron.rest(current[0])
        _, kept = elementwise_scan(step, k, start, current, carry_of=neuron.after)
        return emitted(neuron, k, kept, emit)

    def backward(params, residual, y_bar):
        k = neuron.constants(params, y_bar.dtype)
        zeros = jnp.zeros_like(y_bar[0])
        start = neuron.rest(zeros), dict.fromkeys(params, zeros)

        def step(k, carry, xs):
            (state_bar, grads), (kept_t, y_bar_t) = carry, xs
            z_bar_t, m_bar_t = received(y_bar_t, emit)
            state_bar, i_bar_t, grads_t = neuron.back(k, kept_t, state_bar, z_bar_t, m_bar_t)
            return (state_bar, added(grads, grads_t)), i_bar_t

        xs = kept_of(residual), in_time(neuron, y_bar, emit)
        (_, grads), i_bar = elementwise_scan(step, k, start, xs, reverse=True)
        return per_neuron(grads), i_bar

    return Layer(init, forward, backward)


def as_layer(make: Callable[P, Neuron]) -> Callable[P, Layer]:
    """The constructor of a neuron's layer over time, `lif` for `lif_neuron`, with its options.

    The layer takes currents [T, ..., n] and gives spikes [T, ..., n].
    """

    @wraps(make)
    def layer(*args: P.args, **options: P.kwargs) -> Layer:
        return over_time(make(*args, **options))

    layer.__name__ = layer.__qualname__ = make.__name__.removesuffix("_neuron")
    signature = inspect.signature(make).replace(return_annotation=Layer)
    vars(layer)["__signature__"] = signature
    return constructor(layer)


def require_neuron(neuron: Neuron, what: str) -> None:
    """Check that it is a `Neuron`, or raise a ValueError that says what takes one."""
    if not isinstance(neuron, Neuron):
        given = "a layer" if isinstance(neuron, Layer) else repr(neuron)
        raise ValueError(f"{what} takes a neuron, as lif_neuron(...), not {given}")


def as_current(current: ArrayLike) -> Array:
    """[T, ..., n] the currents as an array of JAX, so that their dtype is one of JAX, too.

    Raises:
      ValueError: unless they are floats: decays in integers would all be zero.
    """
    current = jnp.asarray(current)
    if not jnp.issubdtype(current.dtype, jnp.floating):
        raise ValueError(f"currents must be floats, got {current.dtype}")
    return current


def require_emit(emit: str) -> None:
    """Check that `emit` is one of `EMITS`, or raise a ValueError."""
    if emit not in EMITS:
        raise ValueError(f"emit must be 'spikes' or 'potential', got {emit!r}")


def emitted(neuron: Neuron, k: Constants, kept: Kept, emit: str) -> tuple[Array, Residual]:
    """(y, residual) from what all steps kept."""
    # Fired again from the potentials, rather than written by the scan: one array less to store.
    spikes = neuron.fire(k, kept)
    if neuron.late:
        spikes = jnp.concatenate([jnp.zeros_like(spikes[:1]), spikes[:-1]])
    states = {name: value for name, value in kept.items() if name != "v"}
    traces = Traces(kept["v"], spikes)
    y = spikes if emit == "spikes" else neuron.potential(k, kept)
    return y, (traces, states) if states else traces


def kept_of(residual: Residual) -> Kept:
    """What the steps kept, from the residual."""
    traces, states = (residual, {}) if isinstance(residual, Traces) else residual
    return {"v": traces.v, **states}


def in_time(neuron: Neuron, y_bar: Array, emit: str) -> Array:
    """∂L/∂y at the step whose potential made it."""
    if emit == "spikes" and neuron.late:
        return jnp.concatenate([y_bar[1:], jnp.zeros_like(y_bar[:1])])
    return y_bar


def received(y_bar_t: Array, emit: str) -> tuple[Any, Any]:
    """(z̄ₜ, m̄ₜ): the one that is put out has ȳₜ, the other nothing."""
    return (y_bar_t, 0.0) if emit == "spikes" else (0.0, y_bar_t)


def added(grads: dict[str, Array], grads_t: dict[str, Array]) -> dict[str, Array]:
    """The sum over steps goes on."""
    return {name: grads[name] + grads_t[name] for name in grads}


def per_neuron(grads: dict[str, Array]) -> dict[str, Array]:
    """[..., n] -> [n], the sum over all examples (and pixels)."""
    return {name: bar.sum(tuple(range(bar.ndim - 1))) for name, bar in grads.items()}
