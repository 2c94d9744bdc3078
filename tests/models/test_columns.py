"""`columns`: frames of any width, and a row of digits that it learns by CTC."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.gradients import by_hand
from jaxdigits.losses import ctc
from jaxdigits.models import columns
from jaxdigits.reader import make_format, search

SMALL = dict(channels=(4, 8, 8), context=(16,), norm="layer", dropout_rate=0.0)


def rows_of_bars(strings):
    """Pictures [B, 32, 16 L]: digit d is d bright rows at the bottom, in a box of its own."""
    pictures = np.zeros((len(strings), 32, 16 * strings.shape[1]), np.uint8)
    for n, i in np.ndindex(strings.shape):
        pictures[n, 32 - 3 * (strings[n, i] + 1) :, 16 * i + 4 : 16 * i + 12] = 255
    return pictures


@pytest.mark.parametrize("width", [32, 50, 133])
def test_a_frame_is_four_columns_of_any_width(width):
    network = columns(**SMALL)
    params, shape = network.init(jax.random.key(0), (32, width))
    assert shape == (width // 4, 11)
    other, _ = network.init(jax.random.key(0), (32, 64))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, other)
    logits, _ = network.forward(other, np.zeros((2, 32, width), np.uint8), None)
    assert logits.shape == (2, width // 4, 11)


def test_it_learns_to_read_a_row():
    strings = np.random.default_rng(0).integers(0, 3, (48, 3))
    network, loss, optimizer = columns(**SMALL), ctc(), optax.adam(1e-2)
    params, _ = network.init(jax.random.key(0), (32, 48))
    batch = jnp.asarray(rows_of_bars(strings)), jnp.asarray(strings)
    keys = jax.random.split(jax.random.key(1), len(strings))

    def update(carry, _):
        params, state = carry
        value, grads, _ = by_hand(network, loss)(params, batch, keys)
        updates, state = optimizer.update(grads, state)
        return (optax.apply_updates(params, updates), state), value

    train = jax.jit(lambda p: jax.lax.scan(update, (p, optimizer.init(p)), length=120))
    (params, _), losses = train(params)
    assert losses[-1] < 0.05 < losses[0]
    new = np.array([[2, 0, 1], [1, 1, 1], [0, 2, 2]])
    logits, _ = network.forward(params, rows_of_bars(new), None)
    best = search(jax.nn.log_softmax(logits), make_format("digits:3").automaton)
    np.testing.assert_array_equal(best.digits[:, 0], new)
    assert (np.exp(best.log_p[:, 0]) > 0.9).all()


def test_no_block_is_refused():
    with pytest.raises(ValueError, match="channels must name at least one block"):
        columns(channels=())
