"""Integer neurons, against loops of NumPy in int64, and against traces of other simulators."""

import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.quantise import (
    DynapCnn,
    Loihi,
    Xylo,
    dynapcnn,
    fixed_lif,
    loihi,
    slayer_cuba,
    xylo,
)

SHARED = Path(os.environ.get("JAXDIGITS_DATA", ""), "..", "reference", "fixed_point.json")
FAMILIES = {"loihi_lif": 7, "slayer_cuba": 3, "dynapcnn_iaf": 4, "xylo_lif": 6}
TOP = (1 << 23) - 1


def truncated(x, k):
    """trunc(x k / 4096), of 64 bits."""
    return np.sign(x) * (np.abs(x) * k >> 12)


def loihi_in_words(x, du, dv, vth, bias=0, *, bounded=True):
    """Spikes, u and v after the reset, v before it: all [T, n], in int64."""
    u = v = np.zeros(x.shape[1:], np.int64)
    rows = []
    for a in x:
        u = truncated(u, 4096 - du - bounded) + 64 * a
        if bounded:
            u = np.where(u > 2**23, u - 2**24, np.where(u <= -(2**23), u + 2**24, u))
        before = truncated(v, 4096 - dv) + u + bias
        before = np.clip(before, -TOP, TOP) if bounded else before
        z = before > 64 * vth
        v = np.where(z, 0, before)
        rows.append((z, u, v, before))
    return [np.stack(column) for column in zip(*rows, strict=True)]


