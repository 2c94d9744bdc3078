"""Each workaround has a gain of 5 % or more, and its file says which."""

import ast
import json
import re
from pathlib import Path

import pytest

import jaxdigits
from jaxdigits.fast.switch import WORKAROUNDS

ROOT = Path(jaxdigits.__file__).parent
FILE = ROOT.parent / "experiments" / "workarounds.json"
MEASURED = json.loads(FILE.read_text())["workloads"]
GAIN = r"without `([^`]+)`, (W[\w-]+) takes (\d\.\d\d) times as long"
GPU = {"kernel"}  # decided on a GPU
GAINS = [
    gain
    for path in sorted((ROOT / "fast").glob("*.py"))
    for gain in re.findall(
        GAIN, " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())
    )
]


def test_every_workaround_has_a_gain():
    names = {name for name, _, _ in GAINS}
    assert set(WORKAROUNDS) - GPU - names == set()
    assert len(names) == len(GAINS)


@pytest.mark.parametrize(("name", "workload", "ratio"), GAINS)
def test_a_gain_is_the_measured_one_and_worth_its_lines(name, workload, ratio):
    row = MEASURED[workload]["ratios"][name]
    assert ratio == f"{row['clock']['median']:.2f}"
    assert row["clock"]["median"] >= 1.05
    assert row["processor"]["median"] >= 1.05
