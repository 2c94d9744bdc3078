"""`jaxdigits read` and `jaxdigits formats`: one line a field, whatever stands beside it."""

import csv
import io
import json
import sys

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from jaxdigits.cli.read import BOX
from jaxdigits.data import prepare_field
from jaxdigits.measure import Doubt
from jaxdigits.measure.calibration import Step
from jaxdigits.reader import FORMATS, make_format
from jaxdigits.runs import Config
from jaxdigits.runs.answer import frames_of
from jaxdigits.runs.folder import create_run, load_run, save_doubt, save_params
from jaxdigits.runs.promise import reading_limit

FORMAT = ("--format", "digits:1-4")
TEXTS = ("314", "27", "1828")


DOUBT = Doubt(2.0, (Step(0.9, 1000, 0), Step(0.0, 2000, 900)), (Step(0.5, 1000, 0),))


def picture(text):
    image = Image.new("L", (40 + 24 * len(text), 60), 220)
    font = ImageFont.load_default(40)
    ImageDraw.Draw(image).text((20, 45), text, 40, font, anchor="ls")
    return image


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    for text in TEXTS:
        picture(text).save(folder / f"{text}.png")
    return [folder / f"{text}.png" for text in TEXTS]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The run of an untrained network for fields, which may promise one error in two."""
    folder = tmp_path_factory.mktemp("columns") / "run"
    options = dict(channels=[2, 2], context=[3], norm=None)
    config = Config("columns", "fields", epochs=1, smoothing=0.0, options=options)
    params, _ = config.build()(training=True).init(jax.random.key(0), config.features)
    create_run(folder, config)
    save_params(folder, params, ())
    save_doubt(folder, DOUBT)
    return folder


@pytest.fixture
def knowing(monkeypatch):
    """The network knows its pictures; of 27 it holds the 7 for a 1 nearly as well."""
    known = {}
    for text in TEXTS:
        ink = prepare_field(np.asarray(picture(text))).ink
        known[ink.tobytes()] = text

    def logits(ink):
        scores = np.zeros((len(ink), ink.shape[2] // 4, 11), np.float32)
        scores[..., 10] = 20
        for row, image in zip(scores, ink, strict=True):
            widths = range(32, image.shape[1] + 1, 4)
            text = next((t for w in widths if (t := known.get(image[:, :w].tobytes()))), "")
            for n, digit in enumerate(text):
                row[1 + 2 * n, int(digit)] = 40
                if text == "27" and n == 1:
                    row[1 + 2 * n, 1] = 39
        return scores

    monkeypatch.setattr("jaxdigits.runs.answer.frames_of", lambda run: logits)


def test_each_field_is_a_line(cli, knowing, run, pictures):
    answer = cli("read", *pictures, *FORMAT, "--run", run)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert [line.split("   ")[0] for line in lines] == [
        f"{path}: {text}" for path, text in zip(pictures, TEXTS, strict=True)
    ]
    shares = [int(line.split("   ")[1].removesuffix(" %")) for line in lines]
    assert shares[0] > 95
    assert shares[1] in range(55, 65), "of a temperature of 2"


def test_a_folder_or_a_list_is_read_whole(cli, knowing, run, pictures, monkeypatch):
    alone = cli("read", *sorted(pictures), *FORMAT, "--run", run).out
    assert cli("read", pictures[0].parent, *FORMAT, "--run", run).out == alone
    listed = io.TextIOWrapper(io.BytesIO("\n".join(map(str, sorted(pictures))).encode()))
    monkeypatch.setattr(sys, "stdin", listed)
    assert cli("read", "-", *FORMAT, "--run", run).out == alone


def test_json_has_the_next_strings_and_the_places(cli, knowing, run, pictures):
    answer = cli("read", pictures[1], *FORMAT, "--run", run, "--json")
    row = answer.json()
    assert row["file"] == str(pictures[1])
    assert (row["text"], row["digits"], row["refused"]) == ("27", "27", None)
    assert row["others"][0]["text"] == "21"
    assert row["probability"] + sum(o["probability"] for o in row["others"]) <= 1
    (a, b), (c, d) = row["spans"]
    assert 0 < a < b <= c < d < picture("27").width


def test_doubt_is_unsure_with_two_strings(cli, knowing, run, pictures):
    args = (*pictures[:2], *FORMAT, "--run", run, "--max-error", "0.1")
    answer = cli("read", *args)
    assert answer.code == 3
    sure, unsure = answer.out.splitlines()
    assert sure.startswith(f"{pictures[0]}: 314   ")
    assert unsure.startswith(f"{pictures[1]}: unsure   27 (")
    assert " %) or 21 (" in unsure
    row = cli("read", *args, "--json").json()
    assert row["refused"].startswith("doubt: 27 (")
    assert (row["text"], row["digits"]) == (None, None)
    assert [other["text"] for other in row["others"]][:2] == ["27", "21"]


def test_a_promise_that_the_run_cannot_keep_is_one_line(one_line, run, pictures):
    args = ("read", pictures[0], *FORMAT, "--run", run, "--max-error")
    code, said = one_line(*args, "0.001")
    assert (code, "promise no less than" in said) == (2, True)
    assert one_line(*args, "2") == (2, "--max-error must be between 0 and 1, got 2.0")


def test_a_checksum_has_limits_of_its_own(run):
    limit = lambda name: reading_limit(run, load_run(run), make_format(name), 0.1)
    assert limit("digits:1-4") == (2.0, 0.9)
    assert limit("luhn:4") == (2.0, 0.5)
    without = load_run(run)._replace(doubt=DOUBT._replace(checked=()))
    assert reading_limit(run, without, make_format("luhn:4"), 0.1) == (2.0, 0.9)
    assert reading_limit(run, without, make_format("luhn:4"), None) == (2.0, 0.0)


@pytest.fixture
def bad(tmp_path):
    """Files that cannot be read, and a blank picture."""
    text, blank = tmp_path / "text.png", tmp_path / "blank.png"
    text.write_text("no picture")
    Image.new("L", (90, 40), 255).save(blank)
    return text, tmp_path / "absent.png", blank


def test_a_bad_file_is_named_and_the_others_are_read(cli, knowing, run, pictures, bad):
    answer = cli("read", *bad, pictures[0], *FORMAT, "--run", run)
    assert answer.code == 1
    assert [line.split(": ")[1] for line in answer.err.splitlines()] == list(map(str, bad[:2]))
    blank, read = answer.out.splitlines()
    assert blank.startswith(f"{bad[2]}: no answer   no ink found")
    assert read.startswith(f"{pictures[0]}: 314   ")
    assert cli("read", bad[2], pictures[0], *FORMAT, "--run", run).code == 3
    rows = cli("read", *bad, *FORMAT, "--run", run, "--json").out.splitlines()
    assert ["error" in json.loads(row) for row in rows] == [True, True, False]
    assert json.loads(rows[2])["refused"].startswith("no ink found")


def test_a_table_has_a_row_a_field(cli, knowing, run, pictures, bad, tmp_path):
    file = tmp_path / "table.csv"
    args = (*bad, *pictures[:2], *FORMAT, "--run", run, "--max-error", "0.1", "--csv", file)
    answer = cli("read", *args)
    assert answer.code == 1
    assert answer.out == f"1 answered, 2 without an answer, 2 not read: {file}\n"
    assert [line.split(": ")[1] for line in answer.err.splitlines()] == list(map(str, bad[:2]))
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert list(rows[0]) == [
        "file", "text", "probability", "second", "second_probability", "reason"
    ]  # fmt: skip
    assert [row["text"] for row in rows] == ["", "", "", "314", "unsure"]
    assert [row["reason"].partition(":")[0] for row in rows[2:]] == [
        "no ink found",
        "",
        "doubt",
    ]
    assert all(str(path) in row["reason"] for path, row in zip(bad[:2], rows, strict=False))
    assert rows[4]["second"] == "21"
    assert float(rows[4]["second_probability"]) < float(rows[4]["probability"])
    code = cli("read", *pictures[:2], *args[len(bad) + 2 :]).code
    assert code == 3


def test_bad_commands_are_one_line(one_line, run, trained, pictures, tmp_path):
    path = pictures[0]
    assert one_line("read", *FORMAT) == (2, "read needs a picture, got none")
    assert one_line("read", path)[1].startswith("read needs --format NAME")
    code, said = one_line("read", path, "--format", "amonut")
    assert (code, said.endswith("perhaps amount")) == (2, True)
    for bad in ("pattern:[", r"pattern:\d*", "digits:0", "amount:9-1", "iban:GB"):
        assert one_line("read", path, "--format", bad)[0] == 2
    assert one_line("read", path, *FORMAT, "--run", tmp_path)[0] == 1
    code, said = one_line("read", path, *FORMAT, "--run", trained[1])
    assert (code, "reads single digits" in said) == (1, True)
    both = one_line("read", path, *FORMAT, "--csv", tmp_path / "a.csv", "--json")
    assert both == (2, "--csv writes a table: leave out --json")
    over = one_line("read", path, *FORMAT, "--run", run, "--csv", path)
    assert (over[0], "overwrite the picture" in over[1]) == (2, True)
    inside = one_line("read", path.parent, *FORMAT, "--run", run, "--csv", path)
    assert (inside[0], "overwrite the picture" in inside[1]) == (2, True)


def test_the_frames_of_a_run_do_not_depend_on_their_place(run):
    ink = np.random.default_rng(0).integers(0, 255, (2, 32, 64)).astype(np.uint8)
    logits = frames_of(load_run(run))
    both = logits(ink)
    assert both.shape == (2, 16, 11)
    np.testing.assert_allclose(logits(ink[::-1])[::-1], both, atol=1e-5)
    assert np.ptp(both) > 0


def test_the_formats_are_listed_with_what_they_cannot_see(cli):
    answer = cli("formats")
    assert (answer.code, answer.err) == (0, "")
    for kind in FORMATS.values():
        assert f"{kind.example} " in answer.out
        assert kind.text in answer.out
        assert f"does not see: {kind.blind}\n" in answer.out
    rows = [json.loads(line) for line in cli("formats", "--json").out.splitlines()]
    assert [row["name"] for row in rows] == list(FORMATS)
    assert {"example", "field", "blind"} < set(rows[0])


def test_the_network_of_the_package_reads_right_after_installation(cli, tmp_path):
    for text in ("2538", "640"):
        picture(text).save(tmp_path / f"{text}.png")
    answer = cli("read", tmp_path, "--format", "digits:1-6")
    assert answer.code == 0, answer.err
    for line, text in zip(answer.out.splitlines(), ("2538", "640"), strict=True):
        assert line.startswith(f"{tmp_path / text}.png: {text}   ")
    assert sum(path.stat().st_size for path in BOX.iterdir()) < 600_000
