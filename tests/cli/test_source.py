"""Commands on people's own data: train, resume, evaluate, predict, plot."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from jaxdigits.cli.train import Train
from jaxdigits.data import digits
from jaxdigits.runs import load_run

NAMES = ("ash", "birch", "cedar")


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Sixty pictures of three classes, a folder for each."""
    folder, (data, _) = tmp_path_factory.mktemp("own") / "trees", digits()
    for n in np.flatnonzero(data.label < 3)[:60]:
        home = folder / NAMES[data.label[n]]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.inputs[n]).save(home / f"{n:04d}.png")
    return folder


@pytest.fixture(scope="module")
def run(cli, trees):
    """(answer, folder) of a small network trained on them."""
    folder = trees.parent / "run"
    args = ("--data", trees, "--hidden", 8, "--dropout-rate", 0, "--learning-rate", 0.01)
    return cli("train", "mlp", *args, "--epochs", 8, "--out", folder), folder


def test_a_folder_is_trained_on_and_remembered(run, trees):
    answer, folder = run
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0] == f"{trees} has no test set: 12 of its examples are set apart"
    assert lines[1] == f"training mlp on 48 examples ({trees})"
    config = load_run(folder).config
    assert (config.data, config.names, config.batch) == (str(trees), NAMES, 8)
    assert config.options["classes"] == 3
    stored = json.loads((folder / "config.json").read_text())["config"]
    assert stored["own"]["names"] == list(NAMES)
    assert json.loads((folder / "result.json").read_text())["test_accuracy"] > 0.7


def test_evaluate_gives_the_accuracy_of_training_by_class(cli, run, tmp_path):
    answer = cli("evaluate", run[1], "--figure", tmp_path / "c.png")
    assert answer.code == 0, answer.err
    rows = [line.split() for line in answer.out.splitlines()]
    assert [row[0] for row in rows if row and row[0] in NAMES] == [*NAMES, *NAMES]
    assert "class  images" in answer.out
    again = cli("evaluate", run[1], "--figure", tmp_path / "c.png", "--json").json()
    stored = json.loads((run[1] / "result.json").read_text())
    assert again["test_accuracy"] == stored["test_accuracy"]
    assert len(again["confusion"]) == 3


def test_predict_prints_names_of_classes(cli, run, trees):
    paths = [next((trees / name).iterdir()) for name in NAMES]
    answer = cli("predict", run[1], *paths, "--json")
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert all([*row["probabilities"]] == list(NAMES) for row in rows)
    assert sum(row["answer"] == name for row, name in zip(rows, NAMES, strict=True)) >= 2
    plain = cli("predict", run[1], *paths).out.splitlines()
    for line, path, row in zip(plain, paths, rows, strict=True):
        assert line.startswith(f"{path}: {row['answer']}   ")


def test_plot_draws_their_names(cli, run, tmp_path):
    pytest.importorskip("matplotlib")
    answer = cli("plot", run[1], "--out", tmp_path)
    assert answer.code == 0, answer.err
    assert "cedar" in (tmp_path / "report.html").read_text()


def test_data_that_moved_changed_or_are_gone(cli, one_line, run, trees, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(trees, moved)
    hidden = trees.rename(trees.with_name("hidden"))
    try:
        wanted = f"{trees}: the data of this run are not there; pass their new place as"
        for command in ("evaluate", "plot"):
            code, line = one_line(command, run[1])
            assert (code, line.startswith(wanted)) == (1, True)
        there = cli("evaluate", run[1], "--data-dir", moved)
        assert (there.code, there.err) == (0, "")
        assert there.out.startswith(f"{moved}: accuracy ")
        next((moved / "ash").iterdir()).unlink()
        changed = cli("evaluate", run[1], "--data", moved)
        assert changed.code == 0
        assert "has changed since the training began: its test examples may" in changed.err
        shutil.rmtree(moved / "ash")
        code, line = one_line("evaluate", run[1], "--data", moved)
        assert (code, "in classes birch, cedar; the run reads" in line) == (1, True)
    finally:
        hidden.rename(trees)


def test_a_run_goes_on_with_the_same_data_alone(cli, one_line, run, trees, tmp_path):
    cut = tmp_path / "run"
    shutil.copytree(run[1], cut)
    (cut / "result.json").unlink()
    config = json.loads((cut / "config.json").read_text())
    assert cli("train", "--resume", cut).code == 0
    assert (cut / "params.npz").read_bytes() == (run[1] / "params.npz").read_bytes()
    (cut / "result.json").unlink()
    config["config"]["own"]["digest"] = "another"
    (cut / "config.json").write_text(json.dumps(config))
    code, line = one_line("train", "--resume", cut)
    assert code == 1
    assert "changed since the training began: bring the old data back, or train" in line


def test_a_run_of_digits_is_tested_on_all_of_a_folder(cli, trained, tmp_path):
    _, test = digits()
    np.savez(tmp_path / "a.npz", image=test.inputs[:], label=test.label)
    ours = cli("evaluate", trained[1], "--data", tmp_path / "a.npz", "--json").json()
    theirs = cli("evaluate", trained[1], "--json").json()
    assert ours["test_accuracy"] == pytest.approx(theirs["test_accuracy"])


def test_data_that_are_nowhere_are_one_line(one_line, run, trees):
    line = "--data ./no: no such file or folder; pass one that is there"
    assert one_line("train", "mlp", "--data", "./no") == (1, line)
    code, line = one_line("train", "mlp", "--data", "digit")
    assert (code, line) == (
        2, "data of mlp must be one of digits, mnist, ./DIR, got 'digit'; perhaps digits"
    )  # fmt: skip
    code, line = one_line("train", "multimodal", "--data", trees)
    assert (code, "choose a network of images alone" in line) == (2, True)
    code, line = one_line("evaluate", run[1], "--data", "digits")
    assert (code, line.startswith("--data digits has 10 classes")) == (2, True)
    assert one_line("train", "mlp", "--data", trees, "--data-dir", ".")[0] == 2


def test_a_data_set_of_the_library_comes_before_a_folder_of_its_name(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Train.parsed(["mlp", "--data", "digits"]).settings["data"] == "digits"
    here = Train.parsed(["mlp", "--data", "./digits"]).settings["data"]
    assert here == str(tmp_path / "digits")
