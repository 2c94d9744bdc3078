"""A row of digits is found in a picture, straightened, scaled and centred."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from jaxdigits.data import DataError
from jaxdigits.data.field_ink import prepare_field

PAPER, INK = 210, 60


def written(text="314592", height=36, *, slope=0.0, margin=1.0, width=0, gap=0.15):
    """Printed digits [H, W] float, dark on light, and the left and right edge of each."""
    font = ImageFont.load_default(round(height / 0.7))
    widths = [font.getlength(sign) + gap * height for sign in text]
    edge = margin * height
    size = round(sum(widths) + 2 * edge), round(height + 2 * edge + abs(slope) * sum(widths))
    image, x, places = Image.new("L", size, PAPER), edge, []
    draw = ImageDraw.Draw(image)
    for sign, advance in zip(text, widths, strict=True):
        y = size[1] / 2 + slope * (x + advance / 2 - size[0] / 2)
        base = y + height / 2
        draw.text((x, base), sign, INK, font, anchor="ls", stroke_width=width)
        places.append((x, x + font.getlength(sign)))
        x += advance
    return ndimage.gaussian_filter(np.asarray(image, float), 0.6), places


def rows_of(ink):
    """The first and last row of ink that is not faint."""
    rows = np.flatnonzero((ink > 100).any(1))
    return rows[0], rows[-1]


def difference(a, b):
    """The mean difference of two inks, where one may have a few columns more."""
    width = max(a.shape[1], b.shape[1])
    a, b = (np.pad(i, ((0, 0), (0, width - i.shape[1]))).astype(float) for i in (a, b))
    return min(np.abs(a - np.roll(b, s, 1)).mean() for s in range(-3, 4))


@pytest.fixture(scope="module")
def plain():
    return prepare_field(written()[0]).ink


@pytest.mark.parametrize("height", [14, 22, 36, 80, 200])
@pytest.mark.parametrize("slope", [-0.12, 0, 0.05])
def test_digits_are_20_pixels_high_about_row_16(height, slope):
    field = prepare_field(written(height=height, slope=slope)[0])
    assert field.ink.dtype == np.uint8
    assert field.ink.shape[0] == 32
    assert field.ink.shape[1] % 4 == 0
    first, last = rows_of(field.ink)
    assert 4 <= first <= 7
    assert 24 <= last <= 27
    assert field.scale == pytest.approx(height / 20, rel=0.08, abs=0.11)  # edges are blurred
    assert field.ink.max() == 255
    columns = np.flatnonzero((field.ink > 100).any(0))
    assert 6 <= columns[0] <= 10
    assert 6 <= field.ink.shape[1] - 1 - columns[-1] <= 11
    assert not field.ink[:, :5].any()


def test_a_column_has_a_place_in_the_picture():
    grey, places = written("101010", 50, slope=0.04)
    field = prepare_field(grey)
    columns = np.arange(field.ink.shape[1])
    x = np.array([field.x_of(c + 0.5) for c in columns])
    ink = field.ink.astype(float).sum(0)
    for left, right in places:
        inside = (x > left - 2) & (x < right + 2)
        assert ink[inside].sum() > 0.5 * 255 * 20
        middle = (x[inside] * ink[inside]).sum() / ink[inside].sum()
        # A 1 of this font is not in the middle of its place.
        assert abs(middle - (left + right) / 2) < 0.2 * 50
    outside = ~np.any([(x > a - 3) & (x < b + 3) for a, b in places], 0)
    assert ink[outside].max() < 255


def test_a_large_picture_keeps_its_places():
    grey, places = written("2718", 400)
    assert grey.size > 1 << 19
    field = prepare_field(grey)
    columns = np.flatnonzero((field.ink > 100).any(0))
    assert field.scale == pytest.approx(20, rel=0.1)
    assert field.x_of(columns[0]) == pytest.approx(places[0][0], abs=60)
    assert field.x_of(columns[-1] + 1) == pytest.approx(places[-1][1], abs=60)


def test_light_strokes_on_dark_paper_are_the_same(plain):
    assert difference(prepare_field(255 - written()[0]).ink, plain) < 3
    far = 255 - written("58", margin=4)[0]
    assert difference(prepare_field(far).ink, prepare_field(written("58")[0]).ink) < 5


def test_brightness_may_be_bytes(plain):
    grey = np.rint(written()[0]).astype(np.uint8)
    assert difference(prepare_field(grey).ink, plain) < 1


def with_lines(grey, lines, width=2):
    image = Image.fromarray(np.full(grey.shape, PAPER, np.uint8))
    h, w = grey.shape
    for a, b, c, d in lines:
        ImageDraw.Draw(image).line([(a * w, b * h), (c * w, d * h)], 110, width)
    return np.minimum(grey, np.asarray(image, float))


BOX = [(0.08, 0.2, 0.92, 0.2), (0.08, 0.8, 0.92, 0.8),
       (0.08, 0.2, 0.08, 0.8), (0.92, 0.2, 0.92, 0.8)]  # fmt: skip
LINES = {
    "a base line": [(0.02, 0.72, 0.98, 0.72)],
    "rules": [(0, y, 1, y + 0.03) for y in (0.1, 0.25, 0.75, 0.9)],
    "a line through the feet": [(0.0, 0.64, 1, 0.64)],
    "a box": BOX,
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_lines_are_not_ink_and_digits_on_them_stay(plain, lines):
    field = prepare_field(with_lines(written()[0], lines))
    assert difference(field.ink, plain) < 9


@pytest.mark.parametrize("overlap", [0, 1, 2, 3])
def test_a_digit_on_a_line_keeps_the_stroke_that_both_share(overlap):
    image = Image.new("L", (330, 90), PAPER)
    draw, base = ImageDraw.Draw(image), 70
    for x in (30, 80, 130, 180, 230):
        draw.ellipse([x, 25, x + 34, base + overlap], outline=INK, width=4)
    draw.line([(285, 25), (285, base)], INK, 4)
    draw.line([(3, base), (327, base)], 90, 3)
    ink = prepare_field(np.asarray(image, float)).ink
    holes = ndimage.label(ink < 100)[1] - 1  # the paper around all digits is one piece
    digits = ndimage.label(ink >= 100, np.ones((3, 3)))[1]
    assert (holes, digits) == (5, 6)


def test_a_box_for_each_digit_is_not_ink():
    grey, places = written("314592", 40)
    edges = [a for a, _ in places] + [places[-1][1] + 6]
    w = grey.shape[1]
    x = [(edge - 3) / w for edge in edges]
    lines = [(x[0], y, x[-1], y) for y in (0.22, 0.78)]
    lines += [(each, 0.22, each, 0.78) for each in x]
    field, without = (prepare_field(g).ink for g in (with_lines(grey, lines), grey))
    assert difference(field, without) < 9
    # A 1 beside them is no line of a box.
    grey, _ = written("111", 40)
    lines = [(0.05, y, 0.95, y) for y in (0.2, 0.8)]
    field, without = (prepare_field(g).ink for g in (with_lines(grey, lines), grey))
    assert difference(field, without) < 9


def test_one_stroke_from_line_to_line_is_a_digit():
    grey, places = written("3 459", 40)
    lines = [(0, y, 1, y) for y in (0.25, 0.75)]
    x = (places[0][1] + places[2][0]) / 2 / grey.shape[1]
    field = prepare_field(with_lines(grey, [*lines, (x, 0.25, x, 0.75)], 3))
    column = round((x * grey.shape[1] - field.left) / field.scale)
    assert (field.ink[4:28, column - 2 : column + 3].max(1) > 100).sum() > 20


def test_feet_in_a_row_are_no_line():
    grey, _ = written("22222222", 40, gap=-0.05)
    plain = prepare_field(grey)
    assert (plain.ink[24:27] > 100).any(0).mean() > 0.6
    feet = 40 + 36
    joined = grey.copy()
    joined[feet : feet + 4, 40:-40] = np.minimum(joined[feet : feet + 4, 40:-40], 180)
    assert difference(prepare_field(joined).ink, plain.ink) < 9


def test_marks_have_no_say_in_the_height():
    plain, marked = written("3145", 40)[0], written("31.4,5.-", 40)[0]
    assert prepare_field(marked).scale == pytest.approx(prepare_field(plain).scale, rel=0.1)
    dots = np.flatnonzero((prepare_field(marked).ink[22:27] > 150).any(0))
    assert len(dots) > len(np.flatnonzero((prepare_field(plain).ink[22:27] > 150).any(0)))


def test_digits_that_touch_have_the_height_of_one():
    grey, _ = written("804800", 40, gap=-0.14)
    _, count = ndimage.label(grey < 140)
    assert count < 4
    assert prepare_field(grey).scale == pytest.approx(40 / 20, rel=0.1)
    sloping, _ = written("80480080", 40, gap=-0.14, slope=0.12)
    assert prepare_field(sloping).scale == pytest.approx(40 / 20, rel=0.15)


@pytest.mark.parametrize("first", [True, False])
def test_a_digit_twice_as_tall_as_the_others_is_not_cut(first):
    large, small = written("6", 56, margin=0.5)[0], written("000", 28, margin=0.5)[0]
    small = np.pad(small, ((42, 14), (0, 0)), constant_values=PAPER)
    ink = prepare_field(np.concatenate([large, small] if first else [small, large], 1)).ink
    piece, _ = ndimage.label(ink > 100, np.ones((3, 3)))
    tall = [np.ptp(np.nonzero(piece == i)[0]) + 1 for i in np.unique(piece[piece > 0])]
    tall = sorted(tall)
    assert len(tall) == 4
    assert tall[3] / tall[1] == pytest.approx(2, abs=0.25)
    assert 0 < rows_of(ink)[0] < rows_of(ink)[1] < 31


def test_specks_and_stains_off_the_row_are_not_in_it(plain):
    grey = written()[0]
    for y, x in ((4, 5), (100, 12), (8, 200), (102, 190)):
        grey[y : y + 3, x : x + 3] = INK
    grey = np.pad(grey, ((0, 60), (0, 0)), constant_values=PAPER)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    grey = np.where((y - 145) ** 2 + (x - 60) ** 2 < 18**2, INK, grey)
    assert difference(prepare_field(grey).ink, plain) < 3


def test_light_does_not_change_the_digits(plain):
    grey = written()[0]
    y, x = (np.linspace(-1, 1, n) for n in grey.shape)
    for light in (
        0.75 + 0.25 * x + 0 * y[:, None],
        np.where(x + 0.3 * y[:, None] > 0.1, 1, 0.6),
    ):
        assert difference(prepare_field(grey * light).ink, plain) < 6


def test_grain_and_a_printed_pattern_are_paper(plain):
    grey = written()[0]
    noisy = grey + np.random.default_rng(0).normal(0, 10, grey.shape)
    assert difference(prepare_field(np.clip(noisy, 0, 255)).ink, plain) < 10
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    pattern = 35 * ((x + 2 * y + 3 * np.sin(x / 9)) % 6 < 1.5)
    assert difference(prepare_field(np.clip(grey - pattern, 0, 255)).ink, plain) < 14


def test_thin_strokes_are_widened():
    image = Image.new("L", (300, 120), PAPER)
    for x in (60, 120, 180, 240):
        ImageDraw.Draw(image).line([(x, 20), (x, 100)], INK, 1)
    ink = prepare_field(np.asarray(image)).ink
    assert np.median((ink[12:20] > 100).sum(1)) >= 2 * 4
    assert ink.max() == 255


RNG = np.random.default_rng(0)
REFUSED = {
    "blank": (np.full((60, 200), 255, np.uint8), "no ink found"),
    "black": (np.zeros((60, 200), np.uint8), "no ink found"),
    "a pixel": (np.zeros((1, 1), np.uint8), "no ink found"),
    "faint": (200 + 5 * (written()[0] < 150), "no ink found"),
    "grain": (RNG.normal(180, 20, (60, 200)).clip(0, 255), "no ink found"),
    "a line alone": (with_lines(np.full((60, 200), 255.0), [(0, 0.5, 1, 0.5)]), "no ink found"),
    "specks": (np.where(RNG.random((60, 200)) < 0.002, 0.0, 255), "no row of digits"),
    "100 digits": (written("1234567890" * 10, 20)[0], "32 times as long as high"),
    "two rows": (np.concatenate([written("314592")[0], written("271828")[0]]), "several rows"),
}  # fmt: skip


@pytest.mark.parametrize(("grey", "reason"), REFUSED.values(), ids=REFUSED)
def test_without_one_row_of_digits_there_is_a_reason(grey, reason):
    with pytest.raises(DataError, match=reason):
        prepare_field(grey)


@pytest.mark.parametrize(
    ("grey", "problem"),
    [
        (np.zeros((0, 5)), "not empty"),
        (np.zeros((2, 3, 4)), r"must be \[H, W\]"),
        (np.full((9, 9), 256.0), r"0\.\.255"),
        (np.full((9, 9), np.nan), r"0\.\.255"),
    ],
)
def test_brightness_is_checked(grey, problem):
    with pytest.raises(ValueError, match=problem):
        prepare_field(grey)
