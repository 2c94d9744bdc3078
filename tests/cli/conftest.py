"""The program in this process, and runs that it made."""

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import NamedTuple

import pytest

from jaxdigits.cli import run
from jaxdigits.measure import robustness


class Answer(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str

    def json(self):
        """The JSON object on the last line of stdout."""
        return json.loads(self.out.splitlines()[-1])


def called(*args):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))  # the program sets it
        try:
            code = run([str(arg) for arg in args])
        except SystemExit as exit:  # from the parser
            code = exit.code
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def cli():
    """A function that runs a command line and gives its `Answer`."""
    return called


@pytest.fixture
def one_line(cli):
    """A function that runs a command which must fail in one line, and gives (code, line)."""

    def fail(*args):
        answer = cli(*args)
        lines = answer.err.splitlines()
        assert len(lines) == 1, answer.err
        assert lines[0].startswith("jaxdigits: ")
        assert "Traceback" not in answer.out + answer.err
        assert "JAXDIGITS_DEBUG" not in lines[0], "an error that nobody thought of"
        return answer.code, lines[0].removeprefix("jaxdigits: ")

    return fail


@pytest.fixture
def two_corruptions(monkeypatch):
    """The names of two corruptions, by default all of them: tests/measure/ has the others."""
    names = ["rotate", "gaussian_noise"]
    monkeypatch.setattr("jaxdigits.measure.robustness", partial(robustness, names=names))
    return names


SMALL = ("--hidden", 8, "--dropout-rate", 0, "--learning-rate", 0.01, "--epochs", 3)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """(answer, folder) of a small network, trained with --json."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    return called("train", "mlp", *SMALL, "--out", folder, "--json"), folder


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    """(answer, folder) of two small spiking networks, trained without --json."""
    folder = tmp_path_factory.mktemp("two") / "run"
    args = ("--steps", 4, "--seeds", 2, "--seed", 3, "--out", folder)
    return called("train", "snn", *SMALL, *args), folder
