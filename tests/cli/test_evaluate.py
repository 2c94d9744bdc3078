"""`jaxdigits evaluate`: the tables add up to what training reported."""

import json
import shutil
import sys

import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.measure import calibration_error, probabilities
from jaxdigits.runs import load_run, predict


def test_json_is_what_training_reported_with_a_confusion_matrix_that_adds_up(cli, trained):
    answer = cli("evaluate", trained[1], "--json")
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 1
    result, reported = answer.json(), trained[0].json()
    for name in ("test_accuracy", "test_interval", "interval_over", "test_accuracies"):
        assert result[name] == reported[name]
    confusion = np.array(result["confusion"])
    assert confusion.shape == (10, 10)
    np.testing.assert_array_equal(confusion.sum(1), np.bincount(digits()[1].label))
    assert np.trace(confusion) / confusion.sum() == pytest.approx(result["test_accuracy"])
    assert result["data"] == "digits"


def test_the_tables_say_the_same(cli, trained):
    answer = cli("evaluate", trained[1])
    assert (answer.code, answer.err) == (0, "")
    confusion = np.array(cli("evaluate", trained[1], "--json").json()["confusion"])
    head, per_class, matrix, doubt, figure = answer.out.strip().split("\n\n")
    run, test = load_run(trained[1]), digits()[1]
    p = probabilities(predict(run, test.inputs), run.doubt.temperature)
    error, t = 100 * calibration_error(p, test.label), run.doubt.temperature
    assert doubt == f"calibration error {error:.2f} % at temperature {t:.3f}"
    assert head.startswith("digits: accuracy ")
    rows = [line.split() for line in per_class.splitlines()]
    assert rows[0] == ["digit", "images", "recognised", "precision"]
    assert [int(row[1]) for row in rows[1:]] == confusion.sum(1).tolist()
    for d, row in enumerate(rows[1:]):
        assert float(row[2]) == pytest.approx(
            100 * confusion[d, d] / confusion[d].sum(), abs=0.01
        )
    cells = [line.split()[1:] for line in matrix.splitlines()[1:]]
    printed = [[0 if n == "." else int(n) for n in row] for row in cells]
    np.testing.assert_array_equal(printed, confusion)
    paths = [trained[1] / name for name in ("confusion.png", "doubt.png")]
    assert figure == f"figure in {paths[0]} and {paths[1]}"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_of_a_run_without_a_result_it_says_so(cli, trained, tmp_path):
    folder = shutil.copytree(trained[1], tmp_path / "run")
    (folder / "result.json").unlink()
    answer = cli("evaluate", folder)
    assert answer.out.startswith("digits: accuracy ")
    why = f"{folder} has no result yet: this is its best network so far"
    assert answer.err == f"jaxdigits: {why}\n"


def test_corrupted_images_are_judged_too(cli, two, two_corruptions):
    answer = cli("evaluate", two[1], "--corruptions", 1, 5, "--json")
    assert answer.code == 0, answer.err
    found = answer.json()["corruptions"]
    assert list(found) == two_corruptions
    assert all(list(row) == ["1", "5"] for row in found.values())
    mild, hard = (np.mean([row[s] for row in found.values()], axis=0) for s in ("1", "5"))
    assert mild.shape == (2,)  # networks
    assert (mild > hard).all()
    rows = [line.split() for line in answer.err.split("\n\n")[-2].strip().splitlines()]
    assert rows[0] == ["corruption", "severity", "1", "severity", "5"]
    assert rows[-1][:2] == ["mean", f"{100 * mild.mean():.2f}"]


def test_a_severity_that_there_is_not_is_refused(one_line, trained):
    message = "--corruptions takes severities from 1 to 5, got 6"
    assert one_line("evaluate", trained[1], "--corruptions", 3, 6) == (2, message)


