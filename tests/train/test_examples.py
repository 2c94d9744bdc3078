"""Examples that nothing could be learned from are refused in one line, by name."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits import serial
from jaxdigits.data import Dataset
from jaxdigits.layers import dense, flatten
from jaxdigits.models import mlp, multimodal
from jaxdigits.train import Recipe, fit
from jaxdigits.train.examples import check_examples

KEY = jax.random.key(0)
MLP = partial(mlp, hidden=(4,))


def own(training, statistics=()):
    """A network of somebody else, on floats of any size."""
    return serial(flatten(), dense(10))


def changed(data, change):
    return Dataset(change(data.inputs[:]), data.label)


def floats(image):
    return image.astype(np.float32)


def spoiled(image):
    image = floats(image) / 255
    image[3, :2, 5] = np.nan
    return image


@pytest.mark.parametrize(
    ("of_train", "of_valid", "message"),
    [
        (floats, floats, "train has images from 0 to 255: divide them by 255"),
        (
            lambda x: x / 255 - 0.5,
            lambda x: x / 255,
            "images from -0.5 to 0.5: scale",
        ),
        (lambda x: x.astype(int), lambda x: x.astype(int), "train has images in int.*astype"),
        (
            spoiled,
            lambda x: x / 255,
            "train has 2 values in inputs that are not fin",
        ),
        (lambda x: x / 255, lambda x: 2 * (x / 255), "valid has images from 0 to 2: divide"),
        (
            lambda x: x,
            lambda x: floats(x) / 255,
            "valid .* in float32 and train in uint8: c",
        ),
        (
            lambda x: x,
            lambda x: x[:, 1:],
            r"inputs of \(27, 28\) and train of \(28, 28",
        ),
    ],
)
def test_images_that_do_not_fit_are_named(small, of_train, of_valid, message):
    train, valid = changed(small[0], of_train), changed(small[1], of_valid)
    with pytest.raises(ValueError, match=message) as caught:
        fit(Recipe(MLP, optax.sgd(0.1), epochs=1), train, valid, KEY)
    assert "\n" not in str(caught.value)


def test_images_that_fit_and_networks_of_others_are_let_through(small):
    networks = mlp(hidden=(4,)), own(True)
    for network in networks:
        check_examples(network, *small)
        check_examples(network, *(changed(d, lambda x: x / 255) for d in small))
        check_examples(network, *(changed(d, lambda x: jnp.asarray(x) > 99) for d in small))
    check_examples(networks[1], *(changed(d, lambda x: floats(x) - 99) for d in small))
    # A double and a single are one dtype on the device.
    check_examples(networks[0], changed(small[0], lambda x: x / 255),
                   changed(small[1], lambda x: floats(x) / 255))  # fmt: skip


def test_each_sense_is_checked(small):
    network, image = multimodal(), small[0].inputs[:8]
    sound = np.zeros((8, 8000), np.float32)
    of = lambda **inputs: Dataset(inputs, small[0].label[:8])
    good = of(image=image, sound=sound - 1)
    check_examples(network, good, good)
    silent = sound + np.where(np.arange(8) == 2, np.nan, 0).astype(np.float32)[:, None]
    with pytest.raises(ValueError, match="valid has 8000 values in sound that are not finite"):
        check_examples(network, good, of(image=image, sound=silent))
    big = of(image=floats(image), sound=sound)
    with pytest.raises(ValueError, match="train has images from 0 to 255"):
        check_examples(network, big, big)
