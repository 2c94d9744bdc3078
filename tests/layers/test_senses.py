"""A sense may be absent: by chance in training, or because there is nothing to sense."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import dense, if_present, modality_dropout, pick

N = 2000
KEYS = jax.random.split(jax.random.key(0), N)
BOTH = {"image": np.full((N, 2, 2), 7, np.uint8), "sound": np.ones((N, 3), np.float32)}


def absent(x):
    return {k: np.asarray((v == 0).reshape(N, -1).all(1)) for k, v in x.items()}


def test_each_sense_is_absent_at_its_own_rate_and_never_both():
    y, _ = modality_dropout({"image": 0.2, "sound": 0.5}).forward((), BOTH, KEYS)
    gone = absent(y)
    assert abs(gone["image"].mean() - 0.2) < 0.05
    assert abs(gone["sound"].mean() - 0.5) < 0.05
    assert not (gone["image"] & gone["sound"]).any()
    for name, x in BOTH.items():
        assert y[name].dtype == x.dtype
        np.testing.assert_array_equal(y[name][~gone[name]], x[~gone[name]])


def test_one_sense_alone_may_be_absent():
    y, _ = modality_dropout({"sound": 1.0}).forward((), BOTH, KEYS)
    np.testing.assert_array_equal(y["image"], BOTH["image"])
    assert absent(y)["sound"].all()


def test_an_absent_sense_gets_no_gradient():
    layer = modality_dropout({"image": 0.2, "sound": 0.5})
    y, kept = layer.forward((), BOTH, KEYS)
    _, bar = layer.backward((), kept, {"image": None, "sound": 3 * jnp.ones((N, 3))})
    np.testing.assert_array_equal(bar["sound"], 3 * y["sound"])
    assert bar["image"] is None


def test_what_is_absent_depends_on_the_key_of_the_example_alone():
    layer = modality_dropout({"image": 0.5, "sound": 0.5})
    some = {k: v[5:9] for k, v in BOTH.items()}
    whole, part = layer.forward((), BOTH, KEYS)[0], layer.forward((), some, KEYS[5:9])[0]
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[5:9], b), whole, part)


def test_nothing_is_absent_at_rate_0_and_no_key_is_needed():
    assert modality_dropout({"image": 0.0}).forward((), BOTH, None)[0] is BOTH


def test_bad_rates_inputs_and_keys_are_refused():
    for rates in ({"a": -0.1}, {"a": 0.6, "b": 0.5}, {"a": float("nan")}):
        with pytest.raises(ValueError, match="rates must be >= 0, of a sum of at most 1"):
            modality_dropout(rates)
    with pytest.raises(ValueError, match=r"no input for \['smell'\], only for \['image'"):
        modality_dropout({"smell": 0.1}).forward((), BOTH, KEYS)
    with pytest.raises(ValueError, match="modality_dropout draws random numbers"):
        modality_dropout({"image": 0.1}).forward((), BOTH, None)


def test_a_layer_is_silent_for_an_input_of_zeros_and_for_no_other():
    layer = if_present(dense(3))
    params, _ = layer.init(jax.random.key(1), (4,))
    params = {**params, "bias": jnp.arange(1.0, 4.0)}
    x = jnp.array([[0, 0, 0, 0], [0, 0, 1e-30, 0], [1, 2, 3, 4.0]])
    y, kept = layer.forward(params, x, None)
    np.testing.assert_array_equal(y[0], 0)
    np.testing.assert_array_equal(y[1:], dense(3).forward(params, x[1:], None)[0])
    grads, x_bar = layer.backward(params, kept, jnp.ones((3, 3)))
    np.testing.assert_array_equal(grads["bias"], 2)
    np.testing.assert_array_equal(x_bar[0], 0)


def test_picking_takes_the_named_senses_and_sends_nothing_to_the_others():
    layer = pick(["sound"])
    y, kept = layer.forward((), BOTH, None)
    assert set(y) == {"sound"}
    assert y["sound"] is BOTH["sound"]
    _, bar = layer.backward((), kept, {"sound": jnp.ones((N, 3))})
    assert bar["image"] is None
    assert bar["sound"].sum() == 3 * N
    _, bar = pick(["image"]).backward(
        (), pick(["image"]).forward((), BOTH, None)[1], {"image": None}
    )
    np.testing.assert_array_equal(bar["sound"], np.zeros((N, 3)))
    assert layer.init(None, {"image": (2, 2), "sound": (3,)}) == ((), {"sound": (3,)})


@pytest.mark.parametrize("x", [{"image": BOTH["image"]}, BOTH["sound"]])
def test_a_sense_that_is_not_there_is_refused(x):
    with pytest.raises(ValueError, match=r"needs inputs for \['sound'\], got"):
        pick(["sound"]).forward((), x, None)
