"""`jaxdigits train`: what it prints, what it writes, and what it refuses."""

import json
import re
import sys
from contextlib import contextmanager

import pytest

from jaxdigits.cli.read import BOX
from jaxdigits.cli.train import Train
from jaxdigits.models import NETWORKS
from jaxdigits.runs import job
from jaxdigits.runs.config import CONFIGS
from jaxdigits.runs.folder import load_config
from jaxdigits.runs.network_options import network_options


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


def configured(line):
    return Train.parsed(line.split()).config()


def test_options_reach_the_configuration_zeros_too():
    config = configured(
        "mlp --weight-decay 0 --smoothing 0 --dropout-rate 0 --learning-rate 0.5 --ema none "
        "--norm none --seed 4 --schedule one_cycle --augment robust --hidden 9"
    )
    assert config.schedule == "one_cycle"
    assert (config.weight_decay, config.smoothing, config.ema) == (0, 0, None)
    assert (config.learning_rate, config.seed, config.augment) == (0.5, 4, "robust")
    assert config.options["dropout_rate"] == 0
    assert (config.options["hidden"], config.options["norm"]) == ((9,), None)
    snn = configured("--steps 4 --learn decay --differentiate-reset --reset zero")
    assert snn.options["learn"] == ("decay",)
    assert (snn.options["differentiate_reset"], snn.options["reset"]) == (True, "zero")
    assert configured("snn --reset -0.25 --neuron alif").options["reset"] == -0.25
    assert configured("multimodal --absent 0.25").options["absent"] == 0.25
    assert configured("multimodal --absent 0.25 0.5").options["absent"] == (0.25, 0.5)


@pytest.mark.parametrize("name", CONFIGS)
def test_without_options_it_is_the_configuration_of_the_table(name):
    network, data = name.split("-")
    assert configured(f"{network} --data {data}") == CONFIGS[name]


def test_the_main_job_is_a_spiking_network_on_digits():
    assert configured("") == CONFIGS["snn-digits"]


@pytest.mark.parametrize("network", NETWORKS)
def test_help_lists_the_networks_own_options_with_true_defaults(cli, monkeypatch, network):
    monkeypatch.setenv("COLUMNS", "100")  # as where there is no terminal
    answer = cli("train", network, "--help")
    assert answer.code == 0
    assert len(answer.out.splitlines()) <= 80
    shown = set(re.findall(r"(?m)^  --([\w-]+)", answer.out))
    own = {name.replace("_", "-") for name in network_options(network)} - {"classes"}
    others = {name for n in NETWORKS for name in network_options(n)}
    assert own <= shown
    assert not shown & ({name.replace("_", "-") for name in others} - own - {"classes"})
    usual = next(c for c in CONFIGS.values() if c.network == network)
    text = " ".join(answer.out.split())
    for flag, value in {"epochs": usual.epochs, **usual.options}.items():
        if isinstance(value, int | float) and type(value) is not bool and flag != "classes":
            _, _, after = text.partition(f" --{flag.replace('_', '-')} ")
            assert f"[{value:g}]." in after.split(" --")[0], flag


