"""Presets against traces of the released libraries, and against their equations."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import arctan, fast_sigmoid
from jaxdigits.spikes.lif import lif, lif_neuron, make_membrane
from jaxdigits.spikes.presets import (
    PRESETS,
    nir_lif,
    norse_lif_box,
    sinabs_lif,
    snntorch_leaky,
    spikingjelly_lif,
    spyx_lif,
)
from jaxdigits.spikes.unroll import over_time

TRACES = json.loads((Path(__file__).parent / "lif_traces.json").read_text())
TAU = -1 / np.log(0.9)  # of an exact decay of 0.9 per step
_leaky = partial(snntorch_leaky, spike_grad=fast_sigmoid(25.0))
_sinabs = partial(sinabs_lif, TAU, norm_input=False)
_jelly = partial(spikingjelly_lif, 10.0, surrogate_function=arctan(2.0))
LIBRARIES = {
    "snnTorch 1.0.0 Leaky, subtract": _leaky(0.9),
    "snnTorch 1.0.0 Leaky, zero": _leaky(0.9, reset_mechanism="zero"),
    "Spyx 1.0.0 LIF": spyx_lif(0.9),
    "Norse 1.1.0 LIFBox, reset_subtract, input times 10": norse_lif_box(
        reset_method="reset_subtract"
    ),
    "sinabs 3.1.3 LIF, SingleSpike, MembraneSubtract": _sinabs(spike_fn="SingleSpike"),
    "sinabs 3.1.3 LIF, SingleSpike, MembraneReset": _sinabs(
        spike_fn="SingleSpike", reset_fn="MembraneReset"
    ),
    "sinabs 3.1.3 LIF, MultiSpike, MembraneSubtract": _sinabs(),
    **{
        "SpikingJelly 2.0.0 LIFNode, "
        + ("soft" if v_reset is None else "hard")
        + (", decay_input" if decay_input else "")
        + (", detach_reset" if detach else ""): _jelly(
            v_reset=v_reset, decay_input=decay_input, detach_reset=detach
        )
        for v_reset in (None, 0.0)
        for decay_input in (False, True)
        for detach in (False, True)
    },
}


def run(options, current):
    """What a preset says of a trace: spikes, potentials, gradients; each found in two ways."""
    found = {}
    membrane = make_membrane(fast_sigmoid(), options["convention"])
    for emit, name in (("spikes", "spk"), ("potential", "mem")):
        layer = over_time(lif_neuron(**options), emit=emit)
        y, vjp, kept = jax.vjp(lambda i: layer.forward((), i, None), current, has_aux=True)
        _, by_hand = layer.backward((), kept, jnp.ones_like(y))
        end = membrane.end(kept.v, options["threshold"])
        found[name] = y, kept.spikes if emit == "spikes" else end
        found[f"dsum_{name}_dI"] = by_hand, *vjp(jnp.ones_like(y))
    return {name: jnp.stack(both)[..., 0] for name, both in found.items()}


@pytest.fixture(scope="module")
def found():
    """By library, what `run` says of the input of the traces."""
    current = np.array(TRACES["input"], float)[:, None]
    gains = {name: 10.0 if "times 10" in name else 1.0 for name in LIBRARIES}
    every = lambda i: {name: run(LIBRARIES[name], gains[name] * i) for name in LIBRARIES}
    with jax.enable_x64(True):
        each = jax.jit(every)(current)
    each = jax.tree.map(np.asarray, each)
    for name, values in each.items():
        for of in ("dsum_spk_dI", "dsum_mem_dI"):  # the input of the trace is before the gain
            values[of] = gains[name] * values[of]
    return each


def differences(values, trace):
    """How far they are from a trace, at most, by the names of what it holds."""
    return {name: np.abs(values[name] - np.array(trace[name])).max() for name in trace}


@pytest.mark.parametrize("name", TRACES["cases"])
def test_a_preset_is_the_library(name, found):
    far = differences(found[name], TRACES["cases"][name])
    assert far.pop("spk") == 0
    assert len(far) == (2 if "sinabs" in name else 3)
    tolerance = 1e-6 if "sinabs" in name else 1e-9  # sinabs computes in float32
    assert max(far.values()) < tolerance, far


@pytest.mark.parametrize("name", TRACES["cases"])
def test_no_preset_is_another_library(name, found):
    """The traces would tell, if a preset stood for the wrong one."""
    silent = [n for n in found if "decay_input, detach_reset" in n]  # so they never reset
    for other in set(found) - set(silent if name in silent else (name,)):
        far = differences(found[other], TRACES["cases"][name])
        assert max(far.values()) > 1e-3, other


@pytest.mark.usefixtures("float64")
def test_nir_is_its_equation_by_euler_in_its_own_units():
    tau, r = np.array([4.0, 8.0]), np.array([2.0, 3.0])
    v_leak, v_threshold, v_reset = (
        np.array([-0.5, 0.25]),
        np.array([0.5, 1.0]),
        np.array([-1, 0.0]),
    )
    options = nir_lif(tau, dt=1.0, r=r, v_leak=v_leak, v_threshold=v_threshold, v_reset=v_reset)
    current = np.random.default_rng(0).integers(-4, 12, (40, 2)) / 8
    spikes, kept = lif(**options).forward((), jnp.asarray(current), None)
    membrane = make_membrane(fast_sigmoid(), options["convention"])
    end = membrane.end(kept.v, options["threshold"])
    v = v_leak
    for t, i in enumerate(current):
        v = v + 1.0 / tau * ((v_leak - v) + r * i)
        z = v > v_threshold
        v = np.where(z, v_reset, v)
        np.testing.assert_array_equal(spikes[t], z)
        np.testing.assert_array_equal(end[t] + v_leak, v)
    assert (spikes.sum(0) > 3).all()


@pytest.mark.usefixtures("float64")
def test_norse_is_its_equation_with_rest_and_reset_of_their_own():
    v_leak, v_th, v_reset = -0.5, 0.75, -0.25
    options = norse_lif_box(250.0, v_leak=v_leak, v_th=v_th, v_reset=v_reset)
    current = np.random.default_rng(3).integers(-4, 24, (40, 1)) / 8
    spikes, kept = lif(**options).forward((), jnp.asarray(current), None)
    v = np.full(1, v_leak)
    for t, i in enumerate(current):
        v = v + 0.25 * ((v_leak - v) + i)
        np.testing.assert_array_equal(kept.v[t] + v_leak, v)
        np.testing.assert_array_equal(spikes[t], v > v_th)
        v = np.where(v > v_th, v_reset, v)
    assert 3 < spikes.sum() < 30


@pytest.mark.parametrize("decay_input", [False, True])
@pytest.mark.usefixtures("float64")
def test_spikingjelly_leaks_towards_its_reset_potential(decay_input):
    options = spikingjelly_lif(4.0, v_threshold=1.0, v_reset=-0.5, decay_input=decay_input)
    current = np.random.default_rng(1).integers(-4, 12, 40) / (2 if decay_input else 8)
    spikes, kept = lif(**options).forward((), jnp.asarray(current)[:, None], None)
    v, before, fired = -0.5, [], []
    for x in current:
        v = v + (x - (v + 0.5)) / 4 if decay_input else v - (v + 0.5) / 4 + x
        before.append(v)
        fired.append(v >= 1)
        v = -0.5 if fired[-1] else v
    np.testing.assert_array_equal(spikes[:, 0], fired)
    np.testing.assert_array_equal(kept.v[:, 0] - 0.5, before)
    assert 0.1 < spikes.mean() < 0.9


@pytest.mark.parametrize("v_reset", [None, 0.0])
def test_decay_input_divides_the_input_by_tau(v_reset):
    current = np.random.default_rng(2).integers(-2, 12, (40, 3)).astype(np.float32) / 16
    ways = [(False, current), (True, 4 * current)]
    (plain, kept), (decayed, kept_too) = (
        lif(**spikingjelly_lif(4.0, v_reset=v_reset, decay_input=decay_input)).forward(
            (), i, None
        )
        for decay_input, i in ways
    )
    assert 0.1 < plain.mean() < 0.9
    np.testing.assert_array_equal(decayed, plain)
    # Two programs: each may add and multiply at once where the other rounds in between.
    np.testing.assert_allclose(kept_too.v, kept.v, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("float64")
def test_normalised_input_is_the_potential_that_the_membrane_tends_to():
    constant = jnp.full((200, 1), 0.75)
    presets = (
        spikingjelly_lif(8.0), norse_lif_box(), sinabs_lif(8.0), nir_lif(8.0, dt=1.0),
    )  # fmt: skip
    for options in presets:
        assert options["convention"].normalise
        _, kept = lif(**options).forward((), constant, None)
        np.testing.assert_allclose(kept.v[-1], 0.75, rtol=1e-7)


def test_a_threshold_scales_the_slope_of_sinabs():
    options = sinabs_lif(10.0, spike_threshold=3.0)
    assert options["surrogate"].slope(jnp.zeros(())) == jnp.float32(1 / 1.5)


def test_the_table_holds_every_preset():
    assert PRESETS["nir_lif"] is nir_lif
    assert {name: make.__name__ for name, make in PRESETS.items()} == {n: n for n in PRESETS}


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: snntorch_leaky(reset_mechanism="none"),
            "reset_mechanism must be one of subtr",
        ),
        (lambda: spikingjelly_lif(0.5), "dt <= tau"),
        (
            lambda: spikingjelly_lif(v_reset=1.0),
            "v_threshold must be above v_reset = 1.0, got 1.0",
        ),
        (lambda: norse_lif_box(reset_method="zero"), "reset_method must be one of reset_value"),
        (lambda: norse_lif_box(reset_method="reset_subtract", v_leak=0.5), "needs v_leak = 0"),
        (lambda: norse_lif_box(v_leak=2.0), "v_th must be above v_leak = 2.0"),
        (lambda: sinabs_lif(10.0, spike_fn="MaxSpike"), "spike_fn must be one of Multi"),
        (lambda: sinabs_lif(10.0, reset_fn="zero"), "reset_fn must be one of Membrane"),
        (lambda: nir_lif([2.0, 0.5], dt=1.0), "dt <= tau"),
        (lambda: nir_lif(2.0, dt=1.0, r=[1.0, -1.0]), "gain must be > 0"),
        (lambda: lif(**nir_lif(2.0, dt=1.0, v_reset=1.5)), "reset must be below the threshold"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
