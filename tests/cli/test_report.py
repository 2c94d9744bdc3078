"""The progress of a training on a terminal."""

import sys

import pytest

from jaxdigits.cli.report import epoch_reporter, say


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
