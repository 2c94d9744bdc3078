"""People's own rows of digits: a folder of pictures and a table."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from jaxdigits.data import own_data
from jaxdigits.errors import DataError

TEXTS = [f"{n:03d}" for n in range(0, 1000, 61)]


def draw(path, text):
    image = Image.new("L", (40 + 24 * len(text), 60), 220)
    ImageDraw.Draw(image).text((20, 45), text, 40, ImageFont.load_default(40), anchor="ls")
    image.save(path)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for text in TEXTS:
        draw(tmp_path / "images" / f"{text}.png", text)
    write(tmp_path, [(f"{text}.png", text) for text in TEXTS])
    return tmp_path


def write(folder, rows, name="labels.csv", head="file,digits"):
    (folder / name).write_text("\n".join([head, *(",".join(row) for row in rows)]) + "\n")


def test_a_table_gives_rows_of_digits_and_a_fifth_is_set_apart(folder):
    data = own_data(folder)
    assert (len(data.train), len(data.test)) == (14, 3)
    assert data.own.strings
    assert data.own.names == tuple("0123456789")
    assert data.train.inputs.shape == data.own.shape == (32, data.own.shape[1])
    texts = {"".join(map(str, row)) for part in (data.train, data.test) for row in part.label}
    assert texts == set(TEXTS)
    assert "3 of its rows are set apart" in data.notes[0]
    ink = np.asarray(data.train.inputs[:])
    assert ink.dtype == np.uint8
    assert (ink.max((1, 2)) > 200).all()


def test_a_test_table_is_the_test_and_lengths_may_differ(folder):
    (folder / "labels.csv").unlink()
    draw(folder / "long.png", "12345")
    (folder / "train.csv").write_text(
        "digits,writer,file\n" + "".join(f"{t},me,images/{t}.png\n" for t in TEXTS[2:])
    )
    write(folder, [("long.png", "12345"), (f"{TEXTS[0]}.png", TEXTS[0])], "test.csv")
    data = own_data(folder)
    assert (len(data.train), len(data.test)) == (15, 2)
    assert data.test.label.tolist() == [[1, 2, 3, 4, 5], [0, 0, 0, -1, -1]]
    assert data.train.inputs.shape == data.test.inputs.shape


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("000.png", "12a"), "line 2 has '12a'; write 1 to 40 digits, no more"),
        (("000.png", ""), "line 2 has ''"),
        (("gone.png", "12"), "line 2 names gone.png, which is not in"),
        (("blank.png", "12"), "1 of 1 pictures cannot be read: mend them or take them out"),
        (("000.png", "0" * 30), "1 of 1 pictures cannot be read"),
    ],
)
def test_a_line_that_does_not_fit_is_named(folder, row, problem):
    Image.new("L", (60, 40), 230).save(folder / "blank.png")
    write(folder, [row])
    with pytest.raises(DataError, match=problem):
        own_data(folder)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name,text\na.png,1\n", "its first line must name the columns file and digits"),
        (b"", "must name the columns"),
        (b"\xff\xfe\x00file", "not a table in UTF-8"),
        (b"file,digits\n", "no row in it"),
    ],
)
def test_a_table_that_is_none_is_refused(folder, content, problem):
    (folder / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=problem):
        own_data(folder)


def test_too_few_rows_are_refused(folder):
    write(folder, [(f"{t}.png", t) for t in TEXTS[:5]])
    with pytest.raises(DataError, match="5 rows to train on; 12 are needed"):
        own_data(folder)
