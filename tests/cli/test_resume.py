"""`jaxdigits train --resume`, and signals: nothing is lost, and how to go on is said."""

import json
import os
import signal
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from jaxdigits.cli.stopping import stopping

SMALL = ("--hidden", 8, "--dropout-rate", 0, "--learning-rate", 0.01, "--epochs", 3)


def until(true):
    """Wait for a thread."""
    for _ in range(2000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it never came")


@pytest.fixture(scope="module")
def whole(cli, tmp_path_factory):
    """(answer, folder) of a run that nothing disturbs, compiled as those of this module are."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return cli("train", "mlp", *SMALL, "--out", folder, "--json"), folder


def arrays(folder):
    with np.load(folder / "params.npz") as file:
        return {name: file[name].tobytes() for name in file.files}


def timeless(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def interrupting(number, epoch):
    """An `epoch_reporter` that sends this process a signal once, in that epoch."""

    @contextmanager
    def reporter(epochs, json_wanted, *, quiet=False):
        def report(row):
            if row["epoch"] == epoch:
                os.kill(os.getpid(), number)
                until(lambda: "stopping at the next checkpoint" in sys.stderr.getvalue())

        yield report

    return reporter


@pytest.mark.parametrize(
    ("number", "code", "epoch"), [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 2)]
)
def test_a_signal_saves_says_how_to_go_on_and_the_same_bits_come_of_it(
    cli, whole, tmp_path, monkeypatch, number, code, epoch
):
    folder = tmp_path / "my run"
    with monkeypatch.context() as patch:
        patch.setattr("jaxdigits.cli.train.epoch_reporter", interrupting(number, epoch))
        answer = cli("train", "mlp", *SMALL, "--out", folder)
    assert answer.code == code
    said = (
        f"stopped after step {epoch * 20}: `jaxdigits train --resume '{folder}'` continues it"
    )
    assert answer.err.splitlines()[1:] == [f"jaxdigits: {said}"]
    # What a killed run had written beyond its checkpoint, down to half a line.
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 9, "loss": 1.0}\n{"epo')
    answer = cli("train", "--resume", folder, "--json")
    assert answer.code == 0
    assert arrays(folder) == arrays(whole[1])
    assert timeless(folder) == timeless(whole[1])
    differing = ("seconds", "run")
    got, wanted = (dict(a.json()) for a in (answer, whole[0]))
    assert [got.pop(k) for k in differing] != [wanted.pop(k) for k in differing]
    assert got == wanted
    assert {p.name for p in folder.iterdir()} == {p.name for p in whole[1].iterdir()}


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_again(cli, whole, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_bytes((whole[1] / "config.json").read_bytes())
    (folder / ".params.npz-77").touch()
    assert cli("train", "--resume", folder).code == 0
    assert arrays(folder) == arrays(whole[1])
    assert not (folder / ".params.npz-77").exists()


def test_a_damaged_checkpoint_is_one_line_and_the_one_before_is_used(
    cli, whole, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        reporter = interrupting(signal.SIGINT, 2)
        patch.setattr("jaxdigits.cli.train.epoch_reporter", reporter)
        cli("train", "mlp", *SMALL, "--out", folder)
    newest = folder / "checkpoints" / "step-00000040.npz"
    newest.write_bytes(newest.read_bytes()[:-100])
    answer = cli("train", "--resume", folder)
    assert answer.code == 0
    assert answer.err == f"jaxdigits: {newest} is damaged: the one before it is used\n"
    assert arrays(folder) == arrays(whole[1])
    assert [line.split()[1] for line in answer.out.splitlines()[1:3]] == ["2/3", "3/3"]


def test_a_run_that_has_its_result_is_left_alone(cli, whole):
    before = {p: p.read_bytes() for p in whole[1].iterdir()}
    answer = cli("train", "--resume", whole[1], "--json")
    assert answer.code == 0
    assert answer.err == f"{whole[1]} has its result: there is nothing to resume\n"
    assert answer.json() == whole[0].json()
    assert {p: p.read_bytes() for p in whole[1].iterdir()} == before


def test_what_cannot_be_resumed_is_one_line(one_line, whole, tmp_path):
    code, said = one_line("train", "--resume", tmp_path)
    assert (code, said) == (
        1,
        f"{tmp_path} is not a run folder (no config.json); create one with `jaxdigits train`",
    )
    code, said = one_line("train", "--resume", whole[1], "--epochs", 9)
    wanted = "--resume continues the run as it was configured: leave out --epochs"
    assert (code, said) == (2, wanted)
    assert one_line("train", "mlp", "--resume", whole[1])[1].endswith("leave out mlp")
    assert one_line("train", "--keep", 0)[1] == "keep must be >= 1, got 0"
    code, said = one_line("train", "mlp", "--updates-per-save", 0, "--out", tmp_path / "run")
    assert (code, said) == (2, "updates_per_save must be >= 1, got 0")


def test_a_second_signal_ends_the_process_at_once(monkeypatch):
    ended, lines = [], []
    monkeypatch.setattr("jaxdigits.cli.stopping.os._exit", ended.append)
    before = signal.getsignal(signal.SIGTERM)
    with stopping(lines.append) as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        until(stop.is_set)
        assert (stop.code(), ended) == (143, [])
        os.kill(os.getpid(), signal.SIGINT)
        until(lambda: ended)
    assert ended == [130]
    assert lines == ["stopping at the next checkpoint; press Ctrl-C again to quit now"]
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_trouble_is_said_once_a_kind_and_is_in_the_metrics_each_time(
    cli, tmp_path, monkeypatch
):
    rows = iter([{}, {"dead": "layer 2"}, {"dead": "layer 2, layer 5", "silent": "layer 1"}])
    watch = lambda state: {"warnings": next(rows)}
    monkeypatch.setattr("jaxdigits.runs.job.watcher", lambda *_, **__: watch)
    answer = cli("train", "mlp", *SMALL, "--out", tmp_path / "run")
    assert answer.code == 0
    said = ["jaxdigits: epoch 2: layer 2", "jaxdigits: epoch 3: layer 1"]
    assert answer.err.splitlines() == said
    dead = [row["warnings"].get("dead") for row in timeless(tmp_path / "run")]
    assert dead == [None, "layer 2", "layer 2, layer 5"]


class Writer:
    """What tensorboardX has."""

    def __init__(self, folder, purge_step):
        self.folder, self.purge_step, self.scalars, self.texts = folder, purge_step, {}, []
        Writer.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def add_scalar(self, name, value, step):
        self.scalars[name, step] = value

    def add_text(self, name, text, step):
        self.texts.append((name, text, step))

    def flush(self):
        pass


def test_tensorboard_gets_every_number_of_a_row(monkeypatch, tmp_path):
    from types import SimpleNamespace

    from jaxdigits.cli.report import tensorboard

    Writer.made = []
    module = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    with tensorboard(tmp_path / "board") as write:
        assert not Writer.made, "the run's folder has to be empty at the start"
        write(dict(epoch=4, loss=[0.5, 0.25], firing_rates=[[0.1], [0.2]], seconds=1.0))
        write(dict(epoch=5, loss=0.5, warnings={"dead": "layer 3"}))
    (made,) = Writer.made
    assert (made.folder, made.purge_step, made.closed) == (str(tmp_path / "board"), 4, True)
    assert made.scalars == {
        ("loss/0", 4): 0.5, ("loss/1", 4): 0.25, ("firing_rates/0/0", 4): 0.1,
        ("firing_rates/1/0", 4): 0.2, ("seconds", 4): 1.0, ("loss", 5): 0.5,
    }  # fmt: skip
    assert made.texts == [("warnings/dead", "layer 3", 5)]


def test_without_tensorboardx_the_line_that_installs_it_is_said(
    one_line, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    code, said = one_line("train", "mlp", "--tensorboard", "--out", tmp_path / "run")
    wanted = 'TensorBoard needs tensorboardX: pip install "jaxdigits[tensorboard]"'
    assert (code, said) == (1, wanted)
    assert not (tmp_path / "run").exists()
