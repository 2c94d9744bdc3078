"""`jaxdigits train event_snn`: its options, and a run."""

import re
from dataclasses import fields
from inspect import signature

import pytest

from jaxdigits.cli.events import Events
from jaxdigits.cli.train import Train
from jaxdigits.models import event_snn


def test_options_reach_the_configuration():
    train = Train("event_snn", steps=8, hidden=(5,), events=Events(duration=30.0, most=2))
    options = {"steps": 8, "hidden": (5,), "duration": 30.0, "most": 2}
    assert train.config().options == options
    assert Train("event_snn").config().options == {}


def test_every_option_is_there_with_the_default_that_help_tells(cli):
    said = " ".join(cli("train", "--help").out.replace("│", " ").split())
    for field in fields(Events):
        default = signature(event_snn).parameters[field.name].default
        _, _, after = said.partition(f" --{field.name.replace('_', '-')} ")
        told = re.search(r"\(default: (.*?)\)", after)
        assert told, field.name
        assert told[1] == (default if isinstance(default, str) else f"{default:g}"), field.name


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--output", "rate"), "output must be 'potential' or 'first_spike', got 'rate'"),
        (("--window", "50"), "window must be in (0, duration = 10], got 50"),
        (("--decay", "0.5"), "event_snn has no option 'decay'; it has hidden, steps, window"),
        (("--gradient", "ottt"), "OTTT knows spikes at steps"),
    ],
)
def test_what_it_cannot_be_is_refused_in_one_line(cli, tmp_path, args, said):
    answer = cli("train", "event_snn", *args, "--out", tmp_path / "run")
    assert answer.code != 0
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_it_learns_the_digits_by_eventprop_and_says_how_often_neurons_fire(cli, tmp_path):
    args = ("--hidden", 32, "--steps", 8, "--epochs", 3, "--gradient", "eventprop", "--json")
    answer = cli("train", "event_snn", *args, "--out", tmp_path / "run")
    assert answer.json()["test_accuracy"] > 0.5
    assert re.search(r"firing [0-3]\.\d{3}  ", answer.err)
