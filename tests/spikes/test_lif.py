"""LIF neurons of every convention: hand arithmetic, plain loops, JAX, differences, laws."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import (
    Convention,
    alif,
    arctan,
    cuba_lif,
    fast_sigmoid,
    lif,
    sigmoid,
    snntorch_leaky,
    soft_twin,
    triangle,
)
from jaxdigits.spikes.lif import make_membrane

KEY = jax.random.key(0)
BOTH = ("decay", "threshold")
GAINS = (1.0, 0.5)  # of two neurons, so that each convention has both
CONVENTIONS = [
    Convention(*fields)
    for fields in itertools.product(
        ("subtract", 0.25), ("next", "same"), ("above", "at"), ("one", "several"),
        ("new", "old"), (False, True), (GAINS,), (False, True),
    )
]  # fmt: skip
named = lambda c: f"{c.reset}-{c.reset_step}"
OTHER = CONVENTIONS[-1]
groups = pytest.mark.parametrize(
    "group",
    [list(g) for _, g in itertools.groupby(CONVENTIONS, named)],
    ids=lambda g: named(g[0]),
)


def quarters(shape):
    """Currents by which neurons fire now and then; sums and halves of them are exact."""
    return np.random.default_rng(0).integers(-2, 13, shape) / 4


def normal(shape):
    return np.random.default_rng(1).normal(0.9, 1.2, shape)


def plain(convention, gain, current, beta=0.5, theta=1.0):
    """The spikes and potentials of one neuron, written down as the libraries do."""
    found, emitted, before, end = 0.0, [], [], []
    late = 0.0
    for i in current:
        v = found + gain * (1 - beta if convention.normalise else 1) * i
        if convention.spikes == "one":
            z = float(v > theta or (v == theta and convention.fires == "at"))
        else:
            z = 0.0
            while v > (z + 1) * theta or (v == (z + 1) * theta and convention.fires == "at"):
                z += 1
        after = v - theta * z
        if convention.reset != "subtract":
            after = convention.reset if z else v
        if convention.reset_step == "same":
            found, last = beta * after, after
        elif convention.reset == "subtract":
            found, last = beta * v - theta * z, v
        else:
            found, last = (convention.reset if z else beta * v), v
        emitted.append(late if convention.spike_from == "old" else z)
        late = z
        before.append(v)
        end.append(last)
    return emitted, before, end


@groups
@pytest.mark.usefixtures("float64")
def test_every_convention_is_the_plain_loop_and_has_the_gradient_of_jax(group, gradients):
    current = quarters((6, 3, 2))
    current[0, 0] = 1, 2  # with a gain of 1 and of 1/2, exactly at the threshold
    layers = [lif(sigmoid(2.0), decay=0.5, convention=c, learn=BOTH) for c in group]
    for convention, (_, kept) in zip(group, gradients(layers, current), strict=True):
        end = np.asarray(make_membrane(fast_sigmoid(), convention).end(kept.v, 1.0))
        for train in np.ndindex(3, 2):
            wanted = plain(convention, GAINS[train[1]], current[:, *train])
            got = kept.spikes[:, *train], kept.v[:, *train], end[:, *train]
            np.testing.assert_array_equal(got, wanted)
        assert 0.05 < kept.spikes.mean() < 2


@pytest.mark.usefixtures("float64")
def test_what_is_not_learned_changes_no_other_gradient(gradients):
    options = dict(decay=[0.5, 0.75], threshold=[0.5, 1.0], convention=OTHER)
    learned = [
        lif(sigmoid(), **options, learn=n) for n in ((), ("decay",), ("threshold",), BOTH)
    ]
    found = gradients(learned, normal((6, 3, 2)))
    full, lam = found[-1][0]
    for (grads, x_bar), _ in found:
        np.testing.assert_allclose(x_bar, lam, rtol=1e-12)
        for name, bar in grads.items():
            np.testing.assert_allclose(bar, full[name], rtol=1e-12)
    assert [sorted(grads) for (grads, _), _ in found] == [
        [],
        ["decay"],
        ["threshold"],
        [*BOTH],
    ]


@pytest.mark.usefixtures("float64")
def test_the_gradient_by_hand_is_that_of_differences_when_firing_is_soft(slopes):
    options = dict(decay=0.75, threshold=0.5, learn=BOTH)
    twin = soft_twin(sigmoid(2.0))
    soft = [c for c in CONVENTIONS if c.differentiate_reset and c.spike_from == "new"]
    soft = [c for c in soft if (c.fires, c.spikes) == ("above", "one")]  # choices of hard ones
    soft += [replace(soft[0], spike_from="old")]
    layers = [lif(twin, convention=c, **options) for c in soft]
    by_hand, differences = slopes(layers, normal((6, 3, 2)))
    assert len(by_hand) == 8 + 1
    np.testing.assert_allclose(by_hand, differences, rtol=1e-7)


# All numbers below are exact in float32: β = 1/2, θ = 3/4, iₜ = 5/8, h(u) = 1 − |u|, s̄ₜ = 1.
DYADIC = dict(surrogate=triangle(), decay=0.5, threshold=0.75)
CURRENT = jnp.full((5, 1), 5 / 8)
HAND = {  # (reset, its step, fires): potentials before reset, spikes
    ("subtract", "next", "above"): (
        [5 / 8, 15 / 16, 11 / 32, 51 / 64, 35 / 128],
        [0, 1, 0, 1, 0],
    ),
    (0.0, "next", "above"): ([5 / 8, 15 / 16, 5 / 8, 15 / 16, 5 / 8], [0, 1, 0, 1, 0]),
    ("subtract", "same", "above"): (
        [5 / 8, 15 / 16, 23 / 32, 63 / 64, 95 / 128],
        [0, 1, 0, 1, 0],
    ),
    (0.25, "same", "above"): ([5 / 8, 15 / 16, 3 / 4, 1, 3 / 4], [0, 1, 0, 1, 0]),
    (0.25, "same", "at"): ([5 / 8, 15 / 16, 3 / 4, 3 / 4, 3 / 4], [0, 1, 1, 1, 1]),
    (0.25, "next", "at"): ([5 / 8, 15 / 16, 7 / 8, 7 / 8, 7 / 8], [0, 1, 1, 1, 1]),
}
LAMBDA = {  # of the first three steps, by (reset, its step, whether it is differentiated)
    ("subtract", "next", False): [183 / 128, 71 / 64, 19 / 32],
    ("subtract", "next", True): [49689 / 65536, 1531 / 2048, 19 / 32],
    (0.0, "next", False): [41 / 32, 13 / 16, 7 / 8],
    (0.0, "next", True): [515679 / 524288, 1963 / 4096, 7 / 8],
    ("subtract", "same", False): [195 / 128, 83 / 64, 31 / 32],
    ("subtract", "same", True): [274509 / 262144, 4103 / 4096, 31 / 32],
    (0.25, "next", False): [7 / 8 + 13 / 32, 13 / 16, 7 / 8],
}
CONSTANTS = {  # (∂L/∂β, ∂L/∂θ) of the same, with the reset held
    "subtract": (5 / 4, -23 / 8),
    0.0: (65 / 128, -41 / 16),
}
resets = pytest.mark.parametrize("reset", ["subtract", 0.0])


def run(layer, current, params=()):
    return layer.forward(params, current, None)


@pytest.mark.parametrize(("reset", "step", "fires"), HAND)
def test_potentials_and_spikes_match_hand_arithmetic(reset, step, fires):
    convention = Convention(reset=reset, reset_step=step, fires=fires)
    spikes, kept = run(lif(**DYADIC, convention=convention), CURRENT)
    v, s = HAND[reset, step, fires]
    np.testing.assert_array_equal(kept.v[:, 0], v)
    np.testing.assert_array_equal(spikes[:, 0], s)
    np.testing.assert_array_equal(kept.spikes, spikes)


@pytest.mark.parametrize(("reset", "step", "differentiated"), LAMBDA)
def test_the_gradient_matches_hand_arithmetic(reset, step, differentiated):
    convention = Convention(reset=reset, reset_step=step, differentiate_reset=differentiated)
    layer = lif(**DYADIC, convention=convention)
    spikes, kept = run(layer, CURRENT[:3])
    _, lam = layer.backward((), kept, jnp.ones_like(spikes))
    np.testing.assert_array_equal(lam[:, 0], LAMBDA[reset, step, differentiated])


@resets
def test_the_gradient_of_learned_constants_matches_hand_arithmetic(reset):
    layer = lif(**DYADIC, convention=Convention(reset=reset), learn=BOTH)
    params, _ = layer.init(KEY, (1,))
    spikes, kept = run(layer, CURRENT[:3], params)
    grads, lam = layer.backward(params, kept, jnp.ones_like(spikes))
    beta_bar, theta_bar = CONSTANTS[reset]
    np.testing.assert_allclose(lam[:, 0], LAMBDA[reset, "next", False], rtol=1e-6)
    np.testing.assert_allclose(grads["decay"], 0.5 * (1 - 0.5) * beta_bar, rtol=1e-6)
    np.testing.assert_allclose(grads["threshold"], 0.75 * theta_bar, rtol=1e-6)


def test_a_potential_at_the_threshold_does_not_fire():
    spikes, _ = run(lif(decay=0.0, threshold=0.5), jnp.array([[0.5], [0.5 + 2.0**-20]]))
    np.testing.assert_array_equal(spikes[:, 0], [0, 1])


@pytest.mark.parametrize("eighths", range(1, 9))
def test_without_leak_each_unit_of_charge_is_one_spike(eighths):
    # 40 steps bring 5 × eighths units; "fires above θ" leaves the last unit unfired.
    spikes, _ = run(lif(decay=1.0, threshold=1.0), jnp.full((40, 1), eighths / 8))
    assert spikes.sum() == 5 * eighths - 1


@pytest.mark.parametrize("spikes", ["one", "several"])
@pytest.mark.parametrize("step", ["next", "same"])
def test_without_leak_no_charge_is_lost(step, spikes):
    """Charge in = θ × spikes + what is left on the membrane, to the last bit."""
    convention = Convention(reset_step=step, spikes=spikes, fires="at", gain=0.5)
    current = quarters((50, 7)).astype(np.float32)
    layer = lif(decay=1.0, threshold=0.75, convention=convention)
    fired, kept = run(layer, jnp.asarray(current))
    left = kept.v[-1] - 0.75 * fired[-1]
    np.testing.assert_array_equal(0.5 * current.sum(0), 0.75 * fired.sum(0) + left)
    assert fired.max() == (1 if spikes == "one" else 2)
    assert 0.1 < (fired > 0).mean() < 0.9
    if spikes == "several":
        assert left.max() < 0.75


def test_below_threshold_the_potential_is_the_geometric_sum():
    # v_T = i (1 − βᵀ) / (1 − β), by halves
    _, kept = run(lif(decay=0.5, threshold=1.0), jnp.full((8, 1), 0.25))
    np.testing.assert_array_equal(kept.v[:, 0], [0.5 * (1 - 0.5**t) for t in range(1, 9)])


def test_without_memory_the_gradient_is_the_slope_alone():
    layer = lif(decay=0.0, threshold=0.5, convention=Convention(reset=0.0))
    current = jax.random.normal(KEY, (6, 3))
    _, kept = run(layer, current)
    np.testing.assert_array_equal(kept.v, current)
    _, lam = layer.backward((), kept, jnp.ones_like(current))
    np.testing.assert_allclose(lam, (1 + 25 * jnp.abs(current - 0.5)) ** -2.0, rtol=1e-5)


@pytest.mark.parametrize("spikes", ["one", "several"])
def test_some_conventions_are_the_same_neuron(spikes):
    current = jnp.asarray(quarters((30, 5)), jnp.float32)
    base = Convention(spikes=spikes)

    def of(current, **choices):
        layer = lif(decay=0.5, threshold=0.75, convention=replace(base, **choices))
        fired, kept = run(layer, current)
        return fired, kept.v

    same = lambda a, b: jax.tree.map(np.testing.assert_array_equal, a, b)
    # After a reset to zero, nothing is left that could leak.
    same(of(current, reset=0.0), of(current, reset=0.0, reset_step="same"))
    new, v = of(current)
    old, v_old = of(current, spike_from="old")
    same((new[:-1], v), (old[1:], v_old))
    assert not old[0].any()
    assert new.any()
    same(of(current / 2), of(current, gain=0.5))
    same(of(current), of(current, gain=2.0, normalise=True))


@pytest.mark.parametrize("reset", ["subtract", 0.25])
def test_float32_stays_float32(reset, float64):
    convention = Convention(
        reset=reset, reset_step="same", spikes="several", gain=0.5, normalise=True
    )
    layer = lif(decay=0.9, threshold=0.5, convention=convention, learn=BOTH)
    params = jax.tree.map(jnp.float32, layer.init(KEY, (2,))[0])
    y, kept = run(layer, jnp.ones((4, 3, 2), jnp.float32), params)
    leaves = jax.tree.leaves((y, kept, layer.backward(params, kept, y)))
    assert {leaf.dtype for leaf in leaves} == {np.dtype("float32")}


def test_forward_mode_agrees_with_the_gradient_by_hand():
    flow = Convention(differentiate_reset=True)
    layer = lif(arctan(), decay=0.75, threshold=0.5, convention=flow)
    current, push = jax.random.normal(KEY, (2, 12, 4))
    (spikes, kept), (moved, _) = jax.jvp(lambda i: run(layer, i), (current,), (push,))
    assert 0.05 < spikes.mean() < 0.95
    y_bar = jax.random.normal(jax.random.key(1), spikes.shape)
    lam = layer.backward((), kept, y_bar)[1]
    np.testing.assert_allclose(jnp.vdot(y_bar, moved), jnp.vdot(lam, push), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: lif(decay=1.5), r"decay must be in \[0, 1\], got 1.5"),
        (lambda: lif(decay=[0.5, -0.1]), "decay"),
        (lambda: lif(decay=float("nan")), "decay"),
        (lambda: lif(threshold=0.0), "threshold must be > 0, got 0.0"),
        (lambda: lif(threshold=[1.0, -1.0]), "threshold must be > 0"),
        (lambda: lif(learn=("delay",)), r"learn takes names from .*decay.*threshold.*'delay'"),
        (lambda: lif(learn=("decay",), decay=1.0), "learned decay must start inside"),
        (lambda: lif(learn=("decay",), decay=0.0), "learned decay must start inside"),
        (lambda: lif(learn="decay"), r"learn must be a tuple: \('decay',\), got 'decay'"),
        (lambda: lif(convention=dict(reset=0.0)), "convention must be a Convention"),
        (lambda: lif(convention=Convention(reset=1.0)), "below the threshold 1.0, got 1.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("make", [lif, cuba_lif, alif])
@pytest.mark.parametrize("given", [0.9, 0.0, sigmoid, snntorch_leaky(0.9), {}])
def test_what_is_no_surrogate_is_refused(make, given):
    with pytest.raises(ValueError, match=r"must be a Surrogate, as fast_sigmoid\(\), got"):
        make(given)


def test_currents_are_floats_of_jax():
    current = np.full((4, 2), 0.75)  # in float64, without a warning
    spikes, _ = lif(**DYADIC).forward((), current, None)
    assert spikes.dtype == jnp.float32
    with pytest.raises(ValueError, match="currents must be floats, got int32"):
        lif().forward((), jnp.ones((4, 2), int), None)
