"""JAXDIGITS_CACHE: the second start compiles nothing, and trains to the same bits."""

import json
import os
import subprocess
import sys

from jaxdigits.cli.cache import VARIABLE

# The program, and how often JAX reported each event, as the last line.
COUNTED = """
import json, sys, jax
from jaxdigits.cli import run
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event.split("/")[-1]))
code = run(sys.argv[1:])
print(json.dumps({event: events.count(event) for event in events}))
sys.exit(code)
"""
TRAIN = ("train", "mlp", "--hidden", "8", "--epochs", "1", "--seed", "3")


def start(folder, name):
    """(JAX's counts, stderr, params) of a process that trains into `folder / name`."""
    env = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    env |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "HOME": str(folder), VARIABLE: "~/cache"}
    command = [sys.executable, "-c", COUNTED, *TRAIN, "--out", name]
    done = subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    return counts, done.stderr, (folder / name / "params.npz").read_bytes()


def test_the_second_start_compiles_nothing_and_trains_to_the_same_bits(tmp_path):
    first, _, params = start(tmp_path, "one")
    second, errors, again = start(tmp_path, "two")
    entries = [path.name for path in (tmp_path / "cache").iterdir()]
    assert any(name.startswith("jit_finish-") for name in entries)
    assert first["cache_misses"] == first["compile_requests_use_cache"]
    assert "cache_hits" not in first
    assert second["cache_hits"] == second["compile_requests_use_cache"]
    assert "cache_misses" not in second
    assert (errors, again) == ("", params)
