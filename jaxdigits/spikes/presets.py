"""The LIF neurons of known libraries, under their own names and arguments.

Each function takes what the library's class takes and returns the options of `lif` (or
`lif_neuron`) that make the same neuron: the same spikes, the same potentials, the same
gradient.  `lif(**snntorch_leaky(beta=0.9))` is a layer.

    library         input gain    fires    reset takes effect    its gradient
    snnTorch        1             above    next step             held
    Spyx            1             above    next step             differentiated
    SpikingJelly    1 − β or 1    at       same step             differentiated, or detached
    Norse           1 − β         above    same step             differentiated
    sinabs          1 − β or 1    at       same step             differentiated; to zero: held
    NIR             r (1 − β)     above    same step             (NIR has no gradient)

Spyx puts a spike out one step after the potential that made it, and sinabs several in a step.

Potentials here are counted from the resting potential.  Where a library's neuron rests
elsewhere than at 0, the threshold and the reset are shifted by that, and so are the traces.

Checked against traces of the released libraries: snnTorch 1.0.0, SpikingJelly 2.0.0, Norse
1.1.0, sinabs 3.1.3 and Spyx 1.0.0.  NIR is a format, so its equation is what is checked.

[1] Pedersen et al., Nat. Commun. 15, 8122, 2024, arXiv:2311.14641 (NIR).
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, TypedDict

import numpy as np
from jax.typing import ArrayLike

from jaxdigits.case import Case
from jaxdigits.spikes.convention import Convention, Numbers, euler_decay, exact_decay
from jaxdigits.spikes.lif import lif
from jaxdigits.spikes.surrogates import (
    Surrogate,
    arctan,
    exponential,
    fast_sigmoid,
    sigmoid,
)


class LifOptions(TypedDict):
    """What `lif` needs to know to be a library's neuron."""

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

    Its docstring has the reset to zero also wipe out the input of that step; the code keeps
    that input, and so does this.

    Raises:
      ValueError: for another `reset_mechanism`.
    """
    resets = {"subtract": "subtract", "zero": 0.0}
    _require("reset_mechanism", reset_mechanism, resets)
    convention = Convention(reset=resets[reset_mechanism])
    return _options(spike_grad or arctan(2.0), beta, threshold, convention)


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
        reset="subtract" if v_reset is None else 0.0,
        reset_step="same",
        fires="at",
        differentiate_reset=not detach_reset,
        normalise=decay_input,
    )
    threshold = _above(v_threshold, v_reset or 0.0, "v_threshold", "v_reset")
    return _options(surrogate_function or sigmoid(4.0), euler_decay(tau), threshold, convention)


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
    _require("reset_method", reset_method, ("reset_value", "reset_subtract"))
    subtract = reset_method == "reset_subtract"
    if subtract and v_leak != 0:
        raise ValueError(f"reset_subtract needs v_leak = 0, got {v_leak}")
    convention = Convention(
        reset="subtract" if subtract else v_reset - v_leak,
        reset_step="same",
        differentiate_reset=True,
        normalise=True,
    )
    decay, threshold = euler_decay(1 / tau_mem_inv, dt), _above(v_th, v_leak, "v_th", "v_leak")
    return _options(fast_sigmoid(1.0), decay, threshold, convention)


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
    _require("spike_fn", spike_fn, ("MultiSpike", "SingleSpike"))
    _require("reset_fn", reset_fn, ("MembraneSubtract", "MembraneReset"))
    subtract = reset_fn == "MembraneSubtract"
    convention = Convention(
        reset="subtract" if subtract else 0.0,
        reset_step="same",
        fires="at",
        spikes="several" if spike_fn == "MultiSpike" else "one",
        differentiate_reset=subtract,
        normalise=norm_input,
    )
    slope = surrogate_grad_fn or exponential(0.5 * spike_threshold)
    return _options(slope, exact_decay(tau_mem), spike_threshold, convention)


def spyx_lif(
    beta: ArrayLike = 0.9, threshold: ArrayLike = 1.0, *, activation: Surrogate | None = None
) -> LifOptions:
    """Spyx's `nn.LIF`; activation None is its `superspike(25)`.

    A step's spikes are those of the potential that it found.
    """
    convention = Convention(spike_from="old", differentiate_reset=True)
    return _options(activation or fast_sigmoid(25.0), beta, threshold, convention)


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
        reset=_numbers(np.asarray(v_reset) - v_leak),
        reset_step="same",
        differentiate_reset=True,
        gain=_numbers(r),
        normalise=True,
    )
    threshold = _above(v_threshold, v_leak, "v_threshold", "v_leak")
    return _options(
        surrogate or fast_sigmoid(25.0), euler_decay(tau, dt), threshold, convention
    )


PRESETS: dict[str, Callable[..., LifOptions]] = {
    "snntorch_leaky": snntorch_leaky,
    "spikingjelly_lif": spikingjelly_lif,
    "norse_lif_box": norse_lif_box,
    "sinabs_lif": sinabs_lif,
    "spyx_lif": spyx_lif,
    "nir_lif": nir_lif,
}


def _options(surrogate, decay, threshold, convention) -> LifOptions:
    return LifOptions(
        surrogate=surrogate, decay=decay, threshold=threshold, convention=convention
    )


def _above(value: ArrayLike, rest: ArrayLike, name: str, rest_name: str) -> np.ndarray:
    value, rest = np.asarray(value), np.asarray(rest)
    if not np.all(value > rest):
        raise ValueError(f"{name} must be above {rest_name} = {rest}, got {value}")
    return value - rest


def _numbers(values: ArrayLike) -> Numbers:
    numbers = np.asarray(values, float).tolist()
    return tuple(numbers) if np.ndim(values) else numbers


def _require(name: str, value: str, choices) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


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
