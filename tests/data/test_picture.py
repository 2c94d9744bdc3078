"""Pictures of one digit, of every kind, come out alike."""

import functools
import os

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxdigits.data import DataError, mnist, read_picture
from jaxdigits.data.geometry import ink_to_mnist_geometry
from jaxdigits.data.ink import to_mnist_geometry
from jaxdigits.data.picture import read_grey


def seven(side=280, paper=255, ink=0):
    """A drawn 7, upright and off the middle: no symmetry hides a turn or a flip."""
    image = Image.new("L", (side, side), paper)
    points = [(side * x, side * y) for x, y in ((0.3, 0.1), (0.7, 0.1), (0.4, 0.7))]
    ImageDraw.Draw(image).line(points, fill=ink, width=max(1, side // 14), joint="curve")
    return image


@functools.cache
def expected():
    return to_mnist_geometry(np.asarray(seven()))


def saved(folder, image, kind="PNG", **options):
    path = folder / f"digit.{kind.lower()}"
    image.save(path, kind, **options)
    return path


def difference(a, b):
    return np.abs(a.astype(int) - b).mean()


def is_like_mnist(y):
    assert (y.shape, y.dtype, y.max()) == ((28, 28), np.uint8, 255)
    mass = y.sum(dtype=float)
    centre = np.array([y.sum(1) @ np.arange(28), y.sum(0) @ np.arange(28)]) / mass
    assert np.abs(centre - 14).max() <= 0.5
    assert max(y.any(0).sum(), y.any(1).sum()) == 20


def test_a_digit_gets_the_geometry_of_mnist():
    is_like_mnist(expected())
    rows = np.flatnonzero(expected().any(1))
    top, foot = expected()[rows[:3]].sum(dtype=int), expected()[rows[-3:]].sum(dtype=int)
    assert top > 2 * foot > 0, "the bar of a 7 is at its top"
    ink = np.asarray(seven()) < 128
    ratio = ink.any(0).sum() / ink.any(1).sum()
    assert expected().any(0).sum() == pytest.approx(20 * ratio, abs=1)


def transparent(image, colour):
    """Ink of `colour` on paper that is not there; its hidden colour is a lure."""
    rgba = Image.new("RGBA", image.size, (*[255 - colour] * 3, 0))
    rgba.paste((colour, colour, colour, 255), mask=image.point(lambda v: 255 - v))
    return rgba


def hidden_ink(image, colour):
    """As `transparent`, but nothing save alpha tells ink from paper."""
    rgba = Image.new("RGBA", image.size, (colour, colour, colour, 0))
    rgba.putalpha(image.point(lambda v: 255 - v))
    return rgba


def opaque_with_clear_corner(image):
    rgba = image.convert("RGBA")
    rgba.paste((0, 0, 0, 0), (0, 0, 30, 30))
    return rgba


KINDS = {
    "grey": seven,
    "light on dark": lambda: seven(paper=0, ink=255),
    "grey on grey": lambda: seven(paper=120, ink=80),
    "faint light on grey": lambda: seven(paper=120, ink=150),
    "colour": lambda: seven().convert("RGB"),
    "red ink": lambda: Image.merge("RGB", (seven(ink=200), seven(), seven())),
    "1 bit": lambda: seven().convert("1"),
    "palette": lambda: seven().convert("RGB").quantize(7),
    "alpha, opaque": lambda: seven().convert("RGBA"),
    "grey and alpha": lambda: transparent(seven(), 0).convert("LA"),
    "dark ink, clear paper": lambda: transparent(seven(), 0),
    "light ink, clear paper": lambda: transparent(seven(), 255),
    "dark ink, seen by alpha alone": lambda: hidden_ink(seven(), 0),
    "light ink, seen by alpha alone": lambda: hidden_ink(seven(), 255),
    "clear corner": lambda: opaque_with_clear_corner(seven()),
    "16 bit": lambda: Image.fromarray(np.asarray(seven(), np.uint16) * 257),
    "dark 16 bit": lambda: Image.fromarray(np.asarray(seven(), np.uint16) * 50),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_every_kind_of_pixel_is_read(tmp_path, make):
    assert difference(read_picture(saved(tmp_path, make())), expected()) < 1


def test_a_palette_may_have_a_clear_colour(tmp_path):
    flat = seven().quantize(2)
    paper = flat.getpixel((0, 0))
    flat.putpalette([20] * 6)  # ink and paper look the same but for transparency
    assert difference(read_picture(saved(tmp_path, flat, transparency=paper)), expected()) < 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_read(tmp_path, mode):
    path = saved(tmp_path, seven().convert(mode), "JPEG", quality=60)
    assert difference(read_picture(path), expected()) < 6


@pytest.mark.parametrize(
    ("tag", "turn"),
    [
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_the_rotation_of_a_camera_is_undone(tmp_path, tag, turn):
    exif = Image.Exif()
    exif[0x0112] = tag
    path = saved(tmp_path, seven().transpose(turn), "JPEG", exif=exif)
    assert difference(read_picture(path), expected()) < 6


@pytest.mark.parametrize("side", [40, 100, 1024, 1025, 2600])
def test_size_does_not_matter(side):
    y = to_mnist_geometry(np.asarray(seven(side)))
    assert difference(y, expected()) < (20 if side < 100 else 8)


def test_large_pictures_are_averaged_not_picked_from(tmp_path):
    # every third line is ink: grey to the eye, all or nothing to one who picks
    image = np.full((2600, 2000), 255, np.uint8)
    image[999:1600:3, 800:1000] = 0
    y = to_mnist_geometry(image)
    assert (y[y > 0] > 150).all()
    clear = Image.fromarray(image).convert("LA")
    clear.putalpha(Image.fromarray(255 - image))
    assert difference(read_picture(saved(tmp_path, clear)), y) < 1


def test_thin_and_long_pictures_are_read():
    line = np.full((100, 5000), 255, np.uint8)
    line[40:45, 500:4000] = 0
    y = to_mnist_geometry(line)
    assert (y.any(0).sum(), y.any(1).sum()) == (20, 2)
    np.testing.assert_array_equal(to_mnist_geometry(line.T), y.T)


def test_one_pixel_of_ink_is_enough():
    dot = np.full((3, 3), 255, np.uint8)
    dot[1, 1] = 0
    assert to_mnist_geometry(dot).sum(dtype=int) == 255 * 400


def test_what_is_in_the_format_of_mnist_stays_as_it_is(tmp_path):
    path = saved(tmp_path, Image.fromarray(expected()))
    assert difference(read_picture(path), expected()) == 0
    assert difference(to_mnist_geometry(expected().astype(float)), expected()) == 0


@pytest.mark.skipif("JAXDIGITS_DATA" not in os.environ, reason="needs MNIST")
def test_the_digits_of_mnist_stay_nearly_as_they_are():
    images = mnist()[1].inputs[:500]
    off = np.array([difference(to_mnist_geometry(image), image) for image in images])
    assert off.mean() < 0.7  # one in twenty has a stroke that is widened
    assert np.median(off) == 0


def test_grain_and_specks_fainter_than_ink_are_paper():
    rng = np.random.default_rng(0)
    grey = np.asarray(seven(560, paper=200, ink=60), float)
    noisy = np.clip(grey + rng.normal(0, 5, grey.shape), 0, 255)
    noisy[5, 5] -= 12
    assert difference(to_mnist_geometry(noisy), expected()) < 6


def test_averaging_sees_through_strong_noise():
    grey = np.asarray(seven(2600, paper=180, ink=80), float)
    noisy = np.clip(grey + np.random.default_rng(0).normal(0, 50, grey.shape), 0, 255)
    assert difference(to_mnist_geometry(noisy), expected()) < 10


def test_ink_from_elsewhere_can_have_any_unit_and_a_faint_background():
    ink = 255 - np.asarray(seven(), float)
    assert difference(ink_to_mnist_geometry(ink / 1000), expected()) < 4
    on_grey = ink_to_mnist_geometry(ink + 10)
    assert (on_grey > 50).any(1).sum() == 20, "the box is that of the ink, not of the grey"


def test_brightness_is_read_as_it_is(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(read_grey(saved(tmp_path, Image.fromarray(grey))), grey)
    wide = Image.fromarray(grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_grey(saved(tmp_path, wide)), grey)


BLANK = {
    "one pixel": np.zeros((1, 1), np.uint8),
    "white": np.full((50, 40), 255, np.uint8),
    "black": np.zeros((50, 40), np.uint8),
    "JPEG's noise": 200 + np.random.default_rng(0).integers(-3, 4, (50, 40)).astype(np.uint8),
    "a faint stain": np.pad(np.full((9, 9), 215, np.uint8), 9, constant_values=220),
    "camera's noise": np.random.default_rng(0).normal(150, 8, (200, 200)).astype(np.uint8),
}


@pytest.mark.parametrize("grey", BLANK.values(), ids=BLANK)
def test_a_blank_picture_has_no_ink(tmp_path, grey):
    path = saved(tmp_path, Image.fromarray(grey))
    with pytest.raises(DataError, match=r"digit\.png: no ink found"):
        read_picture(path)


def test_a_clear_picture_has_no_ink(tmp_path):
    path = saved(tmp_path, Image.new("RGBA", (30, 30), (0, 0, 0, 0)))
    with pytest.raises(DataError, match="no ink found"):
        read_picture(path)
    with pytest.raises(DataError, match="no ink found"):
        ink_to_mnist_geometry(np.zeros((3, 3)))


@pytest.mark.parametrize(
    "grey",
    [np.zeros(5), np.zeros((0, 5)), np.zeros((5, 5, 3)), np.full((5, 5), np.nan),
     np.full((5, 5), -1.0), np.full((5, 5), 256)],
    ids=["rank 1", "empty", "rank 3", "NaN", "negative", "over 255"],
)  # fmt: skip
def test_arrays_that_are_no_picture_are_refused_by_name(grey):
    with pytest.raises(ValueError, match="grey must be"):
        to_mnist_geometry(grey)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_is_read(tmp_path, kind, mode):
    options = {"lossless": True} if kind == "WEBP" else {}
    path = saved(tmp_path, seven().convert(mode), kind, **options)
    assert difference(read_picture(path), expected()) < 6


@pytest.mark.parametrize(("full", "type_"), [(255, "H"), (4095, "H"), (65535, "H"), (1.0, "f")])
def test_wide_pixels_have_the_range_of_their_values(tmp_path, full, type_):
    wide = (np.asarray(seven()) / 255 * full).astype(type_)
    path = saved(tmp_path, Image.fromarray(wide), "TIFF")
    assert read_grey(path).max() == pytest.approx(255)
    assert difference(read_picture(path), expected()) < 1
