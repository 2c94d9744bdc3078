"""Pictures of signatures: one size, one pen, and what is refused."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxdigits.data import prepare_signature as prepare
from jaxdigits.data import read_signature
from jaxdigits.data.signature import HEIGHT, WIDTH
from jaxdigits.errors import DataError


def scrawl(width=3, size=(300, 160), box=(40, 40, 260, 120), paper=255):
    """A zigzag in a box (left, top, right, bottom), of a pen so wide."""
    image = Image.new("L", size, paper)
    x = np.linspace(box[0], box[2], 9)
    points = [(float(a), float(box[1 + 2 * (i % 2)])) for i, a in enumerate(x)]
    ImageDraw.Draw(image).line(points, fill=0, width=width)
    return np.asarray(image)


def test_a_signature_fills_its_picture_and_place_does_not_matter():
    one = prepare(scrawl())
    moved = prepare(scrawl(box=(60, 70, 280, 150)))
    assert one.shape == (HEIGHT, WIDTH)
    assert one.dtype == np.uint8
    assert (one > 128).any(1).sum() > 0.6 * HEIGHT or (one > 128).any(0).sum() > 0.9 * WIDTH
    assert np.abs(one.astype(int) - moved).mean() < 3


def test_thin_and_thick_pens_come_to_be_alike():
    thin, thick = prepare(scrawl(2)), prepare(scrawl(8))
    without = 255 - scrawl(2)[40:121, 40:261], 255 - scrawl(8)[40:121, 40:261]
    ratio = lambda a, b: b.sum(dtype=float) / a.sum(dtype=float)
    assert ratio(*without) > 2.5
    assert ratio(thin, thick) < 1.3


def test_specks_and_slow_light_do_not_matter():
    clean = scrawl()
    dirty = clean * np.linspace(1, 0.8, clean.shape[1])
    dirty[5:7, 5:7] = 40
    assert np.abs(prepare(dirty).astype(int) - prepare(clean)).mean() < 8


def test_blank_paper_and_two_signatures_are_refused(tmp_path):
    with pytest.raises(DataError, match="no signature: nothing stands out from the paper"):
        prepare(np.full((80, 120), 255, np.uint8))
    two = np.concatenate([scrawl(), np.full((200, 300), 255, np.uint8), scrawl()])
    Image.fromarray(two).save(tmp_path / "two.png")
    with pytest.raises(DataError, match=r"two.png: two pieces of ink above each other"):
        read_signature(tmp_path / "two.png")
