"""The step of a NIR graph: all that a graph does not say.

NIR writes neurons as differential equations [1].  A program takes steps of length dt, and each
program takes them in its own way.  With x the input of a node, elementwise:

    jₜ = α jₜ₋₁ + s xₜ                     CubaLI, CubaLIF; else jₜ = xₜ
    vₜ = β vₜ₋₁ + (1 − β) v_leak + g jₜ    I, IF: β = 1 and no v_leak
    zₜ = H(vₜ, v_threshold), and a reset   by the `Convention`

    β = 1 − dt/τ by Euler's method, or e^(−dt/τ) exactly; α alike, from tau_syn

The gains g and s are named by their formulas: "r(1-beta)", "w_in(1-alpha)".  A graph with these
two by Euler's method is the format's equation.

`PEERS` has one `Discretisation` for each importer that was measured: the same graph, and the
spikes of that program.  They hold for snnTorch 1.0.0, Norse 1.1.0, sinabs 3.1.3, SpikingJelly
2.0.0 and Spyx 1.0.0.

[1] Pedersen et al., Nat. Commun. 15, 8122, 2024, arXiv:2311.14641.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from jaxdigits.options import require_name
from jaxdigits.spikes.convention import Convention, euler_decay, exact_decay

Gain = Literal["r(1-beta)", "1-beta", "r", "1"]
SynapseGain = Literal["w_in(1-alpha)", "w_in", "alpha", "1"]
IntegratorGain = Literal["r dt", "r", "1"]
_SAME = Convention(reset="zero", reset_step="same")


class Discretisation(NamedTuple):
    """How a graph's equations become steps."""

    dt: float
    """length of a step, in the unit of the graph's time constants (s)"""
    decay: Literal["euler", "exact"] = "euler"
    convention: Convention = _SAME
    """reset, its step, firing, spikes in a step; a gain of the convention is not read"""
    input_gain: Gain = "r(1-beta)"
    """g of LI and LIF"""
    start: Literal["zero", "v_leak"] = "zero"
    """potential before the first step"""
    floor: float | None = None
    """lowest potential of an IF, in thresholds"""
    v_reset: bool = True
    """reset to each node's v_reset, or to the convention's number; not for "subtract" """
    integrator_gain: IntegratorGain = "r dt"
    """g of I and IF"""
    synapse_gain: SynapseGain = "w_in(1-alpha)"
    """s of CubaLI and CubaLIF"""
    cuba_gain: Gain | None = None
    """g of CubaLI and CubaLIF, where it is not `input_gain`"""
    cuba_convention: Convention | None = None
    """of CubaLIF, where it is not `convention`"""


def require_discretisation(d: Any) -> Discretisation:
    """Return `d`, if it is a discretisation.

    Raises:
      ValueError: for another value, another name in a field, or dt <= 0.
    """
    if not isinstance(d, Discretisation):
        names = ", ".join(PEERS)
        raise ValueError(f"discretisation must be a Discretisation or PEERS[...] ({names}), "
                         f"got {d!r}")  # fmt: skip
    for name, value in dict(dt=d.dt, floor=0.0 if d.floor is None else d.floor).items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} must be a number, got {value!r}")
    if not (np.isfinite(d.dt) and d.dt > 0):
        raise ValueError(f"dt must be > 0, got {d.dt}")
    if not isinstance(d.v_reset, bool):
        raise ValueError(f"v_reset must be true or false, got {d.v_reset!r}")
    for name, choices in _CHOICES.items():
        require_name(name, choices, getattr(d, name))
    for name in ("convention", "cuba_convention"):
        value = getattr(d, name)
        if not isinstance(value, Convention) and (value is not None or name == "convention"):
            raise ValueError(f"{name} must be a Convention(...), got {value!r}")
    return d


def gain_of(formula: str, value: np.ndarray, decay: np.ndarray, dt: float) -> np.ndarray:
    """Return a gain by its formula, from r or w_in and the decay, all of one shape."""
    return (value if _has_value(formula) else np.ones_like(value)) * _factor(formula, decay, dt)


def value_of(formula: str, gain: np.ndarray, decay: np.ndarray, dt: float) -> np.ndarray:
    """Return the r or w_in that has a gain: `gain_of` from behind.

    Raises:
      ValueError: for a gain that the formula does not have.
    """
    factor = _factor(formula, decay, dt)
    if _has_value(formula):
        if np.any(factor == 0):
            raise ValueError("a decay of 1 lets no input in, by the gain " + formula)
        return gain / factor
    if not np.allclose(gain, factor, rtol=1e-12):
        raise ValueError(f"its input gain is {gain.flat[0]:g}, the discretisation's {formula}")
    return np.ones_like(gain)


