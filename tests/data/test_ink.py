"""Light, lines, dirt and thin pens are taken off a picture; the digit stays."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from jaxdigits.data import DataError
from jaxdigits.data.ink import stroke_width, to_mnist_geometry

SIDE = 240
SEVEN = [(0.32, 0.25), (0.66, 0.25), (0.45, 0.75)]


def drawn(strokes, width=15):
    """Strokes, in shares of the side, dark on light: [SIDE, SIDE] float."""
    image = Image.new("L", (SIDE, SIDE), 200)
    for points in strokes:
        points = [(SIDE * x, SIDE * y) for x, y in points]
        ImageDraw.Draw(image).line(points, fill=60, width=width, joint="curve")
    return ndimage.gaussian_filter(np.asarray(image, float), 1)


def difference(a, b):
    return np.abs(a.astype(int) - b).mean()


@pytest.fixture(scope="module")
def plain():
    return to_mnist_geometry(drawn([SEVEN]))


Y, X = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
LIGHT = {
    "falls off to a corner": 0.6 + 0.2 * X + 0.2 * Y,
    "a lamp above": 1 - 0.6 * (X**2 + Y**2) / 2,
    "a hard shadow": np.where(X + 0.4 * Y > 0.1, 1.0, 0.6),
    "a soft shadow": 1 - 0.4 / (1 + np.exp(-(X - 0.5 * Y) / 0.1)),
}


@pytest.mark.parametrize("light", LIGHT.values(), ids=LIGHT)
def test_light_does_not_change_the_digit(plain, light):
    assert difference(to_mnist_geometry(drawn([SEVEN]) * light), plain) < 14


def test_light_ink_on_dark_paper_is_the_same_digit(plain):
    assert difference(to_mnist_geometry(255 - drawn([SEVEN])), plain) < 4


BOX = [(0.1, 0.1), (0.9, 0.12), (0.89, 0.9), (0.1, 0.88), (0.1, 0.1)]
NARROW = [(0.26, 0.19), (0.74, 0.19), (0.74, 0.81), (0.26, 0.81), (0.26, 0.19)]
LINES = {
    "a box": [BOX],
    "a narrow box": [NARROW],
    "rules": [[(0, y), (1, y + 0.03)] for y in (0.1, 0.33, 0.56, 0.79)],
    "a grid": [
        *([(0, y), (1, y)] for y in (0.1, 0.5, 0.9)),
        *([(x, 0), (x, 1)] for x in (0.1, 0.5, 0.9)),
    ],
    "axes": [[(0, 0.85), (1, 0.85)], [(0.15, 0), (0.15, 1)]],
}  # fmt: skip


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_lines_are_not_ink(plain, lines):
    both = np.minimum(drawn([SEVEN]), drawn(lines, width=3))
    assert difference(to_mnist_geometry(both), plain) < 14


@pytest.mark.parametrize(
    "strokes",
    [
        [[(0.5, 0), (0.5, 1)]],
        [[(0.55, 0), (0.55, 1)], [(0.45, 0.0), (0.2, 0.6), (0.8, 0.6)]],
        [
            [(0.3, 0.2), (0.3, 0.8), (0.7, 0.8), (0.7, 0.5), (0.3, 0.5)],
            [(0.3, 0.2), (0.7, 0.2)],
        ],
    ],
    ids=["a 1 from edge to edge", "a 4 from edge to edge", "a 6 of straight strokes"],
)
def test_straight_strokes_of_a_digit_stay(strokes):
    picture = drawn(strokes, width=16)
    y = to_mnist_geometry(picture)
    ink = (y > 100).sum() / 400
    box = np.argwhere(picture < 130)
    share = (picture < 130).sum() / np.ptp(box, axis=0).max() ** 2
    assert ink == pytest.approx(share, rel=0.5), "no stroke is gone"


def test_specks_do_not_stretch_the_box(plain):
    picture = drawn([SEVEN])
    for y, x in ((10, 10), (220, 30), (30, 215), (225, 230)):
        picture[y : y + 5, x : x + 5] = 60
    assert difference(to_mnist_geometry(picture), plain) < 1


def test_the_roof_of_a_5_and_a_dashed_stroke_stay():
    body = [[(0.4, 0.35), (0.38, 0.5), (0.6, 0.52), (0.62, 0.7), (0.4, 0.78)]]
    roof = [[(0.44, 0.22), (0.66, 0.2)]]
    five, without = (to_mnist_geometry(drawn(s)) for s in (body + roof, body))
    assert all(np.ptp(np.flatnonzero(y.any(1))) == 19 for y in (five, without))
    assert difference(five, without) > 10
    at = np.linspace(0.2, 0.8, 13)
    dashes = [[(0.5, a), (0.5, b)] for a, b in zip(at[::2], at[1::2], strict=False)]
    assert (to_mnist_geometry(drawn(dashes)) > 50).any(1).sum() >= 12


def test_grain_is_averaged_out(plain):
    noisy = drawn([SEVEN]) + np.random.default_rng(0).normal(0, 30, (SIDE, SIDE))
    assert difference(to_mnist_geometry(np.clip(noisy, 0, 255)), plain) < 14


def test_a_blot_is_no_ring():
    picture = np.where(X**2 + Y**2 < 0.4, 60.0, 200.0)
    y = to_mnist_geometry(picture)
    assert y[10:18, 10:18].min() == 255


def test_digits_side_by_side_are_refused():
    one = [[(0.25, 0.3), (0.25, 0.7)]]
    with pytest.raises(DataError, match="2 large pieces stand side by side: cut out one digit"):
        to_mnist_geometry(drawn([*one, [(0.6, 0.3), (0.6, 0.7)]]))


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_thin_pen_is_widened(width):
    """A line of 1 in 120 would be a sixth of a pixel."""
    y = to_mnist_geometry(drawn([[(0.5, 0.25), (0.5, 0.75)]], width))
    assert y.max() == 255
    assert 1.3 < (y / 255).sum(1)[9:19].mean() < 2.6
    mask = np.zeros((60, 60), bool)
    mask[5:55, 20 : 20 + 6] = True
    assert stroke_width(mask) == pytest.approx(6, abs=1)


@pytest.mark.parametrize("side", [120, 300])
@pytest.mark.parametrize("change", ["clean", "grain", "inverted", "sloping light"])
def test_a_digit_far_from_the_edge_of_its_page_is_read(plain, side, change):
    page = np.full((600, 800), 200.0)
    digit = Image.fromarray(drawn([SEVEN])).resize((side, side), Image.Resampling.BOX)
    page[250 : 250 + side, 300 : 300 + side] = np.asarray(digit)
    if change == "grain":
        page += np.random.default_rng(0).normal(0, 4, page.shape)
    if change == "sloping light":
        page *= np.linspace(1, 0.7, page.shape[1])
    page = np.clip(255 - page if change == "inverted" else page, 0, 255)
    assert difference(to_mnist_geometry(page), plain) < 14
