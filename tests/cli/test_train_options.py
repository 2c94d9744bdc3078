"""The options of `jaxdigits train`: where they go, how help lists them, what is refused."""

import re

import pytest

from jaxdigits.cli.train import Train
from jaxdigits.models import NETWORKS
from jaxdigits.runs.network_options import network_options
from jaxdigits.runs.usual import CONFIGS


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
