"""Keys and orders: pure functions of what they are named by, and of nothing else."""

import jax
import numpy as np

from jaxdigits.train import state
from jaxdigits.train.state import evaluation_keys, order_of_epoch, step_keys

KEY = jax.random.key(7)


def bits(key):
    return np.asarray(jax.random.key_data(key))


def test_each_epoch_visits_every_example_once_in_an_order_of_its_own():
    orders = [np.asarray(order_of_epoch(KEY, epoch, 50)) for epoch in range(3)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
    assert len({order.tobytes() for order in orders}) == 3
    np.testing.assert_array_equal(order_of_epoch(KEY, 1, 50), orders[1])
    assert (np.asarray(order_of_epoch(jax.random.key(8), 1, 50)) != orders[1]).any()


def test_an_examples_key_depends_on_key_step_and_index_only():
    many = bits(step_keys(KEY, 3, np.array([5, 1, 9])))
    alone = bits(step_keys(KEY, 3, np.array([1])))
    np.testing.assert_array_equal(many[1], alone[0])
    for other in (
        step_keys(KEY, 4, np.array([1])),
        step_keys(jax.random.key(8), 3, np.array([1])),
    ):
        assert (bits(other) != alone).any()


def test_each_purpose_has_its_own_stream_of_the_key():
    fold, index = jax.random.fold_in, np.arange(3)
    for i in index:
        evaluated, trained = fold(fold(KEY, 3), i), fold(fold(fold(KEY, 2), 5), i)
        np.testing.assert_array_equal(bits(evaluation_keys(KEY, index))[i], bits(evaluated))
        np.testing.assert_array_equal(bits(step_keys(KEY, 5, index))[i], bits(trained))


def test_no_two_purposes_draw_from_the_same_key():
    index = np.arange(20)
    keys = [bits(evaluation_keys(KEY, index))]
    keys += [bits(step_keys(KEY, step, index)) for step in range(20)]
    keys += [
        bits(jax.random.fold_in(jax.random.fold_in(KEY, state.ORDER), e))[None] for e in index
    ]
    keys += [bits(jax.random.fold_in(KEY, state.INIT))[None]]
    every = np.concatenate(keys)
    assert len(np.unique(every, axis=0)) == len(every) == 441
    assert len({state.INIT, state.ORDER, state.STEP, state.EVALUATE}) == 4
