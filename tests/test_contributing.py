"""CONTRIBUTING's walk: what it says makes a neuron, in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import jaxdigits

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = dict(re.findall(r"In `([^`]+)`[^\n]*:\n\n```python\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package with the neuron of the walk, and its test."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        Path(jaxdigits.__file__).parent, root / "jaxdigits",
        ignore=shutil.ignore_patterns("__pycache__"),
    )  # fmt: skip
    assert len(BLOCKS) == 3, "a file, a line, a test"
    for name, text in BLOCKS.items():
        path = root / name
        path.parent.mkdir(exist_ok=True, parents=True)
        new = path.suffix == ".py" and not path.exists()
        path.write_text(
            text if new else path.read_text().replace("\n\nNEURONS", f"\n{text}\nNEURONS")
        )
    return root


def run(copy, *words):
    environment = os.environ | {"PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


PROGRAM = "import sys; from jaxdigits.cli import main; main(sys.argv[1:])"


def test_the_copy_is_the_one_that_runs(copy):
    assert str(copy) in run(copy, "-c", "import jaxdigits; print(jaxdigits.__file__)")


def test_the_gradient_is_checked(copy):
    assert "qif" in run(copy, "-c", PROGRAM, "check", "qif")


def test_it_is_an_option_of_train_with_its_own_options(copy):
    text = run(copy, "-c", PROGRAM, "train", "snn", "--neuron", "qif", "--help")
    assert "--curvature FLOAT" in text
    assert "--reset-step" not in text


def test_a_network_of_it_trains(copy):
    small = ["--epochs", "1", "--hidden", "8", "--steps", "4", "--curvature", "0.25"]
    text = run(copy, "-c", PROGRAM, "train", "--neuron", "qif", *small, "--out", "run")
    assert "test accuracy" in text
    assert '"curvature": 0.25' in (copy / "run" / "config.json").read_text()


def test_its_own_test_passes(copy):
    (name,) = (name for name in BLOCKS if name.startswith("tests/"))
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-c", os.devnull]
    assert "1 passed" in run(copy, "-m", "pytest", *options, name)
