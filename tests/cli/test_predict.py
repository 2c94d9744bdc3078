"""`jaxdigits predict`: one line a picture, whatever stands beside it."""

import csv
import io
import json
import re
import shutil

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxdigits.cli.predict import BOX
from jaxdigits.data import digits, mnist, read_picture
from jaxdigits.measure import Doubt, probabilities
from jaxdigits.measure.calibration import Step
from jaxdigits.runs import Config, load_run, predict
from jaxdigits.runs.folder import create_run, save_doubt, save_params


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six test digits, enlarged four times, dark on light."""
    folder, (_, test) = tmp_path_factory.mktemp("pictures"), digits()
    paths = [folder / f"{i}.png" for i in range(6)]
    for path, image in zip(paths, test.inputs[:], strict=False):
        Image.fromarray(np.kron(255 - image, np.ones((4, 4), np.uint8))).save(path)
    return paths


@pytest.fixture(scope="module")
def spiking(tmp_path_factory):
    """The run of an untrained spiking network, whose answers hang on its keys."""
    folder = tmp_path_factory.mktemp("spiking") / "run"
    options = dict(hidden=[8], steps=4, threshold=0.25)
    config = Config("snn", "digits", epochs=1, batch=8, learning_rate=0.1, options=options)
    params, _ = config.build()(training=True).init(jax.random.key(0), (28, 28))
    create_run(folder, config)
    save_params(folder, params, ())
    return folder


WEAK = "learned from 8 × 8 digits and misreads many pictures"


def answers(answer):
    """{file name: the rest of its JSON object}."""
    rows = [json.loads(line) for line in answer.out.splitlines()]
    return {row.pop("image"): row for row in rows}


def test_each_picture_has_the_digit_and_the_probabilities_of_the_network(
    cli, trained, pictures
):
    answer = cli("predict", trained[1], *pictures, "--json")
    assert answer.code == 0
    assert answer.err.startswith(f"jaxdigits: {trained[1]} {WEAK}")
    assert answer.err.count("\n") == 1
    got, run = answers(answer), load_run(trained[1])
    assert list(got) == [str(path) for path in pictures]
    for path, row in zip(pictures, got.values(), strict=True):
        logits = predict(run, read_picture(path)[None])[0, 0].astype(float)
        each = np.exp(logits / run.doubt.temperature)
        wanted = each / each.sum()
        assert list(row["probabilities"]) == [*"0123456789"]
        np.testing.assert_allclose([*row["probabilities"].values()], wanted, atol=2e-6)
        assert row["digit"] == wanted.argmax() == int(row["answer"])
        assert row["probability"] == max(row["probabilities"].values())
    in_the_data = predict(load_run(trained[1]), digits()[1].inputs[:6])[0].argmax(-1)
    assert [row["digit"] for row in got.values()] == in_the_data.tolist()


def test_light_on_dark_is_read_as_dark_on_light(cli, trained, pictures, tmp_path):
    inverted = tmp_path / "inverted.png"
    Image.fromarray(255 - np.asarray(Image.open(pictures[0]))).save(inverted)
    dark, light = answers(cli("predict", trained[1], pictures[0], inverted, "--json")).values()
    assert dark == light


def test_for_people_it_is_a_line_a_picture(cli, trained, pictures):
    plain = cli("predict", trained[1], *pictures[:2])
    got = answers(cli("predict", trained[1], *pictures[:2], "--json"))
    for line, (path, row) in zip(plain.out.splitlines(), got.items(), strict=True):
        assert line == f"{path}: {row['digit']}   {int(100 * row['probability'])} %"
    every = cli("predict", trained[1], pictures[0], "--all").out
    assert every.startswith(f"{plain.out.splitlines()[0]}   (0: ")


def test_an_answer_does_not_depend_on_what_is_beside_it(cli, spiking, pictures):
    together = answers(cli("predict", spiking, *pictures, "--json"))
    reversed_ = answers(cli("predict", spiking, *pictures[::-1], "--json"))
    alone = answers(cli("predict", spiking, pictures[3], "--json"))
    assert together == reversed_
    assert alone == {str(pictures[3]): together[str(pictures[3])]}
    assert len({str(row) for row in together.values()}) == 6


def test_several_networks_answer_with_their_mean_probability(cli, two, pictures):
    (row,) = answers(cli("predict", two[1], pictures[1], "--json")).values()
    logits = predict(load_run(two[1]), read_picture(pictures[1])[None])[:, 0].astype(float)
    each = np.exp(logits / load_run(two[1]).doubt.temperature)
    each /= each.sum(1, keepdims=True)
    np.testing.assert_allclose([*row["probabilities"].values()], each.mean(0), atol=2e-6)


def test_a_bad_picture_is_named_and_skipped_and_the_others_answered(
    cli, trained, pictures, tmp_path
):
    text, blank, cut = (tmp_path / name for name in ("text.png", "blank.png", "cut.png"))
    text.write_text("no picture")
    Image.new("L", (40, 40), 255).save(blank)
    cut.write_bytes(pictures[0].read_bytes()[:60])
    bad = [text, blank, cut, tmp_path / "absent.png"]
    answer = cli("predict", trained[1], *bad, pictures[0], "--json")
    assert answer.code == 1
    rows = answers(answer)
    assert list(rows) == [str(path) for path in (*bad, pictures[0])]
    assert all(rows[str(path)]["error"].startswith(str(path)) for path in bad)
    assert rows[str(pictures[0])]["digit"] is not None
    weak, *lines = answer.err.splitlines()
    assert WEAK in weak
    assert len(lines) == len(bad)
    for line, path in zip(lines, bad, strict=True):
        assert line.startswith(f"jaxdigits: {path}: ")


def test_no_picture_and_no_run_are_one_line(one_line, trained, tmp_path, pictures):
    line = "predict needs a picture or a recording, got none"
    assert one_line("predict", trained[1]) == one_line("predict") == (2, line)
    (tmp_path / "plots").mkdir()
    shutil.copy(pictures[0], tmp_path / "plots")
    code, said = one_line("predict", tmp_path, pictures[0])
    assert (code, said.startswith(f"{tmp_path} is not a run folder")) == (1, True)


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    """A photograph of a seven, and one of a letter."""
    folder = tmp_path_factory.mktemp("photographs")
    strokes = {
        "seven": [(60, 50), (160, 50), (100, 170)],
        "letter": [(50, 170), (50, 50), (110, 120), (170, 50), (170, 170)],
    }
    for name, points in strokes.items():
        sheet = Image.new("L", (220, 220), 205)
        ImageDraw.Draw(sheet).line(points, fill=60, width=9, joint="curve")
        sheet.save(folder / f"{name}.jpg")
    return [folder / f"{name}.jpg" for name in strokes]


def test_without_a_run_the_network_of_the_package_reads(cli, seven):
    answer = cli("predict", *seven)
    assert (answer.code, answer.err) == (3, "")
    lines = answer.out.splitlines()
    assert re.fullmatch(rf"{seven[0]}: 7   9\d %", lines[0])
    assert re.fullmatch(rf"{seven[1]}: no digit   \d\d %", lines[1])
    assert cli("predict", seven[0]).code == 0
    row = cli("predict", seven[1], "--json").json()
    assert (row["answer"], row["digit"]) == ("no digit", None)
    assert [*row["probabilities"]] == [*"0123456789", "no digit"]


def test_a_folder_of_pictures_before_a_picture_is_no_run(cli, seven, pictures):
    answer = cli("predict", pictures[0].parent, seven[0])
    assert len(answer.out.splitlines()) == len(pictures) + 1, answer.err
    assert answer.out.splitlines()[-1].startswith(f"{seven[0]}: 7")


def test_the_network_of_the_package_is_small_and_reads_mnist(trained):
    files = [path for path in BOX.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 100_000
    run, test = load_run(BOX), mnist()[1][:1000]
    p = probabilities(predict(run, test.inputs), run.doubt.temperature)
    assert (p.argmax(1) == test.label).mean() > 0.98


def test_an_answer_that_cannot_keep_the_promise_is_unsure(cli, trained, pictures, tmp_path):
    folder = shutil.copytree(trained[1], tmp_path / "run")
    rows = answers(cli("predict", folder, *pictures, "--json"))
    limit = sorted(row["probability"] for row in rows.values())[2]
    steps = [Step(0.0, 1000, 500), Step(limit + 1e-5, 500, 0)]
    save_doubt(folder, Doubt(load_run(folder).doubt.temperature, tuple(steps)))
    answer = cli("predict", folder, *pictures, "--json", "--max-error", "0.01")
    assert answer.code == 3
    sure = answers(answer)
    assert [row["digit"] for row in sure.values()].count(None) == 3
    for name, row in sure.items():
        known = row["probability"] > limit + 1e-5
        assert row["answer"] == (rows[name]["answer"] if known else "unsure")
    plain = cli("predict", folder, *pictures, "--max-error", "0.01").out
    assert plain.count(": unsure   ") == 3


def test_a_promise_that_the_run_cannot_give_is_one_line(one_line, trained, pictures, tmp_path):
    code, said = one_line("predict", trained[1], pictures[0], "--max-error", "1e-6")
    assert (code, said.startswith("--max-error is 1e-06, but")) == (2, True)
    assert "promise no less than " in said
    code, said = one_line("predict", pictures[0], "--max-error", "2")
    assert (code, said) == (2, "--max-error must be between 0 and 1, got 2.0")
    folder = shutil.copytree(trained[1], tmp_path / "run")
    (folder / "doubt.json").unlink()
    code, said = one_line("predict", folder, pictures[0], "--max-error", "0.1")
    assert (code, said.startswith(f"--max-error needs {folder}/doubt.json")) == (2, True)


def test_a_folder_becomes_a_table_with_a_row_a_picture(cli, trained, pictures, tmp_path):
    folder = tmp_path / "scans" / "inner"
    folder.mkdir(parents=True)
    for path in pictures:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "2.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not read")
    answer = cli("predict", trained[1], folder.parent, "--csv", tmp_path / "a.csv")
    assert answer.code == 1
    assert answer.out == f"5 pictures read, 1 not: {tmp_path / 'a.csv'}\n"
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [str(folder / f"{i}.png") for i in range(6)]
    lines = answers(cli("predict", trained[1], *pictures, "--json"))
    for row, line in zip(rows, lines.values(), strict=True):
        if row["file"].endswith("2.png"):
            assert (row["digit"], row["probability"]) == ("", "")
            assert row["error"].startswith(str(folder / "2.png"))
        else:
            assert (row["digit"], row["error"]) == (str(line["digit"]), "")
            assert float(row["probability"]) == pytest.approx(line["probability"], abs=1e-4)


def test_a_list_on_stdin_is_answered_as_the_same_paths(cli, trained, pictures, monkeypatch):
    text = "".join(f"{path}\n" for path in pictures[:3]) + "\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    got = cli("predict", trained[1], "-", "--json")
    assert got == cli("predict", trained[1], *pictures[:3], "--json")


@pytest.mark.parametrize("text", [b"", b"\n", b"a.png\0b.png\0"])
def test_a_list_that_is_none_is_one_line(one_line, monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    line = "the list on stdin must have a path in each line"
    assert one_line("predict", "-") == (1, line)


def test_a_name_commands_no_terminal(cli, seven, tmp_path):
    path = tmp_path / "a\x1b[31m.jpg"
    path.write_bytes(seven[0].read_bytes())
    answer = cli("predict", path, tmp_path / "b\x1b[0m.jpg")
    assert "\x1b" not in answer.out + answer.err
    assert "a\\x1b[31m.jpg: 7 " in answer.out


def test_many_pictures_are_answered_in_order_and_as_if_alone(cli, spiking, pictures):
    many = [*pictures, *pictures[::-1]] * 7  # more than one chunk of the network
    rows = [
        json.loads(line) for line in cli("predict", spiking, *many, "--json").out.splitlines()
    ]
    assert [row["image"] for row in rows] == list(map(str, many))
    alone = answers(cli("predict", spiking, *pictures, "--json"))
    for row in rows:
        for name, value in alone[row["image"]].items():
            assert row[name] == pytest.approx(value, abs=2e-6)


def test_folders_and_tables_that_cannot_be_are_one_line(one_line, trained, tmp_path, pictures):
    (tmp_path / "empty").mkdir()
    line = f"{trained[1]} is a run: pass it before the pictures"
    assert one_line("predict", pictures[0], trained[1]) == (1, line)
    line = "nothing: no such file or folder; pass pictures, or a run of `jaxdigits train`"
    assert one_line("predict", "nothing") == (1, line)
    line = f"{tmp_path / 'empty'}: no picture in this folder; pass another"
    assert one_line("predict", BOX, tmp_path / "empty") == (1, line)
    line = f"--csv would overwrite the picture {pictures[0]}: name another file"
    assert one_line("predict", pictures[0], "--csv", pictures[0]) == (2, line)
    assert one_line("predict", pictures[0].parent, "--csv", pictures[0]) == (2, line)
    code, said = one_line("predict", pictures[0], "--csv", tmp_path / "no" / "a.csv")
    assert (code, said) == (1, f"{tmp_path / 'no' / 'a.csv'}: No such file or directory")
    code, said = one_line("predict", trained[1], "--image", pictures[0], "--csv", "a.csv")
    assert (code, said.startswith("--csv is for pictures")) == (2, True)