def test_the_options_of_neurons_are_those_of_the_neuron_that_is_named(cli):
    assert "--adaptation-decay FLOAT" in cli("train", "--neuron", "alif", "--help").out
    assert "--adaptation" not in cli("train", "--help").out
    assert "--synapse-decay" in cli("train", "conv_snn", "--neuron=cuba_lif", "--help").out


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
--epochs 0              | epochs must be in [1, 1000000], got 0
--epochs 1.5            | --epochs must be a whole number, got '1.5'
--epoch 3               | unknown option --epoch; perhaps --epochs
--batch -1              | batch must be >= 1, got -1
--batch 100000          | batch is 100000, but there are 1318 examples
--hidden -8             | hidden must be in [1, 1048576], got -8
--hidden 9 --norm group | 9 channels do not divide into 8 groups
--hidden 8 --norm group | a group of one feature is its own mean
--hidden 8 --steps 4    | unknown option --steps
--activation sine       | --activation must be one of relu, leaky_relu, gelu, tanh
--norm spectral         | --norm must be one of batch, layer, group
--dropout-rate 1        | dropout_rate must be in [0, 1), got 1.0
--learning-rate nan     | learning_rate must be finite and >= 0, got nan
--learning-rate 0       | learning_rate must be > 0, got 0.0
--weight-decay -1       | weight_decay must be finite and >= 0, got -1.0
--schedule cosin        | --schedule must be one of cosine, one_cycle, constant, got 'cosin'
--input-dropout 1       | input_dropout must be in [0, 1), got 1.0
--input-noise -1        | deviation must be >= 0 and finite, got -1.0
cnn --hidden-noise 0.1  | unknown option --hidden-noise
--smoothing 1           | smoothing must be in [0, 1), got 1.0
--ema 1                 | ema must be in [0, 1), got 1.0
--patience 0            | patience must be >= 1, got 0
--patience 1 --seeds 2  | patience stops one run
--seed -1               | seed must be in [0, 4
--seed 4294967295 --seeds 2 | the last seed must be < 2³²
--seeds 0               | seeds must be >= 1, got 0
--keep 0                | keep must be >= 1, got 0
--data-dir .            | --data-dir is for MNIST, got it with digits
--augment wobble        | --augment must be one of shift, affine
--adversarial 2         | adversarial must be in [0, 1], got 2.0
event_snn --adversarial 0.1  | adversarial needs gradient by_hand and mlp or cnn or
snn --adversarial 0.1 --gradient eprop | adversarial needs gradient by_hand and mlp or cnn
snn --steps 0           | steps must be in [1, 10000], got 0
snn --decay 2           | decay must be in [0, 1], got 2.0
snn --decay nan         | decay must be in [0, 1], got nan
snn --threshold 0       | threshold must be > 0, got 0.0
snn --decay 1 --learn decay | a learned decay must start inside (0, 1)
snn --encoder morse     | --encoder must be one of rate, direct, latency
snn --neuron izhikevich | neuron must be one of
snn --neuron alif --learn synapse_decay | learn takes names from ('decay', 'threshold', 'adapt
snn --reset 1           | reset must be below the threshold 1.0, got 1.0
snn --reset half        | --reset must be subtract or zero or a number, got 'half'
snn --fires below       | --fires must be one of above, at, got 'below'
snn --gain 0            | gain must be > 0, got 0.0
conv_snn --scale image --encoder rate | only a direct input has a scale
snn --rate-penalty -1        | rate penalty and target must be finite and >= 0, got -1.0
snn --rate-penalty inf       | rate penalty and target must be finite and >= 0, got inf
snn --rate-target 0.1        | rate_target is for a rate_penalty, and there is none: got 0.1
snn --rate-penalty 1 --gradient eprop | rate_penalty is for backpropagation
--microbatch 0          | microbatch must be in [1, 16384], got 0
--microbatch 48         | microbatch must divide the batch, 64, got 48
--microbatch 16 --norm batch | microbatch is not for batch norm, which takes a batch as a
--precision half        | --precision must be one of full, mixed, got 'half'
--storage bit           | unknown option --storage
snn --storage bit --spikes several | storage bit holds one spike a step
--tensorboard --data-dir= | --data-dir must be a path, got ''
snn --recompute --gradient eprop | recompute and storage are for backpropagation
snn --storage bit --gradient eprop | recompute and storage are for backpropagation
snn --gradient eprop_onlin   | --gradient must be one of by_hand
cnn --kernel 0          | size must be >= 1, got 0
cnn --gradient eprop    | cnn learns by backpropagation only
nn                      | network must be one of
trian                   | network must be one of
"""


@pytest.mark.parametrize("case", REFUSED.strip().splitlines())
def test_a_bad_option_is_one_line_and_leaves_no_folder(one_line, tmp_path, case):
    line, message = (part.strip() for part in case.split("|"))
    args = line.split()
    network = ["mlp"] if args[0].startswith("-") else []
    code, said = one_line("train", *network, *args, "--out", tmp_path / "run")
    assert code == 2
    assert said.startswith(message)
    assert not (tmp_path / "run").exists()


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
    named = configured(f"mlp --start {folder} --dropout-rate 0.5")
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
    config = configured("columns --start package")
    assert config.start.folder == str(BOX)
    assert config.options == load_config(BOX).options
