"""The options of `jaxdigits train` that choose neurons."""

import re
from dataclasses import fields
from inspect import signature

import pytest

from jaxdigits.cli.neurons import Neurons
from jaxdigits.models.catalogue import NEURONS
from jaxdigits.runs import config_for
from jaxdigits.spikes import Convention


def test_every_option_of_the_neurons_is_there_with_the_default_that_help_tells(cli):
    takers = *NEURONS.values(), Convention
    defaults = {p.name: p.default for f in takers for p in signature(f).parameters.values()}
    del defaults["surrogate"], defaults["convention"]
    assert {field.name for field in fields(Neurons)} == {"neuron", *defaults}
    own = config_for("multimodal", "mnist+fsdd").options
    said = " ".join(cli("train", "--help").out.replace("│", " ").split())
    for name, default in (defaults | {"neuron": "lif", "learn": "none"}).items():
        _, _, after = said.partition(f" --{name.replace('_', '-')} ")
        told = re.search(r"\(default: (.*?)\)", after)
        shown = f"{default:g}" if type(default) is float else str(default)
        assert told, name
        other = f"; multimodal: {own[name]:g}" if name in own else ""
        assert told[1] == shown + other, name


@pytest.mark.parametrize(
    ("given", "reset"), [("zero", "zero"), ("subtract", "subtract"), ("-0.25", -0.25)]
)
def test_a_reset_is_a_name_or_a_number(cli, tmp_path, monkeypatch, given, reset):
    asked = []
    monkeypatch.setattr(
        "jaxdigits.runs.job.run_job", lambda config, *_, **__: asked.append(config)
    )
    cli("train", "snn", "--reset", given, "--neuron", "alif", "--out", tmp_path / "run")
    assert asked[0].options == {"neuron": "alif", "reset": reset}
