"""The moved image, and the events that a camera would send of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import serial
from jaxdigits.data import digits
from jaxdigits.spikes import level_crossing, saccades

KEY = jax.random.key(0)


def light(image, steps=13, **options):
    """What the sensor sees, as it is before the logarithm."""
    paper = options.setdefault("paper", 0.25)
    y = saccades(steps, **options).forward((), jnp.asarray(image), None)[0]
    return (np.exp(np.asarray(y)) - paper) / (1 - paper)


def test_the_image_moves_along_a_triangle_and_comes_back():
    image = np.zeros((1, 5, 5))
    image[0, 2, 2] = 1.0
    seen = light(image, steps=4, size=9, amplitude=2.0)
    places = [np.argwhere(frame[0] > 0.99).tolist() for frame in seen]
    assert places == [[[2, 2]], [[6, 4]], [[2, 6]], [[2, 2]]]
    np.testing.assert_allclose(seen.sum((1, 2, 3)), 1, atol=1e-5)


def test_between_pixels_light_is_shared():
    image = np.ones((1, 1, 1))
    seen = light(image, steps=7, size=3, amplitude=1.0)
    # Half of the first saccade: a row below the first corner, and half a column.
    np.testing.assert_allclose(seen[1, 0], [[0, 0, 0], [0.5, 0.5, 0], [0, 0, 0]], atol=1e-6)


def test_a_still_image_sends_nothing_and_a_moving_one_both_polarities():
    image = digits()[0].inputs[:8]
    camera = lambda **options: serial(saccades(30, **options), level_crossing(0.5))
    events = lambda **options: jax.jit(camera(**options).forward)(((), ()), image, KEY)[0]
    assert not events(amplitude=0.0).any()
    spikes = np.asarray(events())
    assert spikes.shape == (30, 8, 34, 34, 2)
    assert not spikes[0].any()
    assert (spikes.mean((0, 1, 2, 3)) > 0.005).all()
    assert spikes.mean() < 0.1


def test_pixels_are_their_value():
    image = digits()[0].inputs[:2]
    y = lambda x: saccades(9).forward((), x, None)[0]
    np.testing.assert_allclose(y(image), y(image / np.float32(255)), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(steps=1), "steps must be >= 2 and size >= 1, got 1 and 34"),
        (dict(steps=3, size=0), "steps must be >= 2 and size >= 1, got 3 and 0"),
        (dict(steps=3, amplitude=-1.0), "amplitude must be >= 0 and paper in .*, got -1.0 and"),
        (dict(steps=3, paper=0.0), "paper in .0, 1., got 3.0 and 0.0"),
    ],
)
def test_what_moves_no_camera_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        saccades(**options)


def test_a_sound_is_no_image():
    with pytest.raises(
        ValueError, match=r"saccades takes images \[H, W\], got features \(9,\)"
    ):
        saccades(3).init(KEY, (9,))
