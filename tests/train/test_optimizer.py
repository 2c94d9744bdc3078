"""AdamW's schedule and decay, by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from jaxdigits.models import mlp
from jaxdigits.train import Recipe, adamw, fit, fit_population
from jaxdigits.train.optimizer import SCHEDULES

STEPS = 40


def updates(learning_rate, steps=STEPS, **options):
    """[steps] of a param whose gradient is always 1: Adam passes the rate itself."""
    optimizer, params = adamw(learning_rate, steps, **options), jnp.zeros(1)

    def step(state, _):
        update, state = optimizer.update(jnp.ones(1), state, params)
        return state, -update[0]

    return jax.lax.scan(step, optimizer.init(params), length=steps)[1]


def test_the_rate_warms_up_to_its_peak_and_falls_along_a_cosine_to_nearly_zero():
    rates = np.asarray(updates(0.5))
    k = np.arange(1, STEPS + 1)
    warm = 2  # 5 % of 40 steps
    falling = 0.25 * (1 + np.cos(np.pi * (k - warm) / (STEPS + 1 - warm)))
    np.testing.assert_allclose(rates, np.where(k < warm, 0.5 * k / warm, falling), rtol=1e-4)
    assert rates.argmax() == warm - 1
    assert 0 < rates[-1] < 0.5 / 500


def test_one_cycle_rises_for_three_tenths_and_falls_to_next_to_nothing():
    rates = np.asarray(updates(0.5, schedule="one_cycle"))
    top = 12  # three tenths of 41 steps
    rising = np.arange(1, top + 1) / top
    wave = lambda share: (1 - np.cos(np.pi * share)) / 2
    wanted = 0.5 * (1 / 25 + 24 / 25 * wave(rising))
    np.testing.assert_allclose(rates[:top], wanted, rtol=1e-4)
    assert rates.argmax() == top - 1
    assert (np.diff(rates[top:]) < 0).all()
    falling = wave(1 - (np.arange(top + 1, STEPS + 1) - top) / (STEPS + 1 - top))
    np.testing.assert_allclose(rates[top:], 0.5 * falling, atol=1e-5)


def test_a_constant_rate_is_the_peak_always():
    np.testing.assert_allclose(updates(0.5, schedule="constant"), 0.5, rtol=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_schedule_has_a_rate_for_each_of_a_few_steps(schedule):
    for steps in (1, 2, 3):
        rates = np.asarray(updates(0.5, steps=steps, schedule=schedule))
        assert ((rates > 0) & (rates <= 0.5001)).all()


def test_an_unknown_schedule_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="unknown schedule 'steps': choose from cosine, one"):
        adamw(1e-3, 3, schedule="steps")


def test_a_single_step_has_the_full_rate():
    np.testing.assert_allclose(updates(0.5, steps=1), [0.5], rtol=1e-5)


def test_only_arrays_of_two_axes_or_more_decay():
    params = dict(weight=jnp.full((2, 3), 2.0), kernel=jnp.full((1, 1, 1, 2), 2.0),
                  bias=jnp.full(3, 2.0), scalar=jnp.array(2.0))  # fmt: skip
    optimizer = adamw(0.5, 1, weight_decay=0.25)
    zero = jax.tree.map(jnp.zeros_like, params)
    update, _ = optimizer.update(zero, optimizer.init(params), params)
    after = optax.apply_updates(params, update)
    for name, left in dict(weight=1.75, kernel=1.75, bias=2.0, scalar=2.0).items():
        np.testing.assert_array_equal(after[name], jnp.full_like(params[name], left))


def test_the_learning_rate_may_be_traced_one_per_member():
    rates = jnp.array([1e-3, 1e-1])
    together = jax.vmap(updates)(rates)
    for rate, row in zip([1e-3, 1e-1], together, strict=True):
        np.testing.assert_allclose(row, updates(rate), rtol=1e-6)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="updates must be >= 1, got 0"):
        adamw(1e-3, 0)


NETWORK = partial(mlp, hidden=(4,), dropout_rate=0.0)


def trained(small, optimizer, epochs=2):
    return fit(Recipe(NETWORK, optimizer, epochs=epochs, batch=64), *small, jax.random.key(0))


def test_an_optimizer_that_takes_the_loss_gets_it(small):
    plateau = optax.contrib.reduce_on_plateau(factor=0.5, patience=1, rtol=0.99)
    state = trained(small, optax.chain(optax.sgd(0.1), plateau)).state.opt_state[1]
    # Eight updates, of which none improves the first loss by 99 %.
    assert float(state.scale) == 0.5**7
    first = trained(small, optax.sgd(0.0), 1).history[0]["loss"]
    assert float(state.best_value) == pytest.approx(first, rel=0.2)


def test_an_optimizer_of_extra_arguments_without_the_loss_works(small):
    sgd = optax.sgd(0.1)

    def update(updates, state, params=None):
        return sgd.update(updates, state, params)

    strict = optax.GradientTransformationExtraArgs(sgd.init, update)
    strict, plain = trained(small, strict, 1).params, trained(small, sgd, 1).params
    jax.tree.map(np.testing.assert_array_equal, strict, plain)


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [(optax.lbfgs(), "value_fn"), (optax.lookahead(optax.sgd(0.1), 5, 0.5), "fast")],
)
def test_an_optimizer_that_needs_more_is_one_line(small, optimizer, reason):
    with pytest.raises(ValueError, match=f"optimizer must work .*{reason}.*: take") as caught:
        trained(small, optimizer)
    assert "\n" not in str(caught.value)
    many = Recipe(NETWORK, lambda h: optimizer, epochs=1, batch=64)
    with pytest.raises(ValueError, match="optimizer must work with gradients, params and"):
        fit_population(many, *small, jax.random.split(jax.random.key(0), 2))
