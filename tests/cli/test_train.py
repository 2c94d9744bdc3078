"""`jaxdigits train`: what it prints, what it writes, and what it refuses."""

import json
import re
from contextlib import contextmanager

import pytest

from jaxdigits.cli.read import BOX
from jaxdigits.cli.train import Train
from jaxdigits.runs import job
from jaxdigits.runs.folder import load_config


def test_json_is_one_object_on_the_last_line_and_people_read_stderr(trained):
    answer, folder = trained
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 1
    result = answer.json()
    low, high = result["test_interval"]
    assert 0 <= low < result["test_accuracy"] < high <= 1
    assert result["test_accuracy"] > 0.5, "three epochs are enough for that"
    assert result["interval_over"] == "test images"
    assert result["seconds"] > 0
    assert result["run"] == str(folder)
    assert result["best_epoch"][0] in (1, 2, 3)
    assert result["parameters"] == 785 * 8 + 9 * 10
    lines = answer.err.splitlines()
    assert lines[0] == "training mlp on 1,437 examples (digits)"
    assert [line.split("  ")[0] for line in lines[1:4]] == [f"epoch {i}/3" for i in (1, 2, 3)]
    assert lines[4].startswith(f"test accuracy {100 * result['test_accuracy']:.2f} %, 95 %")


def test_the_result_is_in_the_folder_too(trained):
    answer, folder = trained
    assert json.loads((folder / "result.json").read_text()) == answer.json()
    names = {"config.json", "metrics.jsonl", "params.npz", "result.json"}
    assert names <= {p.name for p in folder.iterdir()}
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3
    assert not (folder / "checkpoints").exists(), "of no use once the result is there"


def test_without_json_plain_lines_are_on_stdout(two):
    answer, folder = two
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "training 2 snn networks on 1,437 examples (digits)"
    epoch = r"epoch 3/3  loss \d\.\d{4}  validation \d+\.\d\d %  firing 0\.\d{3}  \d+\.\d s"
    assert re.fullmatch(epoch, lines[3])
    assert re.fullmatch(r"test accuracy .* over seeds", lines[4])
    assert lines[5].endswith(f"run in {folder}")
    result = json.loads((folder / "result.json").read_text())
    assert len(result["test_accuracies"]) == len(result["best_epoch"]) == 2
    assert result["test_accuracy"] == pytest.approx(sum(result["test_accuracies"]) / 2)
    assert result["test_std"] > 0


def test_without_out_a_new_folder_is_found_every_time(cli, tmp_path, monkeypatch):
    made = []

    def instead(config, train, test, folder, report, **_):
        folder.mkdir(parents=True)
        made.append(folder)
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxdigits.runs.job.run_job", instead)
    for _ in range(3):
        assert cli("train", "mlp")[::2] == (130, "jaxdigits: interrupted\n")
    assert len(set(made)) == 3
    assert all(str(folder).startswith("runs/mlp-digits-") for folder in made)


def test_an_interrupted_run_keeps_its_best_epoch_and_says_how_to_go_on(
    cli, tmp_path, monkeypatch
):
    @contextmanager
    def impatient(epochs, json_wanted, *, quiet=False):
        def report(row):
            if row["epoch"] == 2:
                raise KeyboardInterrupt

        yield report

    monkeypatch.setattr("jaxdigits.cli.train.epoch_reporter", impatient)
    answer = cli("train", "mlp", "--hidden", 8, "--epochs", 3, "--out", tmp_path / "run")
    again = f"`jaxdigits train --resume {tmp_path / 'run'}` continues it"
    said = f"jaxdigits: interrupted: {again}\n"
    assert answer[::2] == (130, said)
    assert cli("evaluate", tmp_path / "run")[0] == 0


@pytest.mark.parametrize(
    ("network", "options"),
    [("mlp", ("--augment", "elastic", "--scale", "image")),
     ("conv_snn", ("--adversarial", 0.1, "--steps", 2, "--channels", 2, 4)),
     ("snn", ("--augment", "shift", "--rate-penalty", 2, "--rate-target", 0.05, "--steps", 4)),
     ("snn", ("--microbatch", 16, "--precision", "mixed", "--storage", "bit", "--recompute",
              "--steps", 4))],
)  # fmt: skip
def test_regularised_and_frugal_networks_are_runs(cli, tmp_path, network, options):
    args = ("--epochs", 1, "--out", tmp_path / "run")
    options += ("--hidden", 8) if network != "conv_snn" else ()
    answer = cli("train", network, *args, *options, "--json")
    assert answer.code == 0, answer.err
    again = cli("evaluate", tmp_path / "run", "--json")
    assert again.json()["test_accuracy"] == pytest.approx(answer.json()["test_accuracy"])


