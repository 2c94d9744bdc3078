"""The LIF neurons of known libraries, under their own names and arguments.

Each function has the arguments of the library's class and returns the options of `lif` (or
`lif_neuron`) for the same neuron: the same spikes, the same potentials, the same gradient.
`lif(**snntorch_leaky(beta=0.9))` is a layer.

    library         input gain    fires    reset takes effect    its gradient
    snnTorch        1             above    next step             held
    Spyx            1             above    next step             differentiated
    SpikingJelly    1 − β or 1    at       same step             differentiated, or detached
    Norse           1 − β         above    same step             differentiated
    sinabs          1 − β or 1    at       same step             differentiated; to zero: held
    NIR             r (1 − β)     above    same step             (NIR has no gradient)

Spyx puts a spike out one step after the potential that made it, and sinabs several in a step.

Potentials are counted from the resting potential.  Where a library's neuron rests elsewhere
than at 0, the threshold, the reset and the traces are shifted by that.

Checked against traces of the released libraries: snnTorch 1.0.0, SpikingJelly 2.0.0, Norse
1.1.0, sinabs 3.1.3 and Spyx 1.0.0.  NIR is a format: checked against its equation.

[1] Pedersen et al., Nat. Commun. 15, 8122, 2024, arXiv:2311.14641 (NIR).
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, TypedDict

import numpy as np
from jax.typing import ArrayLike

from jaxdigits.case import Case
from jaxdigits.options import require_name
from jaxdigits.spikes import surrogates as su
from jaxdigits.spikes.convention import Convention, Numbers, euler_decay, exact_decay
from jaxdigits.spikes.lif import lif
from jaxdigits.spikes.surrogates import Surrogate


class LifOptions(TypedDict):
    """The options of `lif` for a library's neuron."""

    surrogate: Surrogate
    decay: ArrayLike
    threshold: ArrayLike
    convention: Convention


def snntorch_leaky(
    beta: ArrayLike = 0.9,
    threshold: ArrayLike = 1.0,
    *,
    reset_mechanism: Literal["subtract", "zero"] = "subtract",
    spike_grad: Surrogate | None = None,
) -> LifOptions:
    """snnTorch's `Leaky`, with its usual `reset_delay=True`; None is its `atan(2)`.

    By its docstring a reset to zero also removes the input of that step; its code keeps that
    input, and so does this.

    Raises:
      ValueError: for another `reset_mechanism`.
    """
    require_name("reset_mechanism", ("subtract", "zero"), reset_mechanism)
    convention = Convention(reset=reset_mechanism)
    return _options(spike_grad or su.arctan(2.0), beta, threshold, convention)


def spikingjelly_lif(
    tau: ArrayLike = 2.0,
    *,
    decay_input: bool = True,
    v_threshold: float = 1.0,
    v_reset: float | None = 0.0,
    detach_reset: bool = False,
    surrogate_function: Surrogate | None = None,
) -> LifOptions:
    """SpikingJelly's `LIFNode`; v_reset=None subtracts, surrogate None is its `Sigmoid(4)`.

    The membrane leaks towards `v_reset`, which is therefore also where it rests.

    Raises:
      ValueError: unless tau >= 1 and v_threshold > v_reset.
    """
    convention = Convention(
        reset="subtract" if v_reset is None else 0.0, reset_step="same", fires="at",
        differentiate_reset=not detach_reset, normalise=decay_input,
    )  # fmt: skip
    threshold = _above(v_threshold, v_reset or 0.0, "v_threshold", "v_reset")
    slope = surrogate_function or su.sigmoid(4.0)
    return _options(slope, euler_decay(tau), threshold, convention)


def norse_lif_box(
    tau_mem_inv: float = 100.0,
    *,
    v_leak: float = 0.0,
    v_th: float = 1.0,
    v_reset: float = 0.0,
    reset_method: Literal["reset_value", "reset_subtract"] = "reset_value",
    dt: float = 0.001,
) -> LifOptions:
    """Norse's `LIFBoxCell` with `LIFBoxParameters`, its method "super" and step `dt`.

    Norse 1.1.0 takes a sharpness `alpha` and does not use it: its slope is 1 / (1 + |u|)².

    Raises:
      ValueError: for another `reset_method`; unless dt <= 1 / tau_mem_inv and v_th > v_leak;
        for a reset by subtraction with v_leak != 0: Norse subtracts v_th, counted from 0.
    """
    require_name("reset_method", ("reset_value", "reset_subtract"), reset_method)
    subtract = reset_method == "reset_subtract"
    if subtract and v_leak != 0:
        raise ValueError(f"reset_subtract needs v_leak = 0, got {v_leak}")
    convention = Convention(
        reset="subtract" if subtract else v_reset - v_leak, reset_step="same",
        differentiate_reset=True, normalise=True,
    )  # fmt: skip
    decay, threshold = euler_decay(1 / tau_mem_inv, dt), _above(v_th, v_leak, "v_th", "v_leak")
    return _options(su.fast_sigmoid(1.0), decay, threshold, convention)


