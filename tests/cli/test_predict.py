"""`jaxdigits predict`: one line a picture, whatever stands beside it."""

import csv
import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

from jaxdigits.data import digits, read_picture
from jaxdigits.runs import Config, load_run, predict
from jaxdigits.runs.folder import create_run, save_params


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


def answers(answer):
    """{file name: the rest of its JSON object}."""
    rows = [json.loads(line) for line in answer.out.splitlines()]
    return {row.pop("image"): row for row in rows}


def test_each_picture_has_the_digit_and_the_probabilities_of_the_network(
    cli, trained, pictures
):
    answer = cli("predict", trained[1], *pictures, "--json")
    assert (answer.code, answer.err) == (0, "")
    got = answers(answer)
    assert list(got) == [str(path) for path in pictures]
    for path, row in zip(pictures, got.values(), strict=True):
        logits = predict(load_run(trained[1]), read_picture(path)[None])[0, 0].astype(float)
        wanted = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(row["probabilities"], wanted, atol=2e-6)
        assert row["digit"] == wanted.argmax()
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
        assert line.startswith(f"{path}: {row['digit']}   (0: ")


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
    each = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(row["probabilities"], each.mean(0), atol=2e-6)


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
    assert list(answers(answer)) == [str(pictures[0])]
    lines = answer.err.splitlines()
    assert len(lines) == len(bad)
    for line, path in zip(lines, bad, strict=True):
        assert line.startswith(f"jaxdigits: {path}: ")


def test_no_picture_and_no_run_are_one_line(one_line, trained, tmp_path, pictures):
    line = "predict needs a picture or a recording, got none"
    assert one_line("predict", trained[1]) == (2, line)
    code, said = one_line("predict", tmp_path, pictures[0])
    assert (code, said.startswith(f"{tmp_path} is not a run folder")) == (1, True)


def test_a_folder_becomes_a_table_with_a_row_a_picture(cli, trained, pictures, tmp_path):
    folder = tmp_path / "scans" / "inner"
    folder.mkdir(parents=True)
    for path in pictures:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "2.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not read")
    answer = cli("predict", trained[1], folder.parent, "--csv", tmp_path / "a.csv")
    assert (answer.code, answer.err) == (1, "")
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
            most = max(line["probabilities"])
            assert float(row["probability"]) == pytest.approx(most, abs=1e-4)


def test_a_list_on_stdin_is_answered_as_the_same_paths(cli, trained, pictures, monkeypatch):
    text = "".join(f"{path}\n" for path in pictures[:3]) + "\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    got = cli("predict", trained[1], "-", "--json")
    assert got == cli("predict", trained[1], *pictures[:3], "--json")


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
    line = f"{tmp_path / 'empty'}: no picture in this folder; pass another"
    assert one_line("predict", trained[1], tmp_path / "empty") == (1, line)
    code, said = one_line(
        "predict", trained[1], pictures[0], "--csv", tmp_path / "no" / "a.csv"
    )
    assert (code, said) == (1, f"{tmp_path / 'no' / 'a.csv'}: No such file or directory")
    code, said = one_line("predict", trained[1], "--image", pictures[0], "--csv", "a.csv")
    assert (code, said.startswith("--csv is for pictures")) == (2, True)