def test_a_folder_in_use_is_refused_and_left_alone(cli, one_line, trained):
    before = {p.name: p.read_bytes() for p in trained[1].iterdir()}
    code, said = one_line("train", "mlp", "--out", trained[1])
    assert (code, said) == (
        1, f"{trained[1]} is not empty: choose another folder, or remove it first"
    )  # fmt: skip
    assert not cli("train", "mlp", "--out", trained[1]).out  # it does not say that it trains
    assert {p.name: p.read_bytes() for p in trained[1].iterdir()} == before


def test_mnist_that_is_not_there_or_broken_is_named(one_line, tmp_path):
    own = ("--data", "mnist", "--data-dir", tmp_path, "--out", tmp_path / "run")
    args = ("train", "mlp", *own)
    code, said = one_line(*args)
    assert (code, said.split(" ")[0]) == (1, f"{tmp_path}:")
    assert "no train-images-idx3-ubyte[.gz] in this folder" in said
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3",
                 "t10k-labels-idx1"):  # fmt: skip
        (tmp_path / f"{name}-ubyte").write_bytes(b"\0\0\x08\x03\0\0")
    code, said = one_line(*args)
    assert code == 1
    assert str(tmp_path / "train-images-idx3-ubyte") in said


def test_divergence_is_said_with_the_layers_and_keeps_what_can_be_evaluated(cli, tmp_path):
    folder = tmp_path / "run"
    answer = cli(
        "train", "mlp", "--hidden", 8, "--epochs", 2, "--learning-rate", 1e30, "--out", folder
    )
    assert answer.code == 1
    where = "2/bias, 2/weight, 5/bias, 5/weight"
    assert answer.err.splitlines() == [
        f"jaxdigits: epoch 1: not finite: {where}; lower the learning rate",
        "jaxdigits: the training loss is nan in epoch 1: lower the learning rate",
    ]
    assert json.loads((folder / "metrics.jsonl").read_text())["loss"] is None
    assert cli("evaluate", folder).code == 0


def test_of_several_seeds_the_one_that_diverges_is_named(cli, tmp_path, monkeypatch):
    train = job._train
    monkeypatch.setattr(job, "_train", lambda *args: (*train(*args)[:-1], [4]))
    args = ("--hidden", 4, "--epochs", 1, "--seeds", 2, "--seed", 3, "--out", tmp_path / "run")
    answer = cli("train", "mlp", *args, "--json")
    assert answer.code == 0
    assert answer.json()["diverged_seeds"] == [4]
    assert len(answer.json()["test_accuracies"]) == 2
    assert "jaxdigits: the loss of seeds [4] became infinite: each counts with" in answer.err


def test_training_goes_on_from_a_run_of_the_same_network(cli, one_line, trained, tmp_path):
    answer, folder = trained
    still = ("--learning-rate", "1e-30", "--epochs", 1, "--out", tmp_path / "run", "--json")
    again = cli("train", "mlp", "--start", folder, *still)
    assert again.code == 0, again.err
    for name in ("test_accuracy", "parameters"):
        assert again.json()[name] == answer.json()[name]
    named = Train.parsed(f"mlp --start {folder} --dropout-rate 0.5".split()).config()
    assert named.options == load_config(folder).options | {"dropout_rate": 0.5}
    assert "[8]" in cli("train", "--start", folder, "--help").out, "its options are usual"
    code, said = one_line("train", "cnn", "--start", folder)
    assert (code, said.endswith("is a run of mlp, not cnn: write `jaxdigits train mlp`")) == (
        2,
        True,
    )
    code, said = one_line("train", "mlp", "--start", folder, "--hidden", 9)
    assert (code, "leave out hidden" in said) == (1, True)
    assert one_line("train", "--start", tmp_path)[0] == 1
    code, said = one_line("train", "--resume", tmp_path / "run", "--start", folder)
    assert (code, said.endswith("leave out --start")) == (2, True)


def test_the_network_of_the_package_is_a_start():
    config = Train.parsed(["columns", "--start", "package"]).config()
    assert config.start.folder == str(BOX)
    assert config.options == load_config(BOX).options