def sinabs_lif(
    tau_mem: ArrayLike,
    *,
    spike_threshold: float = 1.0,
    spike_fn: Literal["MultiSpike", "SingleSpike"] = "MultiSpike",
    reset_fn: Literal["MembraneSubtract", "MembraneReset"] = "MembraneSubtract",
    surrogate_grad_fn: Surrogate | None = None,
    norm_input: bool = True,
) -> LifOptions:
    """sinabs' `LIF` without synaptic current; None is its `SingleExponential(0.5)`.

    `MembraneReset` multiplies the potential by whether there was no spike, through which no
    gradient flows; `MembraneSubtract` subtracts the spikes, through which it does.

    Raises:
      ValueError: for another `spike_fn` or `reset_fn`.
    """
    require_name("spike_fn", ("MultiSpike", "SingleSpike"), spike_fn)
    require_name("reset_fn", ("MembraneSubtract", "MembraneReset"), reset_fn)
    subtract = reset_fn == "MembraneSubtract"
    convention = Convention(
        reset="subtract" if subtract else 0.0, reset_step="same", fires="at",
        spikes="several" if spike_fn == "MultiSpike" else "one",
        differentiate_reset=subtract, normalise=norm_input,
    )  # fmt: skip
    slope = surrogate_grad_fn or su.exponential(0.5 * spike_threshold)
    return _options(slope, exact_decay(tau_mem), spike_threshold, convention)


def spyx_lif(
    beta: ArrayLike = 0.9, threshold: ArrayLike = 1.0, *, activation: Surrogate | None = None
) -> LifOptions:
    """Spyx's `nn.LIF`, with spikes from the old potential; None is its `superspike(25)`."""
    convention = Convention(spike_from="old", differentiate_reset=True)
    return _options(activation or su.fast_sigmoid(25.0), beta, threshold, convention)


def nir_lif(
    tau: ArrayLike,
    *,
    dt: float,
    r: ArrayLike = 1.0,
    v_leak: ArrayLike = 0.0,
    v_threshold: ArrayLike = 1.0,
    v_reset: ArrayLike = 0.0,
    surrogate: Surrogate | None = None,
) -> LifOptions:
    """NIR's `LIF` [1] by Euler's method; surrogate None is this library's `fast_sigmoid(25)`.

    τ dv/dt = (v_leak − v) + r I, and where v > v_threshold, a spike and v = v_reset.  All are
    one number or one per neuron [n].

    Raises:
      ValueError: unless dt <= tau, r > 0 and v_threshold > v_leak.
    """
    convention = Convention(
        reset=_numbers(np.asarray(v_reset) - v_leak), reset_step="same",
        differentiate_reset=True, gain=_numbers(r), normalise=True,
    )  # fmt: skip
    threshold, slope = _above(v_threshold, v_leak, "v_threshold", "v_leak"), surrogate
    return _options(slope or su.fast_sigmoid(25.0), euler_decay(tau, dt), threshold, convention)


PRESETS: dict[str, Callable[..., LifOptions]] = {
    preset.__name__: preset
    for preset in (
        snntorch_leaky, spikingjelly_lif, norse_lif_box, sinabs_lif, spyx_lif, nir_lif
    )
}  # fmt: skip


def _options(slope, decay, threshold, convention) -> LifOptions:
    return LifOptions(surrogate=slope, decay=decay, threshold=threshold, convention=convention)


def _above(value: ArrayLike, rest: ArrayLike, name: str, rest_name: str) -> np.ndarray:
    value, rest = np.asarray(value), np.asarray(rest)
    if not np.all(value > rest):
        raise ValueError(f"{name} must be above {rest_name} = {rest}, got {value}")
    return value - rest


def _numbers(values: ArrayLike) -> Numbers:
    numbers = np.asarray(values, float).tolist()
    return tuple(numbers) if np.ndim(values) else numbers


# Thresholds so low that a small input crosses them.
CASES = {
    f"lif, {name}": Case(partial(lif, **options), (5,), "current")
    for name, options in {
        "snntorch_leaky": snntorch_leaky(0.9, 0.75),
        "spikingjelly_lif": spikingjelly_lif(2.0, v_threshold=0.5),
        "norse_lif_box": norse_lif_box(500.0, v_th=0.5),
        "sinabs_lif": sinabs_lif(2.0, spike_threshold=0.5),
        "spyx_lif": spyx_lif(0.9, 0.75),
        "nir_lif": nir_lif(2.0, dt=1.0, v_threshold=0.5),
    }.items()
}
