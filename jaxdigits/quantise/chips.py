"""Networks for neuromorphic chips: whole weights, whole thresholds, and their reports.

With s the value of a weight of 1, so W ≈ s q, thresholds and biases are in the same units:

    Loihi       q of `bits` bits, one s a layer; θ = round(θ/s); b = round(64 b/s)
    DynapCNN    1/s fills 8 bits with W and b, and 16 with θ and the floor; all are rounded
    Xylo        q of 8 bits, one s a layer; θ = round(θ/s) of 16 bits; b an input always on
    integers    this library's own neurons, of any convention, with states of 16 bits

A chip cannot do everything.  Loihi resets to zero and fires above; DynapCNN has no decay,
subtracts, fires at, several times a step; Xylo does the same, behind a synapse, with decays
1 − 2^−d.  Another network is rejected with the option to build it with.

The membrane of a readout stands outside of the chip: it integrates the last layer's sums.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.quantise import fixed_lif, fixed_xylo
from jaxdigits.quantise.integer_lif import IntegerLif, integer_lif
from jaxdigits.quantise.twin import Floats, Placed, Twin, make_twin
from jaxdigits.quantise.weights import quantise, require_bits

HEADROOM = 8  # thresholds that a potential holds
FINE = 6  # bits of a potential behind the unit of a weight, where there is room
LARGEST = (1 << 15) - 1  # of 16 bits


def to_loihi(network: Any, params: Any, bits: int = 8, **compare: Any) -> Twin:
    """Place a network on Loihi: weights of `bits` bits, states of 24 bits.

    Args:
      network: in evaluation; lif or cuba_lif neurons with reset "zero", firing above.
      params: of the network.
      bits: of a weight, 1 to 8.
      compare: `images` [N, ...], `label` [N] and `key`, to count spikes that change, states
        that saturate, and right answers before and after.

    Raises:
      ValueError: for a network that the chip does not have, or a layer that is lost: with 99 %
        of its weights on fewer than four levels, of more than two bits.
    """
    return make_twin(network, params, "Loihi", partial(_loihi, bits), bits=bits, **compare)


def to_dynapcnn(
    network: Any, params: Any, bits: int = 8, *, floor: float | None = None, **compare: Any
) -> Twin:
    """Place a network on DynapCNN: weights and biases of `bits` bits, states of 16 bits.

    Args:
      network, params, compare: as for `to_loihi`; lif neurons with decay 1, reset "subtract",
        firing at, several spikes a step.
      bits: of a weight, 2 to 8.
      floor: lowest potential; None is the lowest of 16 bits, which costs no bits of weights.

    Raises:
      ValueError: as `to_loihi`.
    """
    require_bits(bits)
    if bits == 1:
        raise ValueError("bits must be from 2 to 8 for DynapCNN, got 1")
    place = partial(_dynapcnn, bits, floor)
    return make_twin(network, params, "DynapCNN", place, bits=bits, **compare)


def to_xylo(network: Any, params: Any, bits: int = 8, **compare: Any) -> Twin:
    """Place a network on Xylo: weights of `bits` bits, states of 16 bits.

    The chip hands spikes to the next layer one step later: let it run one step more for each
    layer of neurons, and its spikes are those of the twin.

    Args:
      network, params, compare: as for `to_loihi`; dense layers and cuba_lif neurons with decays
        1 − 2^−d, reset "subtract" in the same step, firing at, several spikes a step.
      bits: of a weight, 1 to 8.

    Raises:
      ValueError: as `to_loihi`.
    """
    return make_twin(network, params, "Xylo", partial(_xylo, bits), bits=bits, **compare)


def to_integers(
    network: Any, params: Any, bits: int = 8, *, state_bits: int = 16, **compare: Any
) -> Twin:
    """Compute a network of lif neurons, of any convention, in integers.

    Args:
      network, params, compare: as for `to_loihi`.
      bits: of a weight, 1 to 8.
      state_bits: of a potential, 8 to 24.

    Raises:
      ValueError: as `to_loihi`, and for other numbers of bits.
    """
    if not 8 <= state_bits <= 24:
        raise ValueError(f"state_bits must be in [8, 24], got {state_bits}")
    top = (1 << (state_bits - 1)) - 1
    place = partial(_integers, bits, top)
    return make_twin(network, params, "the integer network", place, bits=bits, **compare)


def dynapcnn_scale(
    floats: Floats, bits: int = 8, floor: float | None = None
) -> tuple[int, float]:
    """Return (n, m) with 1/s = n/m, the largest factor for which all numbers fit.

    Weights and biases have `bits` bits, the threshold and the floor 16.  The number of size m
    becomes ±n, and every other W is round(W n / m): halves stay halves.
    """
    limits = np.append(floats.constants["threshold"] / _gain(floats), floor or 0.0)
    pairs: list[tuple[int, float]] = []
    for values, width in ((floats.weight, bits), (floats.bias, bits), (limits, 16)):
        top = 1 << (width - 1)
        sides = (top, -np.min(values)), (top - 1, np.max(values))
        pairs += [(n, float(m)) for n, m in sides if m > 0]
    return min(pairs, key=lambda pair: pair[0] / pair[1])


def _loihi(bits: int, floats: Floats) -> Placed:
    weight, scale = _levels(floats, bits)
    c, k = floats.convention, floats.constants
    if c is None:
        return _readout(floats, weight, scale, fixed_lif.LOIHI)
    _require("Loihi", c, reset=0.0, fires="above", spikes="one")
    du = np.round(4096 * (1 - k.get("synapse_decay", 0.0))) - 1
    if np.any(du < 0):
        raise ValueError(f"Loihi's currents decay: lower synapse_decay {k['synapse_decay']}")
    own, always, clipped = np.round(64 * floats.bias / scale), np.zeros_like(floats.bias), 0
    if "synapse_decay" in k:  # a bias, too, arrives through the synapse
        own, (always, clipped) = always, _clip(floats.bias / scale, bits)
    threshold = _threshold(floats, scale, (1 << 17) - 1, "Loihi")
    ints = fixed_lif.Loihi(threshold, du, np.round(4096 * (1 - k["decay"])), own)
    return Placed(weight, always, scale, fixed_lif.loihi, _int32(ints), clipped)


def _dynapcnn(bits: int, floor: float | None, floats: Floats) -> Placed:
    c, k = floats.convention, floats.constants
    if c is None:
        return _readout(floats, *_levels(floats, bits), fixed_lif.LOIHI)
    _require("DynapCNN", c, reset="subtract", fires="at", spikes="several")
    if "synapse_decay" in k or c.normalise or np.any(k["decay"] != 1):
        raise ValueError("DynapCNN has no decay: build with lif neurons and decay=1.0")
    n, m = dynapcnn_scale(floats, bits, floor)
    whole = lambda a: np.round(a * n / m).astype(int)
    lowest = -LARGEST - 1 if floor is None else whole(np.asarray(floor))
    ints = fixed_lif.DynapCnn(_threshold(floats, m / n, LARGEST, "DynapCNN"), lowest)
    weight, bias = whole(floats.weight), whole(floats.bias)
    return Placed(weight, bias, m / n, fixed_lif.dynapcnn, _int32(ints))


def _xylo(bits: int, floats: Floats) -> Placed:
    weight, scale = _levels(floats, bits)
    c, k = floats.convention, floats.constants
    if c is None:
        return _readout(floats, weight, scale, fixed_lif.LOIHI)
    if weight.ndim != 2:
        raise ValueError("Xylo has no convolutions: take dense layers")
    if "synapse_decay" not in k:
        raise ValueError("Xylo has neurons behind a synapse: build with cuba_lif")
    shifts = [_shift(name, k[name]) for name in ("synapse_decay", "decay")]
    _require("Xylo", c, reset="subtract", fires="at", spikes="several", reset_step="same")
    # A spike has lost 2^−d of its current when it reaches the membrane.
    unit = scale / k["synapse_decay"]
    bias, clipped = _clip(floats.bias / scale, bits)
    ints = fixed_xylo.Xylo(
        np.concatenate([weight, bias[None]]), _threshold(floats, unit, LARGEST, "Xylo"),
        shifts[0], shifts[1], most_in=31,
    )  # fmt: skip

    def run(params, x):
        always = jnp.ones_like(x[..., :1])
        return fixed_xylo.xylo(params, jnp.concatenate([x, always], -1))

    return Placed(weight, bias, scale, run, _int32(ints), clipped, sums=False)


def _integers(bits: int, top: int, floats: Floats) -> Placed:
    weight, scale = _levels(floats, bits)
    c, k = floats.convention, floats.constants
    if c is None:
        return _readout(floats, weight, scale, top)
    _require("the integer network", c)
    if "synapse_decay" in k:
        raise ValueError("the integer network has no synapses: build with lif neurons")
    highest = float(np.max(k["threshold"] / _gain(floats))) / scale
    f = max(0, min(FINE, int(np.log2((top + 1) / HEADROOM / highest))))
    unit = scale * _gain(floats) / 2**f
    reset = 0 if c.reset == "subtract" else np.round(np.asarray(c.reset) / unit)
    ints = IntegerLif(
        np.round(4096 * k["decay"]), _threshold(floats, scale / 2**f, top, "the network"),
        np.round(floats.bias / scale * 2**f), reset, f,
    )  # fmt: skip
    return Placed(weight, np.zeros_like(floats.bias), scale, integer_lif(c, top), _int32(ints))


def _readout(floats: Floats, weight: np.ndarray, scale: float, top: int) -> Placed:
    decay, bias = np.round(4096 * floats.constants["decay"]), np.round(floats.bias / scale)
    ints = _int32(IntegerLif(decay, bias=bias))
    return Placed(weight, np.zeros_like(bias), scale, integer_lif(None, top), ints)


def _levels(floats: Floats, bits: int) -> tuple[np.ndarray, float]:
    require_bits(bits)
    q = quantise(jnp.asarray(floats.weight, float), bits, per="tensor")
    if not float(q.scale[0]):
        raise ValueError("a layer has weights that are all zero: train it first")
    return np.asarray(q.levels), float(q.scale[0])


def _gain(floats: Floats) -> np.ndarray:
    """Return the factor of the currents, which a chip has in its thresholds instead."""
    c: Any = floats.convention
    gain = np.asarray(c.gain) * (1 - floats.constants["decay"] if c.normalise else 1)
    if np.any(gain == 0):
        raise ValueError("a decay of 1 lets no normalised input in: build with a lower decay")
    return gain


def _threshold(floats: Floats, scale: Any, most: int, chip: str) -> np.ndarray:
    threshold = np.round(floats.constants["threshold"] / _gain(floats) / scale)
    if np.any(threshold > most) or np.any(threshold < 1):
        high = np.any(threshold > most)
        worst = threshold.max() if high else threshold.min()
        text = f"{chip} has thresholds from 1 to {most}, got {worst:.0f} weights"
        remedy = "larger weights, or lower" if high else "smaller weights, or raise"
        raise ValueError(f"{text}: train with {remedy} the threshold")
    return threshold


def _clip(bias: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Return biases as weights of that many bits, and the number that were out of range."""
    whole, most = np.round(bias), max(1, 2 ** (bits - 1) - 1)
    return np.clip(whole, -most, most), int((np.abs(whole) > most).sum())


def _shift(name: str, decay: np.ndarray) -> np.ndarray:
    shift = -np.log2(np.maximum(1 - decay, 2.0**-15))
    if np.any(shift != np.round(shift)) or np.any(shift < 1):
        raise ValueError(f"Xylo has decays 1 − 2^−d, as 0.5, 0.75, 0.875; {name} is {decay}")
    return shift


def _require(chip: str, convention: Any, **fields: Any) -> None:
    for name, value in ({"spike_from": "new"} | fields).items():
        if (got := getattr(convention, name)) != value:
            raise ValueError(
                f"{chip} has neurons with {name}={value!r}, got {got!r}: build and train the "
                "network with it"
            )


def _int32(ints: Any) -> Any:
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.int32), ints)


CHIPS: dict[str, Callable[..., Twin]] = {
    "loihi": to_loihi, "xylo": to_xylo, "dynapcnn": to_dynapcnn, "integers": to_integers
}  # fmt: skip
"""name -> (network, params, bits) -> its twin"""
