"""`jaxdigits train` on many devices and in many processes, of which one may die."""

import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxdigits.cli.processes import Processes
from jaxdigits.runs import load_run

PROGRAM = "from jaxdigits.cli import main; main()"
NETWORK = ("mlp", "--hidden", "8", "--dropout-rate", "0", "--learning-rate", "0.01")
PATIENCE = 120  # seconds until a test gives up


@pytest.fixture(scope="module", autouse=True)
def started():
    """JAX has started, on one device: --devices cannot make more for the other tests."""
    assert jax.device_count() == 1


REFUSED = """
--devices 0               | devices must be >= 1, got 0
--devices 3 --batch 64    | devices is 3, but there is 1 (cpu): jax_num_cpu_devices, set
--processes 2             | --processes and --process need --coordinator HOST:PORT
--process 0               | --processes and --process need --coordinator HOST:PORT
--coordinator here        | coordinator must be HOST:PORT or auto, got 'here'
--coordinator a:1         | --coordinator HOST:PORT needs --processes and --process
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


def test_without_a_cluster_auto_says_what_to_give(no_joining):
    with pytest.raises(ValueError, match="coordinator auto found no cluster: pass --coor"):
        Processes(coordinator="auto").start()


@pytest.fixture
def no_joining(monkeypatch):
    """`jax.distributed` where there is no cluster, and a configuration that stays as it is."""

    def initialize(**options):
        assert set(options) == {"initialization_timeout", "heartbeat_timeout_seconds"}
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax, "distributed", SimpleNamespace(initialize=initialize))
    monkeypatch.setattr(jax.config, "update", lambda name, value: None)


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
                    [sys.executable, "-c", PROGRAM, *command],
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


def test_where_one_is_killed_the_other_ends_and_the_best_network_is_there(
    together,
):
    start, folder = together
    first, second = start("--epochs", "1000000")
    begun = time.monotonic()
    while not (folder / "params.npz").exists():
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.1)
    second.kill()
    first.communicate(timeout=60)
    assert first.returncode != 0
    load_run(folder)


def test_where_one_is_asked_to_stop_all_stop_at_the_same_checkpoint(together):
    start, folder = together
    first, second = start("--epochs", "1000000")
    begun = time.monotonic()
    while not (folder / "params.npz").exists():
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.1)
    second.send_signal(signal.SIGTERM)
    for process in (first, second):
        process.communicate(timeout=60)
        assert process.returncode == 143
    assert any((folder / "checkpoints").iterdir())


def test_where_one_fails_it_does_not_wait_for_the_other(together):
    start, folder = together
    folder.mkdir()
    (folder / "mine").touch()
    first, _ = start("--epochs", "1")
    _, error = first.communicate(timeout=60)
    assert first.returncode == 1
    assert f"jaxdigits: {folder} is not empty" in error
