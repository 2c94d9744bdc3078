"""Configurations are whole: a run reads the same after a default changes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from jaxdigits import models
from jaxdigits import spikes as sp
from jaxdigits.runs.config import OF_HANDS, OF_STRINGS, Config
from jaxdigits.runs.config_json import from_json, to_json
from jaxdigits.runs.network_options import network_options
from jaxdigits.runs.usual import CONFIGS, chosen_options, config_for


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_builds_and_survives_json(name):
    network, data = name.split("-")
    config = config_for(network, data)
    assert config == CONFIGS[name]
    assert from_json(json.loads(json.dumps(to_json(config)))) == config


def test_there_is_one_for_each_network_and_kind_of_data():
    assert {config.network for config in CONFIGS.values()} == set(models.NETWORKS)
    single = [name for name in models.NETWORKS if name not in OF_STRINGS + OF_HANDS]
    assert len(CONFIGS) == 2 * len(single) + len(OF_STRINGS) + len(OF_HANDS)


@pytest.mark.parametrize("name", OF_STRINGS)
def test_a_network_for_fields_has_a_loss_for_strings(name):
    config = config_for(name)
    assert config.loss().value(np.zeros((1, 3, 11)), np.array([[4, -1]])) > 0
    assert (config.reads_fields, config.names) == (True, tuple("0123456789"))
    with pytest.raises(ValueError, match="smoothing must be 0"):
        config_for(name, smoothing=0.1)
    with pytest.raises(ValueError, match="seeds must be 1"):
        config_for(name, seeds=2)


def test_every_option_of_the_network_is_in_it():
    config = config_for("snn", options={"neuron": "alif"})
    assert set(config.options) == set(network_options("snn", "alif"))
    assert config.options["adaptation"] == 1.8
    assert config.options["reset"] == "subtract"


def test_a_run_reads_the_same_after_a_default_changes(monkeypatch):
    stored = json.loads(json.dumps(to_json(config_for("mlp"))))
    signature = models.mlp.__kwdefaults__ or models.mlp.__wrapped__.__kwdefaults__
    monkeypatch.setitem(signature, "dropout_rate", 0.9)
    assert from_json(stored).options["dropout_rate"] == 0.4


def test_changes_join_the_configuration_and_the_neuron_brings_its_own():
    config = config_for("multimodal", "mnist+fsdd", epochs=2, options={"neuron": "cuba_lif"})
    assert (config.epochs, config.weight_decay) == (2, 0.05)
    assert config.options["decay"] == 0.8
    assert config.options["synapse_decay"] == 0.8
    lists = config_for("mlp", options={"hidden": [4, 3]})
    assert lists.options["hidden"] == (4, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(network="snnn"), "network must be one of .* perhaps snn"),
        (dict(epochs=0), r"epochs must be in \[1, 1000000\], got 0"),
        (dict(epochs=2.5), "epochs must be a whole number, got 2.5"),
        (dict(data="letters"), "data must be one of digits, mnist"),
        (dict(seeds=True), "seeds must be a whole number, got True"),
        (dict(epochs="3"), "epochs must be a whole number, got '3'"),
        (dict(patience=0), "patience must be >= 1, got 0"),
        (dict(seeds=2, patience=1), "patience stops one run"),
        (dict(epochs=[1]), r"epochs must be one value, got \[1\]"),
        (dict(batch=[]), r"batch must be one value, got \[\]"),
        (dict(ema=[0.9]), r"ema must be one value"),
        (dict(epochs=3_000_000_000), r"epochs must be in \[1, 1000000\]"),
        (dict(network=None), "network must be one of .* got None"),
        (dict(schedule=None), "schedule must be one of .* got None"),
        (dict(gradient=None), "gradient must be one of .* got None"),
        (dict(learning_rate=0.0), "learning_rate must be > 0, got 0"),
        (dict(learning_rate=True), "learning_rate must be a number, got True"),
        (dict(learning_rate=float("inf")), "learning_rate must be finite and >= 0, got inf"),
        (dict(weight_decay=-0.5), "weight_decay must be finite and >= 0, got -0.5"),
        (dict(weight_decay=float("nan")), "weight_decay must be finite and >= 0, got nan"),
        (dict(smoothing=1.0), r"smoothing must be in \[0, 1\), got 1.0"),
        (dict(schedule="cosin"), "schedule must be one of .* perhaps cosine"),
        (dict(gradient="eprob"), "gradient must be one of .* perhaps eprop"),
        (dict(augment="shear"), "augment must be one of"),
        (dict(microbatch=48), "microbatch must divide the batch"),
        (dict(seed=2**32 - 1, seeds=2), "the last seed must be < 2³²"),
        (dict(options={"hiden": 3}), "snn of lif has no option 'hiden'; perhaps hidden"),
        (dict(options={"convention": sp.Convention()}), "no option 'convention'"),
        (dict(options={"training": True}), "no option 'training'"),
        (dict(options={"steps": 10**9}), r"steps must be in \[1, 10000\]"),
        (dict(options={"steps": [2]}), "steps must be one value"),
        (dict(options={"recompute": "no"}), "recompute must be true or false, got 'no'"),
        (dict(options={"dropout_rate": "0.1"}), "dropout_rate must be a number"),
        (dict(options={"hidden": [1] * 101}), "hidden has 101 entries"),
        (dict(options={"encoder": "morse"}), "encoder must be one of"),
    ],
)
def test_what_cannot_be_is_one_line(changes, message):
    usual = CONFIGS["snn-digits"]
    options = {**usual.options, **changes.pop("options", {})}
    with pytest.raises(ValueError, match=message) as caught:
        replace(usual, options=options, **changes)
    assert "\n" not in str(caught.value)


def test_a_network_that_does_not_take_a_rule_or_the_data_is_named():
    with pytest.raises(ValueError, match="cnn learns by backpropagation only"):
        config_for("cnn", gradient="eprop")
    with pytest.raises(ValueError, match=r"data of multimodal must be one of digits.fsdd"):
        config_for("multimodal", "mnist")
    with pytest.raises(ValueError, match="not for batch norm"):
        config_for("cnn", microbatch=8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("ema"), "the configuration lacks 'ema'"),
        (lambda v: v.update(colour=1), "the configuration has an unknown 'colour'"),
        (lambda v: v["options"].pop("steps"), "the configuration lacks the option 'steps'"),
        (lambda v: v.update(data="mnist+fsdd"), "snn has no configuration for"),
        (lambda v: v.update(options=3), "options must be names and values, got 3"),
        (lambda v: v.update(learning_rate="fast"), "learning_rate must be a number"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(change, message):
    values = json.loads(json.dumps(to_json(config_for("snn"))))
    change(values)
    with pytest.raises(ValueError, match=message):
        from_json(values)
    with pytest.raises(ValueError, match="not a JSON object"):
        from_json([values])


def test_bits_are_in_a_file_where_weights_have_few_and_the_network_rounds_them():
    assert "bits" not in to_json(config_for("mlp"))
    config = config_for("mlp", bits=2, options={"hidden": 5})
    stored = json.loads(json.dumps(to_json(config)))
    assert stored["bits"] == 2
    assert from_json(stored) == config
    network = config.build()(training=False)
    assert network.about.name == "quantised"
    assert network.about.arguments["bits"] == 2
    by_rule = config_for("snn", bits=4, gradient="eprop").build()(training=True)
    assert by_rule.about.find(models.snn).arguments["chain"].__name__ != "in_series"
    for bits in (0, 33):
        with pytest.raises(ValueError, match=rf"bits must be in \[1, 8\], got {bits}"):
            config_for("mlp", bits=bits)


def test_what_is_no_setting_is_named():
    with pytest.raises(ValueError, match=r"a setting must be one of .*; perhaps epochs"):
        config_for("mlp", epoch=1)
    with pytest.raises(ValueError, match="options must be names and values, got None"):
        config_for("mlp", options=None)


def test_only_what_a_configuration_chooses_goes_to_other_neurons():
    table = network_options("snn", "alif")
    assert chosen_options(config_for("snn"), table) == {}
    assert chosen_options(config_for("snn", options={"threshold": 0.5}), table) == {
        "threshold": 0.5
    }
    chosen = chosen_options(config_for("multimodal"), network_options("multimodal", "alif"))
    assert chosen == {"decay": 0.8, "precision": "mixed"}


def test_a_configuration_is_frozen():
    with pytest.raises(AttributeError):
        CONFIGS["snn-digits"].epochs = 3  # pyright: ignore
    assert isinstance(CONFIGS["snn-digits"], Config)
