"""The page's preparation of a picture, pixel by pixel beside Python's."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxdigits.data import DataError
from jaxdigits.data.ink import to_mnist_geometry
from jaxdigits.data.picture import read_grey

PREPARE = """return data.map(({h, w, a}) => {
  try { return Array.from(prepare.toMnistGeometry({h, w, a: Float32Array.from(a)})); }
  catch (error) { if (error instanceof prepare.NoDigit) return error.message; throw error; }
});"""
READ = """return data.map(({h, w, rgba}) => {
  const reader = prepare.reader(h, w), rows = reader.step * 40;
  for (let top = 0; top < h; top += rows)
    reader.add(rgba.slice(4 * top * w, 4 * (top + rows) * w), top);
  const {h: height, w: width, a} = reader.grey();
  return [height, width, Array.from(a)];
});"""
DRAWN = {
    "one stroke": [[(60, 30), (60, 120)]],
    "a 4": [[(40, 20), (35, 70), (100, 70)], [(80, 40), (80, 125)]],
    "a 7 with a foot": [[(30, 30), (95, 30), (55, 120)], [(40, 122), (75, 122)]],
    "an 8": [[(50, 30), (90, 30), (45, 115), (90, 115), (50, 30)]],
}


def sheet(strokes, width=9, size=(152, 132), lines=(), rule=2):
    """Ink [H, W] in 0..1 of strokes and thin lines."""
    image = Image.new("L", size[::-1])
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        draw.line(stroke, fill=255, width=width, joint="curve")
    for line in lines:
        draw.line(line, fill=200, width=rule)
    return np.asarray(image, float) / 255


def pictures():
    """Yield (name, grey [H, W]): every step of the preparation has work in some of them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:152, 0:132]
    slope = 220 - 0.5 * x - 0.002 * y**2
    frame = [[(5, 4), (125, 6), (124, 145), (6, 143), (5, 4)]]
    rules = [[(0, h), (132, h + 4)] for h in (15, 60, 105, 140)]
    for i, (name, strokes) in enumerate(DRAWN.items()):
        ink = sheet(strokes)
        grain = rng.normal(0, 3, ink.shape)
        yield name, 255 * (1 - ink)
        yield f"{name}, light on dark", 20 + 200 * ink
        yield f"{name}, uneven light and grain", slope * (1 - 0.7 * ink) + grain
        yield f"{name}, a shadow", slope * (1 - 0.7 * ink) * np.where(x < 30 + 9 * i, 0.6, 1)
        yield f"{name}, a thin pen in a frame", 240 - 200 * sheet(strokes, 3, lines=frame)
        yield f"{name}, on rules", 230 - 180 * sheet(strokes, 12, lines=rules)
        yield f"{name}, on thick rules", 230 - 180 * sheet(strokes, 12, lines=rules, rule=5)
        yield f"{name}, small", 255 - 255 * np.asarray(Image.fromarray(ink).resize((28, 28)))
        specks = ink + (rng.random(ink.shape) < 0.002)
        yield f"{name}, specks", 255 * (1 - np.minimum(specks, 1))
    yield "a large one", np.kron(255 * (1 - sheet(DRAWN["an 8"])), np.ones((9, 9)))
    yield "a blank sheet", np.full((40, 50), 255.0)
    yield "grain alone", 200 + rng.normal(0, 4, (90, 90))
    yield "two digits", 255 * (1 - sheet([[(20, 20), (20, 120)], [(100, 20), (100, 120)]]))


def test_the_page_finds_the_pixels_that_python_finds(javascript):
    cases = {name: grey.clip(0, 255).astype(np.uint8) for name, grey in pictures()}
    data = [dict(h=len(g), w=len(g[0]), a=g.ravel().tolist()) for g in cases.values()]
    refused = 0
    for (name, grey), own in zip(cases.items(), javascript(PREPARE, data), strict=True):
        if isinstance(own, str):
            with pytest.raises(DataError) as error:
                to_mnist_geometry(grey)
            assert own == str(error.value), name
            refused += 1
            continue
        digit = to_mnist_geometry(grey)
        difference = np.abs(np.array(own) - digit.ravel().astype(int))
        assert difference.max() <= 1, (name, difference.max())
        assert (difference > 0).sum() <= 2, name
    assert refused == 3


@pytest.mark.parametrize(
    ("size", "alpha"),
    [((30, 50), 255), ((30, 50), 0), ((30, 50), 120), ((1300, 90), 255), ((1300, 90), 200)],
)
def test_colours_become_the_brightness_that_pillow_finds(javascript, tmp_path, size, alpha):
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 256, (*size, 4)).astype(np.uint8)
    rgba[..., 3] = np.where(rng.random(size) < 0.2, rgba[..., 3], alpha)
    if alpha == 255:
        rgba[..., 3] = 255
    Image.fromarray(rgba).convert("RGB" if alpha == 255 else "RGBA").save(tmp_path / "a.png")
    grey = read_grey(tmp_path / "a.png")
    row = dict(h=size[0], w=size[1], rgba=rgba.ravel().tolist())
    ((height, width, own),) = javascript(READ, [row])
    if max(size) > 1024 and alpha == 255:  # Python averages these later
        grey = np.asarray(Image.fromarray(grey.astype(np.float32)).reduce(2))
    assert (height, width) == grey.shape
    # Pillow rounds the average of colours that one sees through.
    exact = alpha == 255 or max(size) <= 1024
    np.testing.assert_allclose(np.reshape(own, grey.shape), grey, atol=1e-4 if exact else 3)
