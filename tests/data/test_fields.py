"""Fields: rows of digits by the hands of MNIST, drawn from the key of each example."""

import gzip
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import Dataset, Style, by_writers, fields, make_fields, make_texts
from jaxdigits.data.drawn_glyphs import mirror
from jaxdigits.data.fields import LONGEST, WRITERS, with_checksums, with_texts, writers_of
from jaxdigits.errors import DataError
from jaxdigits.keys import example_keys

PLAIN = Style(*[0] * len(Style._fields))
HANDS, AT_ONCE = 24, 8


def squares():
    """Digit d is a square of 6 + d pixels, ink 255 − hand: by 24 hands, two of each."""
    image = np.zeros((HANDS * 20, 28, 28), np.uint8)
    writer, label = np.arange(HANDS * 20) // 20, np.arange(HANDS * 20) % 10
    for n, side in enumerate(6 + label):
        image[n, 14 - side // 2 : 14 - side // 2 + side, 10 : 10 + side] = 255 - writer[n]
    return Dataset(image, label), writer


@pytest.fixture(scope="module")
def rows():
    return make_fields(*squares(), make_texts(96, 0))


@jax.jit
def _taken(inputs, style, keys):
    return replace(inputs, style=Style(*style)).take(jnp.arange(AT_ONCE), keys)


def taken(data, rows, seed=0):
    """The pictures of rows, by one program for rows of any number, length and style."""
    drawn, inputs = [], replace(data.inputs, style=PLAIN)
    blank = ((0, 0), (0, LONGEST - inputs.text.shape[1]))
    inputs = replace(inputs, text=np.pad(inputs.text, blank, constant_values=-1))
    for first in range(0, len(rows), AT_ONCE):
        some = np.resize(rows[first : first + AT_ONCE], AT_ONCE)
        keys = example_keys(jax.random.key(seed), some)
        drawn.append(_taken(inputs.select(some), np.array(data.inputs.style, float), keys))
    return np.concatenate(drawn)[: len(rows)]


def test_a_field_is_a_function_of_its_key_and_its_number(rows):
    drawn = taken(rows, [3, 50, 7])
    assert (drawn.shape, drawn.dtype) == ((3, 32, 256), np.uint8)
    assert rows.inputs.shape == (32, 256)
    np.testing.assert_array_equal(taken(rows, [7])[0], drawn[2])
    assert (taken(rows, [7], seed=1)[0] != drawn[2]).mean() > 0.02


def test_without_any_style_the_digits_stand_side_by_side_in_order():
    text = np.array([[0, 9, 5, -1], [2, -1, -1, -1]], np.int32)
    drawn = taken(make_fields(*squares(), text, style=PLAIN), [0, 1]) > 100
    for row, digits in zip(drawn, text, strict=True):
        ink = np.flatnonzero(np.diff(np.pad(row.any(0), 1).astype(int))).reshape(-1, 2)
        assert len(ink) == (digits >= 0).sum()
        assert ink[0, 0] >= 4, "paper comes first"
        assert (ink[1:, 0] - ink[:-1, 1] >= 1).all(), "digits do not touch"
        tall = [np.ptp(np.flatnonzero(row[:, a:b].any(1))) + 1 for a, b in ink]
        sides = 6 + digits[digits >= 0]
        assert tall == sorted(tall, key=lambda t: tall.index(t))
        assert (np.argsort(tall) == np.argsort(sides, kind="stable")).all()


def test_one_hand_writes_alone_or_each_digit_is_by_any_hand():
    text = np.tile(np.arange(10, dtype=np.int32), (60, 1))
    data = make_fields(*squares(), text, style=PLAIN)
    spread = []
    for row in taken(data, np.arange(60)):
        ink = np.flatnonzero(np.diff(np.pad((row > 150).any(0), 1).astype(int)))
        shades = [np.median(part[part > 150]) for part in np.split(row, ink, axis=1)[1::2]]
        spread.append(np.ptp(shades))
    alone = np.asarray(data.inputs.alone)
    assert 0.5 < alone.mean() < 0.9
    of = lambda rows: np.median(np.array(spread)[rows])
    assert of(alone) < 6 < 12 < of(~alone), "but for grain"


@pytest.mark.parametrize("name", Style._fields[:-1])
def test_each_part_of_the_style_changes_pictures(name):
    text = np.tile([1, 4, 0, 9], (6, 1)).astype(np.int32)
    digits, writer = squares()
    image = np.array(digits.inputs.array)
    image[:, :, 10:12] //= 2  # the left is not as the right
    digits = Dataset(image, np.asarray(digits.label))
    plain = taken(make_fields(digits, writer, text, style=PLAIN), np.arange(6))
    styled = taken(make_fields(digits, writer, text, style=PLAIN._replace(**{name: 1.0})),
                   np.arange(6))  # fmt: skip
    assert ((plain != styled).mean((1, 2)) > 0.001).mean() > 0.4


def _heights(row):
    """The height of the ink of each piece of a drawn field, from left to right."""
    ink = np.flatnonzero(np.diff(np.pad((row > 100).any(0), 1).astype(int))).reshape(-1, 2)
    return [np.ptp(np.flatnonzero((row[:, a:b] > 100).any(1))) + 1 for a, b in ink]


def test_some_writers_write_small_zeros():
    text = np.tile([8, 0, 0, 1], (6, 1)).astype(np.int32)

    def draw(**style):
        rows = make_fields(*squares(), text, style=PLAIN._replace(**style))
        return taken(rows, np.arange(6))

    for a, b in zip(draw(), draw(small_zeros=1.0), strict=True):
        assert np.less(_heights(b)[1:3], _heights(a)[1:3]).all(), "0 is smaller"
        assert _heights(b)[::3] == pytest.approx(_heights(a)[::3], abs=1), "others are not"


def test_a_flag_goes_down_from_the_top_of_a_1_to_its_left():
    digits, writer = squares()
    image, label = np.array(digits.inputs.array), np.asarray(digits.label)
    image[label == 1] = 0
    image[label == 1, 4:24, 13:15] = 255
    text = np.full((24, 1), 1, np.int32)
    style = PLAIN._replace(barred=1.0)
    drawn = taken(make_fields(Dataset(image, label), writer, text, style=style), np.arange(24))
    y, x = np.arange(32)[:, None], np.arange(256)
    wide = []
    for ink in drawn > 100:
        stem = np.flatnonzero(ink.sum(0) >= 18)
        assert 2 <= len(stem) <= 4
        assert not ink[:, stem[-1] + 2 :].any()
        flag = ink & (x < stem[0])
        assert (y[:, 0] * flag.any(1)).max() > 8, "below the top"
        wide.append(np.ptp(np.flatnonzero(flag.any(0))) + 1)
        if wide[-1] > 4:
            assert np.corrcoef((y + 0 * x)[flag], (x + 0 * y)[flag])[0, 1] < -0.7
    assert min(wide) <= 3 < 8 <= max(wide), "from a hook to a roof"


def test_a_mirrored_glyph_has_left_and_right_exchanged_and_so_its_extent():
    ink = np.zeros((2, 28, 28), np.float32)
    ink[:, 5:20, 3:9] = np.arange(1, 7)
    extent = np.tile([5, 20, 3, 9], (2, 1))
    glyph, moved = mirror(jnp.asarray(ink), jnp.asarray(extent), jnp.array([True, False]))
    np.testing.assert_array_equal(moved, [[5, 20, 19, 25], [5, 20, 3, 9]])
    np.testing.assert_array_equal(glyph[0, 5, 19:25], [6, 5, 4, 3, 2, 1])
    np.testing.assert_array_equal(glyph[1], ink[1])


def test_touching_digits_touch_and_too_many_are_squeezed_into_the_width():
    text = np.full((8, 12), 9, np.int32)
    style = PLAIN._replace(touching=1.0)
    columns = (taken(make_fields(*squares(), text, style=style), np.arange(8)) > 100).any(1)
    pieces = (np.diff(columns.astype(int), axis=1) == 1).sum(1)
    assert np.median(pieces) < 6 < 12, "some only come near"
    narrow = make_fields(*squares(), text, style=PLAIN, width=128)
    ink = (taken(narrow, [0]) > 60)[0].any(0)
    assert narrow.inputs.shape == (32, 128)
    assert np.flatnonzero(ink)[-1] <= 127
    assert (np.diff(ink.astype(int)) == 1).sum() >= 10


def test_digits_alone_are_those_of_the_field_in_order():
    text = np.array([[0, 9, 5, -1], [7, 7, 2, 4]], np.int32)
    data = make_fields(*squares(), text, style=PLAIN._replace(touching=1.0, bent=1.0))
    rows = jnp.arange(2)
    keys = example_keys(jax.random.key(0), rows)
    both = jax.jit(lambda x: (x.digits_alone(rows, keys), x.take(rows, keys)))
    alone, field = map(np.asarray, both(data.inputs))
    assert alone.shape == (2, 4, 32, 256)
    np.testing.assert_array_equal(alone.any((2, 3)), text >= 0)
    ink = alone.sum(1).clip(0, 1)
    assert np.corrcoef(ink.ravel(), field.ravel())[0, 1] > 0.9
    middle = (alone.sum(2) * np.arange(256)).sum(-1) / alone.sum((2, 3)).clip(1e-6)
    assert (np.diff(middle[1]) > 4).all()
    assert (np.diff(middle[0, :3]) > 4).all()


def test_texts_have_1_to_12_digits_and_end_once():
    text = make_texts(4000, 0)
    length = (text >= 0).sum(1)
    assert set(length.tolist()) == set(range(1, 13))
    assert length.mean() > 7
    assert ((text >= 0) == (np.arange(12) < length[:, None])).all()
    assert np.bincount(text[text >= 0]).min() > 0.08 * length.sum()
    again = (text[:, 1:] == text[:, :-1]) & (text[:, 1:] >= 0)
    assert again.sum() / (length - 1).sum() > 0.15, "repeats need a blank between them"
    np.testing.assert_array_equal(text, make_texts(4000, 0))


def test_validation_has_other_writers_and_each_part_its_own_glyphs(rows):
    train, valid = by_writers(rows, 1 / 6, 0)
    assert len(train) + len(valid) == len(rows)
    assert len(valid.inputs.among) == HANDS // 6
    writer = squares()[1]
    of_part = [set(writer[np.ravel(part.inputs.among)].tolist()) for part in (train, valid)]
    assert not of_part[0] & of_part[1]
    assert len(of_part[0] | of_part[1]) == HANDS
    for part in (train, valid):
        assert np.asarray(part.inputs.hand).max() < len(part.inputs.among)
        np.testing.assert_array_equal(part.label, part.inputs.text)
    with pytest.raises(ValueError, match="without any"):
        by_writers(rows, 0.001, 0)


def test_a_slice_keeps_the_glyphs_and_takes_the_texts(rows):
    few = rows[10:14]
    assert len(few) == few.inputs.size == 4
    np.testing.assert_array_equal(few.label, rows.label[10:14])
    assert few.inputs.among is rows.inputs.among


def test_checksums_hold_and_texts_can_be_changed(rows):
    checked = with_checksums(rows, 50)
    weights = np.array([3, 7, 1] * 3)
    assert ((np.asarray(checked.label) @ weights) % 10 == 0).all()
    assert len(np.unique(checked.label, axis=0)) == 50
    other = with_texts(rows, checked.label[:5], PLAIN)
    assert (len(other), other.inputs.style) == (5, PLAIN)


def test_a_writer_who_lacks_a_digit_is_left_out_and_one_must_remain():
    digits, writer = squares()
    keep = ~((writer == 3) & (np.asarray(digits.label) == 7))
    few = digits[np.flatnonzero(keep)]
    data = make_fields(few, writer[keep], make_texts(5, 0))
    assert len(data.inputs.among) == HANDS - 1
    with pytest.raises(ValueError, match="none of the 1 writers wrote all ten digits"):
        make_fields(digits[:5], writer[:5], make_texts(5, 0))


def test_writers_come_from_qmnists_labels(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path))
    name = next(iter(WRITERS))
    (tmp_path / "qmnist_labels").mkdir()
    path = tmp_path / "qmnist_labels" / name
    table = np.arange(80, dtype=">i4").reshape(10, 8)
    head = bytes([0, 0, 0x0C, 2]) + np.array([10, 8], ">u4").tobytes()
    path.write_bytes(gzip.compress(head + table.tobytes()))
    monkeypatch.setitem(WRITERS, name, (10, WRITERS[name][1]))
    np.testing.assert_array_equal(writers_of(name, 4), [2, 10, 18, 26])
    path.write_bytes(b"no labels")
    with pytest.raises(DataError, match="not an IDX file"):
        writers_of(name, 4)


def test_the_data_set_is_of_two_groups_of_writers(monkeypatch):
    digits, writer = squares()
    module = sys.modules["jaxdigits.data.fields"]  # the package has a function of that name
    monkeypatch.setattr(module, "mnist", lambda: (digits, digits))
    monkeypatch.setattr(module, "writers_of", lambda name, count: writer[:count])
    train, test = fields(texts=(30, 20), style=PLAIN)
    assert (len(train), len(test), train.classes) == (30, 20, 11)
    assert train.inputs.style == test.inputs.style == PLAIN
