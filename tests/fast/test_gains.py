"""Each workaround has a gain of 5 % or more in a workload, and its file says which."""

import ast
import json
import re
from pathlib import Path

import pytest

import jaxdigits
from jaxdigits.bench import WORKLOADS
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


def is_gain(ratios):
    """Whether both the clock and the processor show it."""
    return min(ratios[kind]["median"] for kind in ("clock", "processor")) >= 1.05


def test_a_workaround_without_a_gain_goes_once_all_workloads_are_measured():
    stated = {name for name, _, _ in GAINS}
    assert len(stated) == len(GAINS) > 5
    gaining = {n for row in MEASURED.values() for n, r in row["ratios"].items() if is_gain(r)}
    silent = set(WORKAROUNDS) - GPU - stated
    assert silent & gaining == set(), "state its gain"
    assert not silent or set(WORKLOADS) - set(MEASURED), "delete it"


@pytest.mark.parametrize(("name", "workload", "ratio"), GAINS)
def test_a_gain_is_the_measured_one_and_worth_its_lines(name, workload, ratio):
    row = MEASURED[workload]["ratios"][name]
    assert ratio == f"{row['clock']['median']:.2f}"
    assert is_gain(row)
