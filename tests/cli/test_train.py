"""`jaxdigits train`: what it prints, what it writes, and what it refuses."""

import json
import re
import sys
from contextlib import contextmanager

import pytest
from jaxdigits.cli.neurons import Neurons
from jaxdigits.cli.options import given

from jaxdigits.cli.train import OPTIONS, Train
from jaxdigits.runs import job


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
    assert lines[0] == "training mlp on 1437 images of digits"
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
    assert lines[0] == "training 2 networks snn on 1437 images of digits"
    epoch = r"epoch 3/3  loss \d\.\d{4}  validation \d+\.\d\d %  firing 0\.\d{3}  \d+\.\d s"
    assert re.fullmatch(epoch, lines[3])
    assert re.fullmatch(r"test accuracy .* over seeds", lines[4])
    assert lines[5].endswith(f"run in {folder}")
    result = json.loads((folder / "result.json").read_text())
    assert len(result["test_accuracies"]) == len(result["best_epoch"]) == 2
    assert result["test_accuracy"] == pytest.approx(sum(result["test_accuracies"]) / 2)
    assert result["test_std"] > 0


def test_what_is_given_reaches_the_configuration_zeros_too():
    zeros = dict(weight_decay=0.0, smoothing=0.0, dropout_rate=0.0)
    given = dict(lr=0.5, ema=0.0, hidden=(), norm="none", seed=4, schedule="one_cycle")
    config = Train("mlp", **zeros, **given).config()
    assert config.schedule == "one_cycle"
    assert (config.weight_decay, config.smoothing, config.ema) == (0, 0, None)
    assert (config.learning_rate, config.seed) == (0.5, 4)
    assert config.options == {"hidden": (), "norm": None, "dropout_rate": 0.0}
    neurons = Neurons(learn=("decay",), differentiate_reset=True, reset=0.0)
    snn = Train("snn", steps=4, neurons=neurons).config()
    options = {"learn": ("decay",), "differentiate_reset": True, "reset": 0.0}
    assert snn.options == {"steps": 4, **options}


def test_what_is_not_given_is_the_networks_own():
    config = Train("mlp").config()
    assert config.options == {}
    assert config.epochs == 30
    assert all(getattr(Train, name) in (None, (), False) for name in OPTIONS)
    assert given(Neurons()) == {}


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
    again = f"`jaxdigits train --resume {tmp_path / 'run'}` goes on"
    said = f"jaxdigits: interrupted: {again}\n"
    assert answer[::2] == (130, said)
    assert cli("evaluate", tmp_path / "run")[0] == 0


