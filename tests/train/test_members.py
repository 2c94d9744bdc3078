"""Members of a population: recipes of their own, together or in turn, each as if alone."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits import augment as au
from jaxdigits import gradients, losses
from jaxdigits import layers as ly
from jaxdigits.layer import Layer, serial
from jaxdigits.models import cnn, conv_snn, event_snn, mlp, snn
from jaxdigits.quantise import quantised
from jaxdigits.train import Member, Recipe, fit, fit_population
from jaxdigits.train.loop import programs_of
from jaxdigits.train.members import take_turns

KEYS = jax.random.split(jax.random.key(3), 2)
SMALL = partial(mlp, hidden=(8,), dropout_rate=0.25)
SGD = optax.sgd(0.05)
RECIPE = Recipe(SMALL, SGD, epochs=2, batch=64, ema=0.9)
CONVOLUTIONS = partial(cnn, channels=(2,), hidden=(4,))


def own_parts(h, strength=None):
    """A member of one strength throughout, or (for one network) of a plain number."""
    h = h["strength"] if strength is None else strength
    return Member(
        partial(mlp, hidden=(8,), dropout_rate=h, input_noise=h),
        losses.cross_entropy(h / 2), optax.sgd(h / 4), 1 - h,
        gradients.adversarial(h / 8), au.warp(au.affine(shift=2 * h)),
    )  # fmt: skip


def same(a, b, tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * np.abs(y).max())


def row(tree, i):
    return jax.tree.map(lambda a: a[i], tree)


@pytest.mark.parametrize("members", ["together", "in turn"])
def test_a_member_is_what_fit_trains_with_its_own_parts(small, members, float64):
    recipe = replace(RECIPE, members=members)
    strengths = {"strength": jnp.array([0.25, 0.5])}
    many = fit_population(recipe, *small, KEYS, strengths, member=own_parts)
    alone = fit(replace(RECIPE, **own_parts(None, 0.5)._asdict()), *small, KEYS[1])
    same(row(many.params, 1), alone.params, 1e-12)
    assert many.history[1]["loss"][1] == pytest.approx(alone.history[1]["loss"], abs=1e-12)
    other = max(np.abs(row(many.params, 0)[i]["weight"]).max() for i in (3,))
    assert abs(other - np.abs(alone.params[3]["weight"]).max()) > 1e-3


def test_members_in_turn_are_the_members_together_and_those_of_fit(small, float64):
    recipe = Recipe(CONVOLUTIONS, lambda _: SGD, epochs=1, batch=64)
    both = {
        way: fit_population(replace(recipe, members=way), *small, KEYS)
        for way in ("together", "in turn")
    }
    alone = fit(replace(recipe, optimizer=SGD), *small, KEYS[0])
    for many in both.values():
        same(row(many.params, 0), alone.params, 1e-12)
        same(row(many.statistics, 0), alone.statistics, 1e-12)
    same(both["in turn"].params, both["together"].params, 1e-12)


def test_convolutions_and_events_take_turns_on_a_cpu_wherever_they_are(monkeypatch):
    stored = partial(conv_snn, channels=(2, 2), storage="byte")
    slow = [cnn(), conv_snn(), stored(), quantised(cnn(), 3), event_snn()]
    quick = [mlp(), snn(), serial(ly.dense(3)), Layer(*mlp()[:3])]
    assert [take_turns(None, network) for network in slow + quick] == 5 * [True] + 4 * [False]
    assert [take_turns("together", slow[0]), take_turns("in turn", quick[0])] == [False, True]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not any(take_turns(None, network) for network in slow)


@pytest.mark.parametrize(("build", "loops"), [(CONVOLUTIONS, True), (SMALL, False)])
def test_the_program_of_a_population_follows_its_network(small, build, loops):
    recipe = replace(RECIPE, build=build)
    begin = programs_of(recipe, *small).begin
    text = str(jax.make_jaxpr(begin)((), KEYS, None, small[0]))
    assert ("length=2" in text) == loops


def test_a_lane_that_starts_late_and_moves_is_fit_alone(small, float64):
    build = lambda h: partial(SMALL, dropout_rate=h["rate"])
    lane = lambda h: Member(build(h), optimizer=optax.sgd(h["lr"]))
    h = {"rate": jnp.array([0.25, 0.5]), "lr": jnp.array([0.1, 0.05])}
    programs = programs_of(RECIPE, *small, lane)

    def epoch(h, state, best):
        return programs.finish(h, state, best, np.zeros((2, 0)), *small)[:2]

    first = epoch(h, *programs.begin(h, KEYS, None, small[0]))
    late = {"rate": jnp.full(2, 0.125), "lr": jnp.full(2, 0.2)}
    fresh = programs.begin(late, jnp.stack([jax.random.key(9)] * 2), None, small[0])
    # Lane 0 gets the new trial, and lane 1 what was in lane 0.
    mixed = jax.tree.map(lambda a, b: jnp.stack([a[0], b[0]]), (late, *fresh), (h, *first))
    _, best = epoch(mixed[0], *epoch(*mixed))
    alone = replace(RECIPE, build=partial(SMALL, dropout_rate=0.125), optimizer=optax.sgd(0.2))
    same(row(best.params, 0), fit(alone, *small, jax.random.key(9)).params, 1e-12)
    assert best.epoch.min() > 0


@pytest.mark.parametrize(
    ("hyper", "member", "message"),
    [
        ({"rate": [0.1, 1.5]}, lambda h: Member(partial(SMALL, dropout_rate=h["rate"])),
         r"^hyperparameters of member 1: rate must be in \[0, 1\), got 1.5"),
        ({"noise": [0.1, 0.0]}, lambda h: Member(partial(SMALL, input_noise=h["noise"])),
         "^hyperparameters of member 1 have a number that means 'absent', as 0 does: train"),
        ({"rate": [0.1, 0.2], "noise": [0.1, 0.2]},
         lambda h: Member(partial(SMALL, dropout_rate=h["rate"])),
         r"^hyperparameters\['noise'\] changes no update: the optimizer or the member must"),
        ({"rate": [0.1, 0.2]}, lambda h: SGD, "member must return a Member, got GradientTr"),
        ({"steps": [2.0, 3.0]}, lambda h: Member(partial(snn, steps=h["steps"])),
         "^steps decides the program: pass a number that is not traced"),
    ],
)  # fmt: skip
def test_hyperparameters_that_do_not_fit_are_refused(small, hyper, member, message):
    hyper = {name: jnp.array(values) for name, values in hyper.items()}
    with pytest.raises(ValueError, match=message):
        fit_population(RECIPE, *small, KEYS, hyper, member=member)


def test_an_average_and_a_way_are_refused_by_name(small):
    ema, h = lambda h: Member(ema=h), jnp.array([0.5, 0.9])
    with pytest.raises(ValueError, match="ema of a member needs a recipe with ema: pass any"):
        fit_population(replace(RECIPE, ema=None), *small, KEYS, h, member=ema)
    with pytest.raises(ValueError, match="members must be one of None, together, in turn, got"):
        replace(RECIPE, members="both")
