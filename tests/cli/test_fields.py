"""A run that reads rows of digits: from `train` to `evaluate`, and where it does not fit."""

import json
from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from jaxdigits.data import DATASETS, Dataset, make_fields, make_texts
from jaxdigits.reader import confidence, search
from jaxdigits.runs import load_run


def two_sets():
    """Rows of tiny squares by twelve hands, 48 to learn from and 24 to test on."""
    image = np.zeros((240, 28, 28), np.uint8)
    label = np.arange(240) % 10
    for n, side in enumerate(6 + label):
        image[n, 8 : 8 + side, 8 : 8 + side] = 255
    digits, writer = Dataset(image, label), np.arange(240) // 20
    return tuple(make_fields(digits, writer, make_texts(n, n)) for n in (48, 24))


@pytest.fixture(scope="module")
def run_of_fields(cli, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "fields", two_sets)
        patch.setattr("jaxdigits.runs.job.DRAWN", 20)
        # An untrained network is unsure of everything: each search would take all its steps.
        patch.setattr(confidence, "search", partial(search, slots=11, most=2))
        folder = tmp_path_factory.mktemp("fields") / "run"
        small = ("--channels", "2", "2", "--context", "4", "--epochs", "1", "--batch", "16")
        answer = cli("train", "columns", *small, "--out", str(folder))
        yield answer, folder


def test_training_ends_with_a_doubt_of_two_kinds_and_the_next_command(run_of_fields):
    answer, folder = run_of_fields
    assert answer.code == 0, answer.err
    assert f"--run {folder}" in answer.out.splitlines()[-1]
    assert "jaxdigits read PICTURE" in answer.out.splitlines()[-1]
    doubt = load_run(folder).doubt
    assert len(doubt.steps) == len(doubt.checked) > 0


def test_evaluate_tells_rows_and_promises(cli, run_of_fields):
    answer = cli("evaluate", str(run_of_fields[1]), "--json")
    assert answer.code == 0, answer.err
    result = answer.json()
    assert 0 <= result["test_accuracy"] <= 1
    assert {"best_string", "calibration_error", "promises", "temperature"} <= set(result)
    assert "of the rows right by the best alignment" in answer.err
    assert "more than validation data promise" in answer.err
    refused = cli("evaluate", str(run_of_fields[1]), "--corruptions", "1")
    assert (refused.code, refused.out) == (2, "")
    assert "are for single digits" in refused.err


def test_a_picture_of_one_digit_is_for_another_run(cli, run_of_fields, tmp_path):
    refused = cli("predict", str(run_of_fields[1]), str(tmp_path / "5.png"))
    assert refused.code == 2
    assert "jaxdigits read PICTURE" in refused.err


def test_plot_draws_the_learning(cli, run_of_fields):
    pytest.importorskip("matplotlib")
    answer = cli("plot", str(run_of_fields[1]))
    assert answer.code == 0, answer.err
    assert (run_of_fields[1] / "plots" / "learning.png").is_file()


def test_several_seeds_and_smoothing_are_refused(cli):
    for flag, value in (("--seeds", "2"), ("--smoothing", "0.1")):
        answer = cli("train", "columns", flag, value)
        assert answer.code == 2
        assert f"{flag[2:]} must be" in answer.err


@pytest.fixture(scope="module")
def own_rows(tmp_path_factory):
    """A folder of fifteen rows of two digits."""
    folder, lines = tmp_path_factory.mktemp("rows"), ["file,digits"]
    for n in range(15):
        image = Image.new("L", (120, 60), 220)
        font = ImageFont.load_default(40)
        ImageDraw.Draw(image).text((20, 45), f"{n:02d}", 40, font, anchor="ls")
        image.save(folder / f"{n}.png")
        lines.append(f"{n}.png,{n:02d}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def test_a_run_is_trained_on_with_own_rows_of_digits(cli, run_of_fields, own_rows, tmp_path):
    own, out = ("--data", own_rows, "--start", run_of_fields[1]), ("--out", tmp_path / "tuned")
    answer = cli("train", *own, "--learning-rate", "1e-30", "--epochs", "1", *out)
    assert answer.code == 0, answer.err
    assert "3 of its rows are set apart" in answer.out
    runs = [load_run(folder) for folder in (run_of_fields[1], tmp_path / "tuned")]
    assert runs[1].doubt.checked == ()
    assert runs[1].config.options["channels"] == (2, 2), "as in the run before"
    jax.tree.map(np.testing.assert_array_equal, *(run.params for run in runs))
    again = cli("evaluate", tmp_path / "tuned", "--json")
    assert again.code == 0, again.err
    result = json.loads((tmp_path / "tuned" / "result.json").read_text())
    assert again.json()["test_accuracy"] == result["test_accuracy"]


def test_own_rows_of_digits_are_for_columns_alone(cli, own_rows):
    refused = cli("train", "cnn", "--data", own_rows)
    assert refused.code == 2
    assert "the folder has rows of digits: choose columns" in refused.err
