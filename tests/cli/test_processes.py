"""`jaxdigits train` on many devices and in many processes, of which one may die."""

import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxdigits.cli import processes
from jaxdigits.cli.processes import LOST, Processes, is_parent, supervised
from jaxdigits.runs import RunError, load_run

NETWORK = ("mlp", "--hidden", "8", "--dropout", "0", "--lr", "0.01")
PATIENCE = 120  # seconds until a test gives up


@pytest.fixture(scope="module", autouse=True)
def started():
    """JAX has started, on one device: --devices cannot make more for the other tests."""
    assert jax.device_count() == 1


REFUSED = """
--devices 0               | devices must be >= 1, got 0
--devices 3 --batch 64    | devices is 3, but there is 1 (cpu): jax_num_cpu_devices, set
--processes 2             | --processes and --process want --coordinator HOST:PORT
--process 0               | --processes and --process want --coordinator HOST:PORT
--coordinator here        | coordinator must be HOST:PORT or auto, got 'here'
--coordinator a:1         | --coordinator HOST:PORT wants --processes and --process
--coordinator a:1 --processes 2 --process 2 | process must be in 0..1, got 2
"""


@pytest.mark.parametrize("case", REFUSED.strip().splitlines())
def test_what_cannot_be_is_one_line_and_leaves_no_folder(one_line, tmp_path, case):
    line, message = (part.strip() for part in case.split("|"))
    code, said = one_line("train", *NETWORK, *line.split(), "--out", tmp_path / "run")
    assert code == 2
    assert said.startswith(message)
    assert not (tmp_path / "run").exists()


def test_one_device_is_what_there_is(cli, tmp_path):
    args = ("--epochs", 1, "--devices", 1, "--out", tmp_path / "run")
    assert cli("train", *NETWORK, *args).code == 0


def test_only_a_command_of_several_processes_has_a_parent(monkeypatch):
    assert is_parent(["train", "--coordinator", "a:1"])
    assert is_parent(["train", "--coordinator=auto"])
    assert not is_parent(["train", "--devices", "2"])
    monkeypatch.setenv(processes.CHILD, "1")
    assert not is_parent(["train", "--coordinator", "a:1"])


def test_without_a_cluster_auto_says_what_to_give(monkeypatch, no_joining):
    monkeypatch.setenv(processes.CHILD, "1")
    with pytest.raises(ValueError, match="no cluster says which process this is: give --coor"):
        Processes(coordinator="auto").start()


@pytest.fixture
def no_joining(monkeypatch):
    """`jax.distributed` where there is no cluster, and a configuration that stays as it is."""

    def initialize(**options):
        assert set(options) == {"initialization_timeout", "heartbeat_timeout_seconds"}
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax, "distributed", SimpleNamespace(initialize=initialize))
    monkeypatch.setattr(jax.config, "update", lambda name, value: None)


def test_an_error_of_ours_is_not_taken_for_a_lost_process(monkeypatch):
    monkeypatch.setenv(processes.CHILD, "1")
    with pytest.raises(RunError, match="igloo is not empty"), processes.others_needed():
        raise RunError("runs/igloo is not empty")
    with pytest.raises(processes.LostProcess), processes.others_needed():
        raise RuntimeError("Gloo: connection closed by peer")


@pytest.fixture
def signals():
    """The handlers of this process, put back behind what `supervised` sets."""
    kept = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    yield
    for s, handler in kept.items():
        signal.signal(s, handler)


ABORTED = """
import os, sys
print("as usual", file=sys.stderr)
print("W1127 21:55:35.498 1 x.cc] a warning", file=sys.stderr)
print("F1127 21:55:35.498 1 client.h:80] Terminating process", file=sys.stderr)
print("*** Check failure stack trace: ***", file=sys.stderr, flush=True)
os.abort()
"""


LOGGED = """
import sys
print("E1127 21:55:35.498 1 slow_operation_alarm.cc:73] Constant folding", file=sys.stderr)
print("epoch 1/1", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        (LOGGED, 0, "E1127 21:55:35.498 1 slow_operation_alarm.cc:73] Constant folding\n"
                    "epoch 1/1\n"),
        (ABORTED, 1, f"as usual\nW1127 21:55:35.498 1 x.cc] a warning\njaxdigits: {LOST}\n"),
        ("import os; os.kill(os.getpid(), 9)", 1,
         "jaxdigits: the process that trains was ended by signal 9\n"),
        ("import os; os.kill(os.getpid(), 15)", 143, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import os, sys; sys.exit('x' not in sys.argv or not os.environ['JAXDIGITS_CHILD'])",
         0, ""),
    ],
)  # fmt: skip
def test_a_parent_says_in_one_line_how_its_child_ended(
    monkeypatch, capsys, signals, program, code, said
):
    monkeypatch.setattr(processes, "PROGRAM", program)
    assert supervised(["x"]) == code
    assert capsys.readouterr().err == said


@pytest.fixture
def together(tmp_path):
    """A function that starts two processes that train together, and gives them; and the run."""
    folder, started = tmp_path / "run", []

    def start(*args):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = ("--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--out", folder)
        for i in range(2):
            command = ("train", *NETWORK, *args, *shared, "--process", str(i))
            started.append(
                subprocess.Popen(
                    [sys.executable, "-c", processes.PROGRAM, *command],
                    env=os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                )
            )  # fmt: skip
        return started

    yield start, folder
    for process in started:
        process.kill()
        process.communicate()


def test_two_processes_train_what_one_does_and_the_first_writes_it(cli, tmp_path, together):
    start, folder = together
    first, second = start("--epochs", "2")
    said, wrong = first.communicate(timeout=PATIENCE)
    assert (first.returncode, wrong) == (0, "")
    assert "test accuracy" in said
    silent, wrong = second.communicate(timeout=PATIENCE)
    assert (second.returncode, wrong) == (0, "")
    assert "epoch" not in silent
    assert cli("train", *NETWORK, "--epochs", 2, "--out", tmp_path / "alone").code == 0
    params, alone = (load_run(f).params for f in (folder, tmp_path / "alone"))
    for a, b in zip(params, alone, strict=True):
        for name in a:
            np.testing.assert_allclose(a[name], b[name], atol=1e-4)


def test_where_one_is_killed_the_other_ends_in_one_line_within_a_minute(together):
    start, folder = together
    first, second = start("--epochs", "1000000")
    begun = time.monotonic()
    while not (folder / "params.npz").exists():
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.1)
    second.kill()
    _, wrong = first.communicate(timeout=60)
    assert first.returncode == 1
    assert wrong == f"jaxdigits: {LOST}\n"
    load_run(folder)  # the best epoch is there
