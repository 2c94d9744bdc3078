"""Dropout keeps the mean, holds its mask through time, and draws per example."""

from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import dropout

KEYS = jax.random.split(jax.random.key(0), 8)
ONES = jnp.ones((8, 500))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_that_is_absent_is_the_rate_to_a_256th(rate):
    y, mask = dropout(rate).forward((), ONES, KEYS)
    kept = round(256 * (1 - rate)) / 256
    deviation = (kept * (1 - kept) * mask.size) ** 0.5
    assert abs(mask.sum() - kept * mask.size) < 5 * deviation
    np.testing.assert_array_equal(y, jnp.where(mask, 1 / kept, 0))  # so the mean is kept


def test_a_unit_is_present_for_exactly_that_many_of_256_bytes(monkeypatch):
    every_byte = jnp.arange(256, dtype=jnp.uint8)[None]
    module = import_module("jaxdigits.layers.dropout")
    monkeypatch.setattr(module, "draw_bytes", lambda *_: every_byte)
    for rate, present in [(0.5, 128), (0.25, 192), (0.996, 1)]:
        _, mask = dropout(rate).forward((), jnp.ones((1, 256)), KEYS[:1])
        assert mask.sum() == present


def test_the_gradient_passes_where_the_signal_did():
    layer = dropout(0.5)
    y, mask = layer.forward((), ONES, KEYS)
    np.testing.assert_array_equal(layer.backward((), mask, ONES)[1], y)


def test_through_time_a_unit_is_absent_for_the_whole_of_an_example():
    x = jnp.ones((6, 8, 50))
    y, mask = dropout(0.5, time=True).forward((), x, KEYS)
    assert mask.shape == (8, 50)
    np.testing.assert_array_equal(y, jnp.broadcast_to(2.0 * mask, x.shape))
    assert (mask[0] != mask[1]).any()


def test_the_mask_of_an_example_does_not_depend_on_its_batch():
    _, whole = dropout(0.5).forward((), ONES, KEYS)
    _, part = dropout(0.5).forward((), ONES[2:5], KEYS[2:5])
    np.testing.assert_array_equal(part, whole[2:5])


def test_one_key_serves_the_batch_with_a_mask_for_each():
    _, mask = dropout(0.5).forward((), ONES, jax.random.key(0))
    np.testing.assert_array_equal(mask, dropout(0.5).forward((), ONES, KEYS)[1])
    assert len(np.unique(mask, axis=0)) == 8


def test_nothing_is_dropped_at_rate_0_and_no_key_is_needed():
    y, mask = dropout(0.0).forward((), ONES, None)
    assert y is ONES
    np.testing.assert_array_equal(dropout(0.0).backward((), mask, ONES)[1], ONES)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan"), float("inf")])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(ValueError, match=rf"rate must be in \[0, 1\), got {rate}"):
        dropout(rate)


def test_a_rate_that_keeps_nothing_is_refused():
    with pytest.raises(ValueError, match=r"a rate of 0\.999 is 1 when rounded"):
        dropout(0.999)


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (None, "dropout draws random numbers: pass a key"),
        (KEYS[:5], "5 keys for a batch of 8"),
        (jax.random.key_data(KEYS[0]), "dropout takes one typed key"),
    ],
)
def test_a_missing_or_wrong_key_is_refused(key, match):
    with pytest.raises(ValueError, match=match):
        dropout(0.5).forward((), ONES, key)