def xylo_in_words(x, p):
    """Spikes, i and v of one example [T, n], each spike added alone."""
    n = p.weight.shape[1]
    sat = lambda value: min(max(value, -(2**15)), 2**15 - 1)
    leak = lambda value, d: value >> d or (value > 0) - (value < 0)
    i, v, z, rows = [0] * n, [0] * n, [0] * n, []
    sources = [(p.weight, p.shift)]
    sources += [] if p.recurrent is None else [(p.recurrent, p.recurrent_shift)]
    for s in x.tolist():
        arriving = [[min(count, p.most_in) for count in s], z]
        for (weight, shift), counts in zip(sources, arriving, strict=False):
            for m, count in enumerate(counts):
                for _ in range(count):
                    i = [sat(i[j] + (int(weight[m, j]) << shift)) for j in range(n)]
        z = []
        for j in range(n):
            i[j] -= leak(i[j], p.synapse_shift)
            v[j] = sat(v[j] + sat(sat(i[j] - leak(v[j], p.leak_shift)) + p.bias))
            z.append(min(v[j] // p.threshold, p.most) if v[j] >= p.threshold else 0)
            v[j] -= z[j] * p.threshold
        rows.append((z, list(i), list(v)))
    return [np.array(column) for column in zip(*rows, strict=True)]


def test_three_steps_of_a_loihi_neuron_by_hand():
    """Half of the current is left, a quarter of the potential goes; −3 becomes −1, not −2."""
    spikes, states = loihi(Loihi(vth=2, du=2047, dv=1024, bias=-3), jnp.array([[1], [2], [0]]))
    np.testing.assert_array_equal(states["u"][:, 0], [64, 32 + 128, 80])
    np.testing.assert_array_equal(states["v"][:, 0], [61, 0, 77])  # 45 + 160 − 3 > 128
    np.testing.assert_array_equal(spikes[:, 0], [0, 1, 0])
    _, below = loihi(Loihi(vth=99, dv=2048, bias=-3), jnp.zeros((2, 1), int))
    np.testing.assert_array_equal(below["v"][:, 0], [-3, -1 - 3])


def test_loihi_at_its_bounds():
    """A potential at the threshold is silent; 2²³ does not wrap, −2²³ does; v clips."""
    spikes, _ = loihi(Loihi(vth=3), jnp.array([[3], [0], [1]]))
    np.testing.assert_array_equal(spikes[:, 0], [0, 0, 1])
    edge = jnp.array([[1 << 17, (1 << 17) + 1, -(1 << 17), 1 - (1 << 17)]])
    _, states = loihi(Loihi(vth=1 << 18), edge)
    np.testing.assert_array_equal(states["u"], [[2**23, 64 - 2**23, 2**23, 64 - 2**23]])
    np.testing.assert_array_equal(states["v"], [[TOP, 64 - 2**23, TOP, 64 - 2**23]])
    np.testing.assert_array_equal(states["saturated"], [[True, True, True, False]])


def test_xylo_leaks_faster_below_zero():
    """−1 >> 4 is −1, so −1 is 0 after a step, and so is 1, by the sign."""
    weight = jnp.array([[34, -34, 2, -2]])
    params = Xylo(weight, threshold=9, synapse_shift=1, leak_shift=4)
    _, states = xylo(params, jnp.array([[1], [0], [0]]))
    np.testing.assert_array_equal(states["i"], [[17, -17, 1, -1], [9, -8, 0, 0], [5, -4, 0, 0]])
    np.testing.assert_array_equal(states["v"][:2], [[8, -17, 1, -1], [7, -23, 0, 0]])


def test_dynapcnn_counts_and_stops_at_its_floor():
    spikes, states = dynapcnn(DynapCnn(3, floor=-4), jnp.array([[7], [-9], [6], [-1]]))
    np.testing.assert_array_equal(spikes[:, 0], [2, 0, 0, 0])
    np.testing.assert_array_equal(states["v"][:, 0], [1, -4, 2, 1])
    np.testing.assert_array_equal(states["saturated"][:, 0], [False, True, False, False])


@pytest.mark.parametrize(
    ("du", "dv", "vth", "bias", "size"),
    [
        (4095, 204, 250, 0, 300),
        (0, 0, (1 << 17) - 1, 4095 << 7, 20_000),  # u wraps, v clips
        (100, 50, 1000, -7, 16_000),
        (2048, 4096, 10, 5, 40),
    ],
)
def test_loihi_and_slayer_are_the_loop_in_64_bits(du, dv, vth, bias, size):
    x = np.random.default_rng(du).integers(-size, size, (80, 2, 5)) + size // 8
    z, u, v, _ = loihi_in_words(x, du, dv, vth, bias)
    spikes, states = loihi(Loihi(vth, du, dv, bias), jnp.asarray(x, jnp.int32))
    assert 0 < z.mean() < 1
    assert bool(states["saturated"].any()) is (size > 10_000)
    for ours, theirs in ((spikes, z), (states["u"], u), (states["v"], v)):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == jnp.int32
    z, u, _, before = loihi_in_words(x // 64, du, dv, vth, bias, bounded=False)
    spikes, states = slayer_cuba(Loihi(vth, du, dv, bias), jnp.asarray(x // 64, jnp.int32))
    for ours, theirs in ((spikes, z), (states["u"], u), (states["v"], before)):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shift", [0, 3, 7])
def test_xylo_is_the_loop_that_adds_each_spike(shift):
    rng = np.random.default_rng(shift)
    weight, recurrent = rng.integers(-128, 128, (4, 3)), rng.integers(-128, 128, (3, 3))
    x = rng.integers(0, 18, (30, 4)) * (rng.random((30, 4)) < 0.5)
    shifts = dict(synapse_shift=2, leak_shift=3, shift=shift, recurrent_shift=max(0, shift - 2))
    rest = dict(threshold=120 << shift, bias=-2, most=5, **shifts)
    whole = Xylo(jnp.asarray(weight), recurrent=jnp.asarray(recurrent), **rest)
    expected = xylo_in_words(x, Xylo(weight, recurrent=recurrent, **rest))
    spikes, states = xylo(whole, jnp.asarray(x))
    for ours, theirs in zip((spikes, states["i"], states["v"]), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert spikes.max() > (1 if shift < 7 else -1)
    assert bool(states["saturated"].any()) is (shift > 0)


def test_a_product_of_36_bits_is_exact_in_32():
    k, x = np.arange(4097)[:, None], np.array([1, 4095, 4096, TOP, TOP + 1, 2**31 - 1])
    x = np.concatenate([x, -x])
    ours = fixed_lif.decayed(jnp.asarray(x, jnp.int32), jnp.asarray(k, jnp.int32))
    np.testing.assert_array_equal(ours, truncated(x, k))


def test_numbers_must_be_whole_and_any_axes_serve():
    with pytest.raises(ValueError, match="integer neurons take whole numbers, got float32"):
        loihi(Loihi(10), jnp.ones((3, 1)))
    with pytest.raises(ValueError, match="whole numbers, got float"):
        xylo(Xylo(jnp.ones((2, 2)), 5), jnp.ones((3, 2), int))
    x = np.random.default_rng(0).integers(-9, 20, (6, 2, 3, 4))
    many, _ = jax.vmap(lambda x: dynapcnn(DynapCnn(9), x))(jnp.asarray(x.swapaxes(0, 1)))
    np.testing.assert_array_equal(many.swapaxes(0, 1), dynapcnn(DynapCnn(9), jnp.asarray(x))[0])


def states_of(family, c):
    """(our array, theirs) of every state and spike of a case."""
    whole = lambda name: jnp.asarray(c[name], jnp.int32)
    if family == "loihi_lif":
        bias = c["bias_mant"] << c["bias_exp"]
        z, s = loihi(Loihi(c["vth"], c["du"], c["dv"], bias), whole("input"))
        return [(z, c["spikes"]), (s["u"], c["u"]), (s["v"], c["v"])]
    if family == "slayer_cuba":
        device = [c["device"][name] for name in ("vThMant", "iDecay", "vDecay")]
        z, s = slayer_cuba(Loihi(*device), whole("input_x64").T)
        pairs = (z, "spikes"), (s["u"], "current_x4096"), (s["v"], "voltage_x4096")
        return [(ours.T, c[name]) for ours, name in pairs]
    if family == "dynapcnn_iaf":
        axes = ("NCHW", "OIHW", "NCHW")
        sums = jax.lax.conv_general_dilated(
            whole("input"), whole("weight_int"), (1, 1), "SAME", dimension_numbers=axes
        )
        sums = sums + whole("bias_int")[:, None, None]
        z, s = dynapcnn(DynapCnn(c["threshold_int"], c["min_v_mem_int"]), sums)
        return [(z, c["spikes"]), (s["v"][-1], c["v_end"])]
    a = {name: whole(name) for name in c if isinstance(c[name], list)}
    hidden = Xylo(a["w_in"], a["th"], a["ds"], a["dm"], a["bias"], a["w_rec"], c["si"], c["sr"])
    z, s = xylo(hidden, a["input"])
    late = jnp.concatenate([jnp.zeros_like(z[:1]), z[:-1]])
    own = a["w_out"], a["tho"], a["dso"], a["dmo"], a["bias_out"]
    out, o = xylo(Xylo(*own, shift=c["so"], most_in=31, most=1), late)
    names = "hidden_spikes", "hidden_i", "hidden_v", "out", "i_out", "v_out"
    ours = z, s["i"], s["v"], out, o["i"], o["v"]
    return [(mine, c[name]) for mine, name in zip(ours, names, strict=True)]


@pytest.mark.skipif(not SHARED.is_file(), reason="there are no shared traces")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_state_of_the_shared_traces_is_equal(family):
    cases = json.loads(SHARED.read_text())[family]["cases"]
    assert len(cases) == FAMILIES[family]
    for case in cases:
        for ours, theirs in states_of(family, case):
            np.testing.assert_array_equal(ours, theirs)
