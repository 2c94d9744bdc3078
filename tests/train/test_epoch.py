"""An epoch is ordinary JAX: what a plain loop over the same steps would do."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.models import mlp
from jaxdigits.train import Recipe, adamw, initial_state, logits_of, run_epoch
from jaxdigits.train.epoch import before_first_epoch

BUILD = partial(mlp, hidden=(8,), dropout_rate=0.25)  # whose masks need the right keys
KEY = jax.random.key(3)
N, BATCH, EPOCHS = 13, 4, 2  # so one example is left out of each epoch
TOTAL = EPOCHS * (N // BATCH)
RATE, DECAY, EMA = 0.03125, 0.5, 0.6


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
        value, grads = gradient(params, train.inputs[rows], train.label[rows], keys)
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
    """The plain loop, and the last state, the best network and the metrics of `run_epoch`."""
    train, valid = jax.tree.map(jnp.asarray, (small[0][:N], small[1][:20]))
    optimizer = adamw(RATE, TOTAL, weight_decay=DECAY)
    recipe = Recipe(BUILD, optimizer, epochs=EPOCHS, batch=BATCH, ema=EMA)
    state = jax.jit(partial(initial_state, recipe, (28, 28)))(KEY)
    loop = plain_loop(train, state.params)
    best, rows, averages = jax.jit(partial(before_first_epoch, recipe))(state, train), [], []
    program = jax.jit(partial(run_epoch, recipe))
    for _ in range(EPOCHS):
        state, best, metrics = program(state, best, train, valid)
        rows.append(metrics)
        averages.append(state.average)
    return loop, state, (best, averages), rows


def close(tree, leaves):
    for got, want in zip(jax.tree.leaves(tree), leaves, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_an_epoch_is_the_plain_loop_of_permutation_keys_gradient_and_adamw(both):
    (params, _, losses), state, _, rows = both
    assert state.step == TOTAL
    close(state.params, params)
    want = np.reshape(losses, (EPOCHS, -1)).mean(1)
    np.testing.assert_allclose([float(row.loss) for row in rows], want, atol=1e-4)


def test_the_average_forgets_as_hand_arithmetic_says(both):
    (params, average, _), state, _, _ = both
    close(state.average, average)
    assert np.abs(params[-1] - average[-1]).max() > 1e-3, "else nothing was averaged"


def test_the_average_is_what_is_validated_and_kept(both, small):
    _, state, (best, averages), rows = both
    logits, _ = logits_of(BUILD(training=False), state.average, small[1].inputs[:20], KEY)
    logits, label = np.asarray(logits), small[1].label[:20]
    accuracy = (logits.argmax(1) == label).mean()
    assert float(rows[-1].valid_accuracy) == pytest.approx(accuracy)
    loss = (np.logaddexp.reduce(logits, 1) - logits[np.arange(20), label]).mean()
    assert float(rows[-1].valid_loss) == pytest.approx(loss, abs=1e-5)
    chosen = int(best.epoch) - 1
    assert best.accuracy == rows[chosen].valid_accuracy == max(r.valid_accuracy for r in rows)
    close(best.params, jax.tree.leaves(averages[chosen]))
