"""Training over devices: the same batches and spikes, the same network to rounding."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxdigits.train import device_mesh
from jaxdigits.train.sharding import check_members, check_shares, in_shares, over_devices

TOLERANCE = 1e-5  # of params, after six steps; sums in another order are some 1e-7 apart


@pytest.fixture(scope="module")
def eight():
    """What `shared_out.py` found with eight devices."""
    script = Path(__file__).with_name("shared_out.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_examples_and_their_spikes_are_the_same_bits_on_any_number_of_devices(eight):
    assert eight["draws"] == {"1": True, "2": True, "8": True}


@pytest.mark.parametrize("name", ["mlp", "batch_norm", "snn"])
def test_training_is_the_same_to_rounding(eight, name):
    found = eight[name]
    assert found.pop("size") > 0.1
    for devices, apart in found.items():
        assert apart.pop("devices") == int(devices)
        for value in apart.values():
            assert value < TOLERANCE


def test_on_one_device_it_is_the_same_bits(eight):
    assert eight["mlp"]["1"]["params"] == 0


def test_batch_norm_remembers_the_statistics_of_the_whole_batch(eight):
    assert eight["batch_norm"]["4"]["statistics"] < TOLERANCE


def test_members_are_shared_out(eight):
    found = eight["population"]
    assert found["params"] < TOLERANCE < found["apart"]
    assert found["epochs"]


def test_a_mesh_takes_the_devices_that_there_are():
    assert device_mesh().size == device_mesh(1).size == jax.device_count() == 1
    with pytest.raises(ValueError, match="devices must be >= 1, got 0"):
        device_mesh(0)
    with pytest.raises(ValueError, match=r"devices is 2, but there is 1 \(cpu\): jax_num_cpu"):
        device_mesh(2)


def test_of_several_processes_none_is_left_out(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "device_count", lambda: 8)
    with pytest.raises(ValueError, match="2 processes train on all of their 8 devices, got"):
        device_mesh(4)


class Two:
    """A mesh of two devices, as far as sizes go."""

    size = 2


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_shares(Two, 63, None), "batch must be a multiple of the 2 devices"),
        (lambda: check_shares(Two, 64, 1), "microbatch must be a multiple of the 2 devices"),
        (lambda: check_members(Two, 3), "3 networks cannot be shared evenly by 2 devices"),
    ],
)
def test_shares_must_be_equal(check, message):
    with pytest.raises(ValueError, match=message):
        check()
    check_shares(Two, 64, 32)
    check_shares(None, 63, None)
    check_members(Two, 4)


def test_without_a_mesh_nothing_is_changed():
    rows, estimator = jax.numpy.arange(4), lambda *args: args
    assert over_devices(None, rows) is rows
    assert in_shares(None, estimator) is estimator
