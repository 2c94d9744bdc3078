"""LIF neurons of every convention: plain loops, hand arithmetic, JAX, differences, laws."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import Traces, sigmoid, soft_twin, triangle
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.neuron import lif, lif_neuron, membrane_potential
from jaxdigits.spikes.unroll import over_time

BOTH = ("decay", "threshold")
GAINS = (1.0, 0.5)  # of two neurons, so that each convention has both
CONVENTIONS = [
    Convention(*fields)
    for fields in itertools.product(
        ("subtract", 0.25), ("next", "same"), ("above", "at"), ("one", "several"),
        ("new", "old"), (False, True), (GAINS,), (False, True),
    )
]  # fmt: skip
CORNERS = [
    replace(c, differentiate_reset=diff)
    for c in CONVENTIONS
    if (c.fires, c.spikes, c.spike_from, c.normalise, c.differentiate_reset)
    == ("at", "several", "new", True, False)
    for diff in (False, True)
]
named = lambda c: f"{c.reset}-{c.reset_step}"
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
        end = np.asarray(membrane_potential(kept, convention=convention))
        for train in np.ndindex(3, 2):
            wanted = plain(convention, GAINS[train[1]], current[:, *train])
            got = kept.spikes[:, *train], kept.v[:, *train], end[:, *train]
            np.testing.assert_array_equal(got, wanted)
        assert 0.05 < kept.spikes.mean() < 2


@pytest.mark.usefixtures("float64")
def test_the_gradient_of_a_loss_on_the_membrane_is_that_of_jax(gradients):
    layers = [
        over_time(
            lif_neuron(sigmoid(2.0), decay=0.75, threshold=0.5, convention=c, learn=BOTH),
            emit="potential",
        )
        for c in CORNERS
    ]
    for _, kept in gradients(layers, normal((6, 3, 2))):
        assert 0.02 < kept.spikes.mean() < 2


@pytest.mark.usefixtures("float64")
def test_what_is_not_learned_changes_no_other_gradient(gradients):
    options = dict(decay=[0.5, 0.75], threshold=[0.5, 1.0], convention=CORNERS[-1])
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
    neuron = lambda c: lif_neuron(twin, convention=c, **options)
    soft = [c for c in CONVENTIONS if c.differentiate_reset and c.spike_from == "new"]
    soft = [c for c in soft if (c.fires, c.spikes) == ("above", "one")]  # choices of hard ones
    soft += [replace(soft[0], spike_from="old")]
    layers = [over_time(neuron(c)) for c in soft]
    layers += [over_time(neuron(c), emit="potential") for c in CORNERS if c.differentiate_reset]
    by_hand, differences = slopes(layers, normal((6, 3, 2)))
    assert len(by_hand) == 8 + 1 + 4
    np.testing.assert_allclose(by_hand, differences, rtol=1e-7)


# All numbers below are exact in float32: β = 1/2, θ = 3/4, iₜ = 5/8, h(u) = 1 − |u|, s̄ₜ = 1.
HAND = {  # (reset, its step, fires): potentials before reset, spikes
    ("subtract", "same", "above"): (
        [5 / 8, 15 / 16, 23 / 32, 63 / 64, 95 / 128],
        [0, 1, 0, 1, 0],
    ),
    (0.25, "same", "above"): ([5 / 8, 15 / 16, 3 / 4, 1, 3 / 4], [0, 1, 0, 1, 0]),
    (0.25, "same", "at"): ([5 / 8, 15 / 16, 3 / 4, 3 / 4, 3 / 4], [0, 1, 1, 1, 1]),
    (0.25, "next", "at"): ([5 / 8, 15 / 16, 7 / 8, 7 / 8, 7 / 8], [0, 1, 1, 1, 1]),
}
LAMBDA = {  # of the first three steps, by (reset, its step, whether it is differentiated)
    ("subtract", "same", False): [195 / 128, 83 / 64, 31 / 32],
    ("subtract", "same", True): [274509 / 262144, 4103 / 4096, 31 / 32],
    (0.25, "next", False): [7 / 8 + 13 / 32, 13 / 16, 7 / 8],
}


@pytest.mark.parametrize(("reset", "step", "fires"), HAND)
def test_potentials_and_spikes_match_hand_arithmetic(reset, step, fires):
    convention = Convention(reset=reset, reset_step=step, fires=fires)
    layer = lif(decay=0.5, threshold=0.75, convention=convention)
    spikes, kept = layer.forward((), jnp.full((5, 1), 5 / 8), None)
    v, s = HAND[reset, step, fires]
    np.testing.assert_array_equal(kept.v[:, 0], v)
    np.testing.assert_array_equal(spikes[:, 0], s)


@pytest.mark.parametrize(("reset", "step", "differentiated"), LAMBDA)
def test_the_gradient_matches_hand_arithmetic(reset, step, differentiated):
    convention = Convention(reset=reset, reset_step=step, differentiate_reset=differentiated)
    layer = lif(triangle(), decay=0.5, threshold=0.75, convention=convention)
    spikes, kept = layer.forward((), jnp.full((3, 1), 5 / 8), None)
    _, lam = layer.backward((), kept, jnp.ones_like(spikes))
    np.testing.assert_array_equal(lam[:, 0], LAMBDA[reset, step, differentiated])


@pytest.mark.parametrize("spikes", ["one", "several"])
@pytest.mark.parametrize("step", ["next", "same"])
def test_without_leak_no_charge_is_lost(step, spikes):
    """Charge in = θ × spikes + what is left on the membrane, to the last bit."""
    convention = Convention(reset_step=step, spikes=spikes, fires="at", gain=0.5)
    current = quarters((50, 7)).astype(np.float32)
    layer = lif(decay=1.0, threshold=0.75, convention=convention)
    fired, kept = layer.forward((), jnp.asarray(current), None)
    left = kept.v[-1] - 0.75 * fired[-1]
    np.testing.assert_array_equal(0.5 * current.sum(0), 0.75 * fired.sum(0) + left)
    assert fired.max() == (1 if spikes == "one" else 2)
    if spikes == "several":
        assert left.max() < 0.75


def run(current, **options):
    spikes, kept = lif(decay=0.5, threshold=0.75, **options).forward((), current, None)
    return spikes, kept.v


@pytest.mark.parametrize("spikes", ["one", "several"])
def test_some_conventions_are_the_same_neuron(spikes):
    current = jnp.asarray(quarters((30, 5)), jnp.float32)
    same = lambda a, b: jax.tree.map(np.testing.assert_array_equal, a, b)
    base = Convention(spikes=spikes)
    zero = replace(base, reset=0.0)  # nothing is left that could leak
    same(
        run(current, convention=zero), run(current, convention=replace(zero, reset_step="same"))
    )
    new, v = run(current, convention=base)
    old, v_old = run(current, convention=replace(base, spike_from="old"))
    same((new[:-1], v), (old[1:], v_old))
    assert not old[0].any()
    assert new.any()
    same(run(current / 2, convention=base), run(current, convention=replace(base, gain=0.5)))
    undone = replace(base, gain=2.0, normalise=True)
    same(run(current, convention=base), run(current, convention=undone))


@pytest.mark.parametrize("emit", ["spikes", "potential"])
def test_what_a_layer_emits_is_in_its_traces(emit):
    convention = Convention(reset=0.25, reset_step="same")
    current = jnp.asarray(quarters((9, 2, 3)), jnp.float32)
    layer = over_time(lif_neuron(decay=0.5, threshold=0.75, convention=convention), emit=emit)
    y, kept = layer.forward((), current, None)
    assert isinstance(kept, Traces)
    read = membrane_potential(kept, threshold=0.75, convention=convention)
    np.testing.assert_array_equal(y, kept.spikes if emit == "spikes" else read)


def test_a_learned_decay_near_one_has_a_finite_gradient():
    """1 − β is 0 in float32, and normalised input is multiplied by it."""
    layer = lif(threshold=0.5, learn=("decay",), convention=Convention(normalise=True))
    params = {"decay": jnp.full(2, 40.0)}
    spikes, kept = layer.forward(params, jnp.ones((5, 2)), None)
    grads, lam = layer.backward(params, kept, jnp.ones_like(spikes))
    assert np.isfinite(grads["decay"]).all()
    assert np.isfinite(lam).all()


@pytest.mark.parametrize("reset", ["subtract", 0.25])
def test_float32_stays_float32(reset, float64):
    convention = Convention(
        reset=reset, reset_step="same", spikes="several", gain=0.5, normalise=True
    )
    layer = lif(decay=0.9, threshold=0.5, convention=convention, learn=BOTH)
    params = jax.tree.map(jnp.float32, layer.init(jax.random.key(0), (2,))[0])
    y, kept = layer.forward(params, jnp.ones((4, 3, 2), jnp.float32), None)
    leaves = jax.tree.leaves((y, kept, layer.backward(params, kept, y)))
    assert {leaf.dtype for leaf in leaves} == {np.dtype("float32")}


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: lif(decay=1.5), r"decay must be in \[0, 1\], got 1.5"),
        (lambda: lif(threshold=[1.0, 0.0]), "threshold must be > 0"),
        (lambda: lif(learn=("delay",)), r"learn takes names from .*threshold.*got 'delay'"),
        (lambda: lif(learn=("decay",), decay=1.0), "learned decay must start inside"),
        (
            lambda: lif(convention=Convention(reset=1.0)),
            "reset must be below the threshold 1.0",
        ),
        (lambda: over_time(lif_neuron(), emit="current"), "emit must be .* got 'current'"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