class Terminal:
    """A stderr that is one."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize("error", [None, ValueError("too bad")])
def test_on_a_terminal_a_bar_shows_the_epochs_and_ends_its_line(monkeypatch, error):
    from jaxdigits.cli.report import epoch_reporter, say

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    row = dict(loss=[0.5, 1.5], valid_accuracy=[0.25, 0.75], firing_rates=[[0.1], [0.3]])
    try:
        with epoch_reporter(4, True) as report:
            for epoch in (1, 2):
                report(row | dict(epoch=epoch, seconds=0.5))
            if error:
                raise error
    except ValueError:
        pass
    say("done", json_wanted=True)
    last = terminal.text.split("\r")[-1]
    assert "training:  50%" in last
    assert "loss 1.0000  validation 50.00 %  firing 0.200  0.5 s" in last
    assert last.endswith("\ndone\n")


REFUSED = """
--epochs 0              | epochs must be >= 1, got 0
--epochs -1             | epochs must be >= 1, got -1
--batch -1              | batch must be >= 1, got -1
--batch 100000          | batch is 100000, but there are 1318 examples
--hidden -8             | dense needs at least one output, got -8
--hidden 9 --norm group | 9 channels do not divide into 8 groups
--hidden 8 --norm group | a group of one feature is its own mean
--hidden 8 --steps 4    | mlp has no option 'steps'; it has hidden
--hidden 8 --kernel 3   | mlp has no option 'kernel'
--activation sine       | unknown activation 'sine': choose from relu
--norm spectral         | norm must be None or one of
--dropout 1             | rate must be in [0, 1), got 1.0
--lr nan                | learning rate must be > 0, got nan
--lr 0                  | learning rate must be > 0, got 0.0
--lr -1                 | learning rate must be > 0, got -1.0
--weight-decay -1       | weight decay must be >= 0, got -1.0
--schedule steps        | unknown schedule 'steps': choose from cosine
--input-dropout 1       | rate must be in [0, 1), got 1.0
--input-noise -1        | deviation must be >= 0 and finite, got -1.0
cnn --hidden-noise 0.1  | cnn has no option 'hidden_noise'
cnn --input-dropout 0.1 | cnn has no option 'input_dropout'
--smoothing 1           | smoothing must be in [0, 1), got 1.0
--ema 1                 | ema must be in [0, 1), got 1.0
--patience 0            | patience must be >= 1, got 0
--patience 1 --seeds 2  | patience stops one run
--seed -1               | seed must be in [0, 2³²), got -1
--seed 4294967295 --seeds 2 | the last seed must be below 2³²
--seeds 0               | seeds must be >= 1, got 0
--data-dir .            | --data-dir is for --data mnist
snn --steps 0           | steps must be >= 1, got 0
snn --steps -1          | steps must be >= 1, got -1
snn --decay 2           | decay must be in [0, 1], got 2.0
snn --decay nan         | decay must be in [0, 1], got nan
snn --threshold 0       | threshold must be > 0, got 0.0
snn --decay 1 --learn decay | a learned decay must start inside (0, 1)
snn --encoder morse     | unknown encoder 'morse': choose from rate
snn --channels 4        | snn of lif has no option 'channels'
snn --neuron izhikevich | unknown neuron 'izhikevich': choose from lif, cuba_lif, alif
snn --adaptation 2      | snn of lif has no option 'adaptation'; it has
snn --neuron alif --learn synapse_decay | learn takes names from ('decay', 'threshold', 'adapt
snn --reset 1           | reset must be below the threshold 1.0, got 1.0
snn --fires below       | fires must be 'above' or 'at', got 'below'
snn --gain 0            | gain must be > 0, got 0.0
cnn --kernel 0          | size must be >= 1, got 0
cnn --channels -3       | channels must be >= 1, got -3
cnn --pool min          | pool must be one of
"""


@pytest.mark.parametrize("case", REFUSED.strip().splitlines())
def test_a_bad_option_is_one_line_and_leaves_no_folder(one_line, tmp_path, case):
    line, message = (part.strip() for part in case.split("|"))
    args = line.split()
    network = [] if args[0] in ("snn", "cnn") else ["mlp"]
    code, said = one_line("train", *network, *args, "--out", tmp_path / "run")
    assert code == 2
    assert said.startswith(message)
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_refused_and_left_alone(cli, one_line, trained):
    before = {p.name: p.read_bytes() for p in trained[1].iterdir()}
    code, said = one_line("train", "mlp", "--out", trained[1])
    assert (code, said) == (
        1, f"{trained[1]} is not empty: choose another folder, or remove it first"
    )  # fmt: skip
    assert not cli("train", "mlp", "--out", trained[1]).out  # it does not say that it trains
    assert {p.name: p.read_bytes() for p in trained[1].iterdir()} == before


def test_mnist_that_is_not_there_or_broken_is_named(one_line, tmp_path):
    args = (
        "train",
        "mlp",
        "--data",
        "mnist",
        "--data-dir",
        tmp_path,
        "--out",
        tmp_path / "run",
    )
    code, said = one_line(*args)
    assert (code, said.split(" ")[0]) == (1, f"{tmp_path}:")
    assert "no train-images-idx3-ubyte[.gz] in this folder" in said
    for name in (
        "train-images-idx3",
        "train-labels-idx1",
        "t10k-images-idx3",
        "t10k-labels-idx1",
    ):
        (tmp_path / f"{name}-ubyte").write_bytes(b"\0\0\x08\x03\0\0")
    code, said = one_line(*args)
    assert code == 1
    assert str(tmp_path / "train-images-idx3-ubyte") in said


def test_divergence_is_said_with_the_layers_and_keeps_what_can_be_evaluated(cli, tmp_path):
    folder = tmp_path / "run"
    answer = cli("train", "mlp", "--hidden", 8, "--epochs", 2, "--lr", 1e30, "--out", folder)
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