def test_of_several_networks_each_judges_each_image(cli, two):
    result = cli("evaluate", two[1], "--json").json()
    reported = json.loads((two[1] / "result.json").read_text())
    assert result["test_accuracies"] == reported["test_accuracies"]
    assert result["test_interval"] == reported["test_interval"]
    assert np.sum(result["confusion"]) == 2 * 360


def test_the_figure_goes_where_it_is_asked_for(cli, trained, tmp_path):
    answer = cli("evaluate", trained[1], "--figure", tmp_path / "c.svg")
    assert answer.code == 0
    assert answer.out.endswith(f"figure in {tmp_path / 'c.svg'}\n")
    assert b"<svg" in (tmp_path / "c.svg").read_bytes()


def test_without_matplotlib_the_tables_still_come(cli, trained, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    answer = cli("evaluate", trained[1])
    assert answer.code == 0
    advice = 'figures need matplotlib: pip install "jaxdigits[plots]"'
    assert answer.out.endswith(f"no figure: {advice}\n")
    asked = cli("evaluate", trained[1], "--figure", tmp_path / "c.png")
    assert (asked.code, asked.err) == (1, f"jaxdigits: {advice}\n")


def test_a_figure_that_cannot_be_drawn_is_one_line(one_line, trained, tmp_path):
    code, said = one_line("evaluate", trained[1], "--figure", tmp_path / "c.xyz")
    assert (code, said) == (2, f"cannot draw {tmp_path / 'c.xyz'}: name it .png, .svg or .pdf")
    code, said = one_line("evaluate", trained[1], "--figure", tmp_path / "absent" / "c.png")
    absent = tmp_path / "absent"
    assert (code, said) == (2, f"cannot write {absent / 'c.png'}: there is no folder {absent}")


def test_where_the_run_cannot_be_written_the_tables_still_come(cli, trained, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    answer = cli("evaluate", trained[1], "--json")
    assert answer.code == 0
    assert answer.json()["test_accuracy"] == trained[0].json()["test_accuracy"]
    assert "no figure: [Errno 28] No space left on device" in answer.err


def test_a_folder_that_is_no_run_is_one_line(one_line, tmp_path):
    code, said = one_line("evaluate", tmp_path)
    assert (code, said.startswith(f"{tmp_path} is not a run folder (no config.json)")) == (
        1,
        True,
    )
    code, said = one_line("evaluate", tmp_path / "absent")
    assert (code, said.startswith(f"{tmp_path / 'absent'}: no such folder")) == (1, True)


@pytest.mark.parametrize("file", ["config.json", "params.npz"])
def test_a_broken_run_is_one_line_that_names_the_file(one_line, trained, tmp_path, file):
    folder = shutil.copytree(trained[1], tmp_path / "run")
    (folder / file).write_bytes((folder / file).read_bytes()[:-100])
    code, said = one_line("evaluate", folder)
    assert code == 1
    assert said.startswith(f"{folder / file} cannot be used: ")


def test_data_that_is_not_there_is_one_line(one_line, trained, tmp_path):
    code, said = one_line("evaluate", trained[1], "--data", "mnist", "--data-dir", tmp_path)
    assert (code, said.split(" ")[0]) == (1, f"{tmp_path}:")
    code, said = one_line("evaluate", trained[1], "--data-dir", tmp_path)
    assert (code, said) == (2, "--data-dir is for MNIST, got it with digits: leave it out")


def test_operations_come_first_beside_the_artificial_network(cli, two):
    answer = cli("evaluate", two[1], "--energy", "--json")
    assert answer.code == 0
    counts = answer.json()["operations"]
    spiking, artificial = counts["network"], counts["artificial"]
    assert (spiking["macs"], artificial["acs"], artificial["updates"]) == (0, 0, 0)
    assert 0 < spiking["acs"] < spiking["dense"] == 4 * artificial["dense"]
    assert spiking["energy_nJ"]["fp32"] == pytest.approx(0.9e-3 * spiking["acs"])
    assert answer.err.index("accumulates") < answer.err.index("nJ, 45 nm, float32")
    assert "memory traffic, which dominates, is not in it" in answer.err