def _has_value(formula: str) -> bool:
    return formula.startswith(("r", "w_in"))


def _factor(formula: str, decay: np.ndarray, dt: float) -> Any:
    """Return the factor of a gain beside r or w_in."""
    rest = dict.fromkeys(("r(1-beta)", "1-beta", "w_in(1-alpha)"), 1 - decay)
    return (rest | {"alpha": decay, "r dt": dt}).get(formula, 1.0)


_CHOICES: dict[str, tuple[Any, ...]] = {
    "decay": ("euler", "exact"), "input_gain": get_args(Gain), "start": ("zero", "v_leak"),
    "integrator_gain": get_args(IntegratorGain), "synapse_gain": get_args(SynapseGain),
    "cuba_gain": (*get_args(Gain), None),
}  # fmt: skip


def decay_of(tau: np.ndarray, d: Discretisation, name: str = "tau") -> np.ndarray:
    """Return the share of a potential left after a step, from time constants of any shape.

    Raises:
      ValueError: unless tau > 0, and dt <= tau for Euler's method.
    """
    if not (tau > 0).all():
        raise ValueError(f"{name} must be > 0, got {tau.min():g}")
    if d.decay == "euler" and not (tau >= d.dt).all():
        remedy = 'take a smaller dt, or decay="exact"'
        raise ValueError(f"{name} = {tau.min():.9g} is below dt = {d.dt:.9g}: {remedy}")
    return (euler_decay if d.decay == "euler" else exact_decay)(tau, d.dt)


def tau_of(decay: np.ndarray, d: Discretisation) -> np.ndarray:
    """Return the time constants with that share left after a step: `decay_of` from behind."""
    return d.dt / (1 - decay) if d.decay == "euler" else -d.dt / np.log(decay)


_PREFIX = "jaxdigits."
_CONVENTIONS = ("convention", "cuba_convention")


def to_metadata(d: Discretisation) -> dict[str, Any]:
    """Return a discretisation as numbers and text by key, for the metadata of a graph."""
    plain = {key: value for key, value in d._asdict().items() if key not in _CONVENTIONS}
    for name in _CONVENTIONS:
        if (convention := getattr(d, name)) is not None:
            for field in fields(convention):
                plain[f"{name}.{field.name}"] = getattr(convention, field.name)
    return {_PREFIX + key: value for key, value in plain.items() if value is not None}


def from_metadata(metadata: Mapping[str, Any]) -> Discretisation | None:
    """Return the discretisation in a graph's metadata, or None.

    Raises:
      ValueError: for a key or a value that is none of a discretisation.
    """
    own = {k.removeprefix(_PREFIX): v for k, v in metadata.items() if k.startswith(_PREFIX)}
    if not own:
        return None
    plain = {key: _plain(value) for key, value in own.items()}
    for name in _CONVENTIONS:
        inside = {
            k.split(".")[1]: plain.pop(k) for k in list(plain) if k.startswith(f"{name}.")
        }
        if unknown := inside.keys() - {field.name for field in fields(Convention)}:
            raise ValueError(f"the graph's metadata has an unknown key {min(unknown)!r}")
        if inside:
            plain[name] = Convention(**inside)
    if unknown := plain.keys() - set(Discretisation._fields):
        raise ValueError(f"the graph's metadata has an unknown key {min(unknown)!r}")
    if "dt" not in plain:
        raise ValueError(f"the graph's metadata must have a number {_PREFIX}dt")
    return require_discretisation(Discretisation(**plain))


def _plain(value: Any) -> Any:
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return tuple(value) if isinstance(value, list) else value


_norse = Discretisation(
    1e-3, convention=_SAME, input_gain="1-beta", start="v_leak", integrator_gain="1",
    cuba_gain="r(1-beta)", v_reset=False,
)  # fmt: skip
_late = Convention(spike_from="old")
PEERS: dict[str, Discretisation] = {
    "snntorch": Discretisation(1e-4, input_gain="1-beta", v_reset=False),
    "norse": _norse,
    "sinabs": Discretisation(
        1.0, "exact", Convention(reset_step="same", fires="at", spikes="several"), "1",
        floor=-1.0, integrator_gain="1",
    ),
    "spikingjelly": Discretisation(1e-4, convention=replace(_SAME, fires="at")),
    "spyx": Discretisation(
        1e-4, convention=_late, input_gain="1", integrator_gain="1", synapse_gain="1",
        cuba_convention=replace(_late, reset_step="same"),
    ),
}  # fmt: skip
"""the discretisations of released importers, with their usual dt; another dt is a `_replace`"""
