"""An epoch is ordinary JAX: what a plain loop over the same steps would do."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import Dataset
from jaxdigits.gradients import by_hand
from jaxdigits.losses import cross_entropy
from jaxdigits.models import snn
from jaxdigits.train import Recipe, adamw, initial_state, logits_of, run_epoch
from jaxdigits.train.epoch import before_first_epoch

BUILD = partial(snn, hidden=(8,), steps=4, dropout_rate=0.25)
KEY = jax.random.key(3)
N, BATCH, EPOCHS = 13, 4, 2  # so one example is left out of each epoch
TOTAL = EPOCHS * (N // BATCH)
RATE, DECAY, EMA = 0.25, 0.5, 0.6


def plain_loop(train, params):
    """(params, average, losses) of the same training, with nothing but `forward` shared."""
    network = BUILD(training=True)

    def loss(params, image, label, keys):
        logits, _ = network.forward(params, image, keys)
        return (jax.nn.logsumexp(logits, 1) - logits[jnp.arange(BATCH), label]).mean()

    gradient = jax.jit(jax.value_and_grad(loss))
    fold_in = jax.random.fold_in
    leaves, structure = jax.tree.flatten(params)
    p = [np.asarray(leaf) for leaf in leaves]
    average, m, v, losses = p, [0.0] * len(p), [0.0] * len(p), []
    for step in range(TOTAL):
        epoch, i = divmod(step, N // BATCH)
        order = jax.random.permutation(fold_in(fold_in(KEY, 1), epoch), N)
        rows = order[i * BATCH : (i + 1) * BATCH]
        keys = jnp.stack([fold_in(fold_in(fold_in(KEY, 2), step), row) for row in rows])
        params = jax.tree.unflatten(structure, p)
        value, grads = gradient(params, train.image[rows], train.label[rows], keys)
        losses.append(float(value))
        g = [np.asarray(leaf) for leaf in jax.tree.leaves(grads)]
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        v = [0.999 * a + 0.001 * b**2 for a, b in zip(v, g, strict=True)]
        p = [adamw_step(step, *each) for each in zip(p, m, v, strict=True)]
        keep = min(EMA, (1 + step) / (10 + step))
        average = [keep * a + (1 - keep) * b for a, b in zip(average, p, strict=True)]
    return p, average, losses


def adamw_step(step, p, m, v):
    t = step + 1  # the warm-up is one step long
    rate = RATE * (1 + np.cos(np.pi * (t - 1) / TOTAL)) / 2
    update = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p - rate * (update + (DECAY * p if p.ndim > 1 else 0))


@pytest.fixture(scope="module")
def both(small):
    """What `run_epoch` gives in float64, but for optax's schedule, and what the loop gives."""
    with jax.enable_x64(True):
        train = Dataset(jnp.asarray(small[0].image[:N]), jnp.asarray(small[0].label[:N]))
        valid = Dataset(jnp.asarray(small[1].image[:5]), jnp.asarray(small[1].label[:5]))
        recipe = Recipe(BUILD, cross_entropy(), by_hand, BATCH, EMA)
        optimizer = adamw(RATE, TOTAL, weight_decay=DECAY)
        start = partial(initial_state, BUILD(training=True), (28, 28), optimizer, averaged=True)
        state = jax.jit(start)(KEY)
        loop = plain_loop(train, state.params)
        best, rows = jax.jit(partial(before_first_epoch, recipe))(state, train), []
        program = jax.jit(partial(run_epoch, recipe, optimizer))
        for _ in range(EPOCHS):
            state, best, metrics = program(state, best, train, valid)
            rows.append(metrics)
        logits, _ = logits_of(BUILD(training=False), state.average, valid.image, KEY)
    return state, best, rows, loop, np.asarray(logits), np.asarray(valid.label)


def close(tree, leaves):
    for got, want in zip(jax.tree.leaves(tree), leaves, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)


def test_an_epoch_is_the_plain_loop_of_permutation_keys_gradient_and_adamw(both):
    state, _, rows, (params, _, losses), _, _ = both
    assert state.step == TOTAL
    close(state.params, params)
    want = np.reshape(losses, (EPOCHS, -1)).mean(1)
    np.testing.assert_allclose([row.loss for row in rows], want, atol=1e-6)
    assert 0.01 < rows[0].firing_rates[0] < 0.9, "a silent network would learn nothing"


def test_the_average_forgets_as_hand_arithmetic_says(both):
    state, _, _, (params, average, _), _, _ = both
    close(state.average, average)
    assert np.abs(params[-2] - average[-2]).max() > 0.1, "else nothing was averaged"


def test_validation_is_of_the_average(both):
    state, best, rows, _, logits, label = both
    assert rows[-1].valid_accuracy == (logits.argmax(1) == label).mean()
    p = np.exp(logits - logits.max(1, keepdims=True))
    loss = -np.log((p / p.sum(1, keepdims=True))[np.arange(5), label]).mean()
    np.testing.assert_allclose(rows[-1].valid_loss, loss, atol=1e-6)
    if best.epoch == EPOCHS:
        close(best.params, jax.tree.leaves(state.average))
