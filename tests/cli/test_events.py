"""`jaxdigits train event_snn`: its options, and a run."""

import re

import pytest


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--output", "rate"), "--output must be one of potential, first_spike, got 'rate'"),
        (("--window", "50"), "window must be in (0, duration = 10], got 50"),
        (("--decay", "0.5"), "unknown option --decay; "),
        (("--gradient", "ottt"), "OTTT needs spikes on a time grid"),
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
