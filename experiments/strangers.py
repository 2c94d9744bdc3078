"""Drawings in MNIST's geometry: ones, sevens, and things that are no digit."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from jaxdigits.data.geometry import ink_to_mnist_geometry

SIDE = 84  # pixels of a drawing before it is brought to 28
# Letters that no digit looks like, in print.
LETTERS = "ACEFGHJKMNPQRTUVWXYacdefhkmnprtuvwxy" + "+=*#&@?%$<>~^"
FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf",
    "DejaVuSerif-Italic.ttf", "cmss10.ttf", "cmtt10.ttf", "STIXGeneral.ttf",
    "STIXGeneralItalic.ttf",
)  # fmt: skip


def with_serifs(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ones [N, 28, 28] with a flag, and half of them with a foot."""
    return np.stack([_serifs(image, rng) for image in images])


def _serifs(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    rows, columns = np.nonzero(np.asarray(large) > 100)
    top, bottom = rows.min(), rows.max()
    pen = int(np.clip(len(rows) / (bottom - top + 1), 4, 11))
    x_top, x_bottom = columns[rows <= top + 2].mean(), columns[rows >= bottom - 2].mean()
    height, draw = bottom - top, ImageDraw.Draw(large)
    angle, length = rng.uniform(0.25, 1.2), height * rng.uniform(0.2, 0.6)
    end = (x_top - length * np.sin(angle), top + length * np.cos(angle))
    draw.line([(x_top, top + pen / 2), end], fill=255, width=pen)
    if rng.random() < 0.5:
        half = height * rng.uniform(0.2, 0.5)
        draw.line([(x_bottom - half, bottom), (x_bottom + half, bottom)], fill=255, width=pen)
    return ink_to_mnist_geometry(np.asarray(large, np.float32))


def with_bars(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return sevens [N, 28, 28] with a short bar across the stem."""
    return np.stack([_barred(image, rng) for image in images])


def _barred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    rows, columns = np.nonzero(np.asarray(large) > 100)
    top, height = rows.min(), rows.max() - rows.min()
    y = top + height * rng.uniform(0.42, 0.62)
    far = np.abs(rows - y)
    stem = columns[far <= max(2, far.min())]  # some sevens have a gap there
    pen, half = np.clip((np.ptp(stem) + 1) * 0.8, 4, 11), height * rng.uniform(0.15, 0.35)
    x, rise = stem.mean(), half * rng.normal(0, 0.2)
    ImageDraw.Draw(large).line(
        [(x - half, y + rise), (x + half, y - rise)], fill=255, width=int(pen)
    )
    return ink_to_mnist_geometry(np.asarray(large, np.float32))


def strangers(digits: np.ndarray, count: int, seed: int, letters: str = LETTERS) -> np.ndarray:
    """Return drawings [count, 28, 28] uint8 that are no digit, in MNIST's geometry.

    Printed letters and signs, bent by hand; two digits; digits turned, mirrored or in parts;
    scribbles, crosses, bars, blots, dots and noise.
    """
    rng = np.random.default_rng(seed)
    images = []
    while len(images) < count:
        kind = STRANGERS[int(rng.choice(len(STRANGERS), p=SHARES))]
        ink = kind(digits, rng, letters)
        if ink.max() > 0.3:
            images.append(ink_to_mnist_geometry(ink))
    return np.stack(images)


def _letter(digits, rng, letters):
    sheet = Image.new("L", (SIDE, SIDE))
    sign = letters[rng.integers(len(letters))]
    font = _font(int(rng.integers(len(FONTS))))
    ImageDraw.Draw(sheet).text((SIDE / 2, SIDE / 2), sign, 255, font=font, anchor="mm")
    ink = np.asarray(sheet, np.float32) / 255
    # One pen for all of the letter: thin the print, then widen it.
    depth = ndimage.distance_transform_edt(ink > 0.5)
    pen = rng.uniform(2.5, 7)
    ridge = depth >= np.maximum(ndimage.maximum_filter(depth, 3), 1)
    thin = ndimage.distance_transform_edt(~ridge) <= pen / 2
    return _bent(ndimage.gaussian_filter(thin.astype(np.float32), 1), rng)


@cache
def _font(i: int):
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / FONTS[i], 60)


def _bent(ink, rng):
    """Displace ink smoothly, turn it a little and slant it."""
    dy, dx = ndimage.gaussian_filter(rng.uniform(-1, 1, (2, *ink.shape)), (0, 9, 9)) * 120
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]].astype(float)
    angle, slant = rng.normal(0, 0.12), rng.normal(0, 0.2)
    v, u = y - ink.shape[0] / 2, x - ink.shape[1] / 2
    rows = np.cos(angle) * v - np.sin(angle) * u + ink.shape[0] / 2 + dy
    columns = np.sin(angle) * v + np.cos(angle) * u + slant * v + ink.shape[1] / 2 + dx
    return ndimage.map_coordinates(ink, [rows, columns], order=1)


def _one(digits, rng):
    return digits[rng.integers(len(digits))].astype(np.float32) / 255


def _pair(digits, rng, letters):
    """Two or three digits side by side, near or touching."""
    parts = [_one(digits, rng) for _ in range(rng.integers(2, 4))]
    cropped = [part[:, part.any(0)] for part in parts]
    gap = int(rng.integers(-3, 6))
    width = sum(c.shape[1] for c in cropped) + gap * (len(cropped) - 1)
    sheet, at = np.zeros((28, max(width, 1)), np.float32), 0
    for part in cropped:
        part = part[:, : sheet.shape[1] - at]
        sheet[:, at : at + part.shape[1]] = np.maximum(sheet[:, at : at + part.shape[1]], part)
        at = max(at + part.shape[1] + gap, 0)
    return sheet


def _scribble(digits, rng, letters):
    """A few straight or bent strokes anywhere."""
    sheet = Image.new("L", (SIDE, SIDE))
    draw, pen = ImageDraw.Draw(sheet), int(rng.integers(4, 12))
    for _ in range(rng.integers(3, 7)):
        points = rng.uniform(8, SIDE - 8, (rng.integers(2, 4), 2))
        draw.line([tuple(p) for p in points], fill=255, width=pen, joint="curve")
    return ndimage.gaussian_filter(np.asarray(sheet, np.float32) / 255, 1)


def _cross(digits, rng, letters):
    """A plus or a times sign, or a bar across."""
    sheet = Image.new("L", (SIDE, SIDE))
    draw, pen = ImageDraw.Draw(sheet), int(rng.integers(4, 12))
    turn = rng.choice([0, np.pi / 4]) + rng.normal(0, 0.15)
    arms = [(turn, 1.0), (turn + np.pi / 2 + rng.normal(0, 0.1), rng.uniform(0.6, 1.4))]
    if rng.random() < 0.3:
        arms = [(rng.normal(0, 0.2), 1.0)]
    for angle, long in arms:
        d = np.array([np.cos(angle), np.sin(angle)]) * 25 * long
        c = SIDE / 2 + rng.uniform(-5, 5, 2)
        draw.line([tuple(c - d), tuple(c + d)], fill=255, width=pen)
    return ndimage.gaussian_filter(np.asarray(sheet, np.float32) / 255, 1)


def _blot(digits, rng, letters):
    """A filled shape, or one to three dots."""
    sheet = np.zeros((SIDE, SIDE), np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    for _ in range(1 if rng.random() < 0.6 else rng.integers(2, 4)):
        cy, cx = rng.uniform(25, SIDE - 25, 2)
        ry, rx = rng.uniform(5, 22) * np.array([1, rng.uniform(0.6, 1.6)])
        sheet = np.maximum(sheet, ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1)
    rough = ndimage.gaussian_filter(rng.normal(size=sheet.shape), 4) * 8
    return ndimage.gaussian_filter((sheet + 0.3 * rough > 0.5).astype(np.float32), 1)


def _noise(digits, rng, letters):
    """Noise, fine or coarse."""
    field = ndimage.gaussian_filter(rng.normal(size=(28, 28)), rng.uniform(0, 2.5))
    return np.clip(field / field.std() * rng.uniform(0.3, 2), 0, 1).astype(np.float32)


def _part(digits, rng, letters):
    """A digit on its side with its mirror image, or with a piece of another one upon it."""
    image, other = _one(digits, rng), _one(digits, rng)
    if rng.random() < 0.5:
        return np.maximum(image, np.rot90(image, int(rng.choice([1, 3]))))
    shift = rng.integers(5, 9, 2) * rng.choice([-1, 1], 2)
    return np.maximum(image, np.roll(other, shift, (0, 1)))


def _y(digits, rng, letters):
    """A handwritten y: a cup, open above, and a tail with a hook or a loop; or a fork."""
    strokes = _fork(rng) if rng.random() < 0.4 else [_cup_and_tail(rng)]
    sheet = Image.new("L", (SIDE, SIDE))
    draw, pen = ImageDraw.Draw(sheet), int(rng.integers(4, 9))
    for points in strokes:
        at = np.linspace(0, len(points) - 1, 80)
        curve = ndimage.map_coordinates(
            points, np.stack(np.broadcast_arrays(at[:, None], [0, 1]))
        )
        draw.line(curve.ravel().tolist(), fill=255, width=pen, joint="curve")
    return _bent(ndimage.gaussian_filter(np.asarray(sheet, np.float32) / 255, 1), rng)


def _cup_and_tail(rng):
    right, dip = rng.uniform(46, 58), rng.uniform(30, 48)
    sway = rng.uniform(-6, 8)
    points = np.array([
        (26, 14), (rng.uniform(22, 30), dip - 6), (rng.uniform(32, 40), dip),
        (right - 5, dip - rng.uniform(8, 16)), (right, 12),
        (right - sway / 2, dip + 4), (right - 6 - sway, 66), (rng.uniform(28, 44), 73),
        (rng.uniform(20, 30), rng.uniform(56, 66)),
        (right + rng.uniform(-6, 12), rng.uniform(42, 54)),
    ])  # fmt: skip
    return (points + rng.normal(0, 1.5, points.shape))[: rng.choice([7, 8, 9, 10, 10])]


def _fork(rng):
    """Two strokes: a short arm that meets a long stem, straight or a little bent."""
    top, foot = np.array([(rng.uniform(46, 62), 12), (rng.uniform(26, 46), 72)])
    joint = top + rng.uniform(0.3, 0.6) * (foot - top)
    start = np.array([rng.uniform(18, 32), rng.uniform(10, 20)])
    arm = np.linspace(start, joint, 4)
    arm[1:3] += (rng.uniform(-5, 2), rng.uniform(-2, 6))  # sags to the left
    stem = np.linspace(top, foot, 5)
    stem[1:4, 0] += rng.uniform(-4, 4)
    return [arm, stem]


STRANGERS = (_letter, _pair, _scribble, _cross, _blot, _noise, _part, _y)
SHARES = (0.29, 0.13, 0.13, 0.07, 0.08, 0.03, 0.09, 0.18)
DRAWN = {
    "letter": _letter, "y": _y, "two or three digits": _pair, "scribble": _scribble,
    "plus, times, bar": _cross, "blot or dots": _blot, "noise": _noise,
    "digit with a part of another": _part, "blank paper": lambda *_: np.zeros((SIDE, SIDE)),
}  # fmt: skip
