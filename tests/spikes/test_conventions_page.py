"""The page on conventions: its tables are what the presets give."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import fast_sigmoid, lif, presets
from jaxdigits.spikes.lif import make_membrane

PAGE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
ROWS = [
    [cell.strip() for cell in row.strip("|\n").split("|")]
    for row in re.findall(r"^\| `\w+\(.*\n", PAGE, re.MULTILINE)
]
CHOICES = [row for row in ROWS if len(row) == 8]
TRACES = [row for row in ROWS if len(row) == 4]
FIELDS = re.search(r"^\| preset (\| reset .*)\|$", PAGE, re.MULTILINE)


def preset(cell):
    return eval(cell.strip("`"), vars(presets) | {"TAU": 1 / np.log(2)})


@pytest.mark.parametrize("row", CHOICES, ids=lambda row: row[0])
def test_the_choices_are_those_of_the_preset(row):
    assert FIELDS
    names = [name.strip() for name in FIELDS[1].strip("| ").split("|")]
    shown = {"0": 0.0, "yes": True, "no": False}
    convention = preset(row[0])["convention"]
    assert {n: getattr(convention, n) for n in names} == {
        n: shown.get(cell, cell) for n, cell in zip(names, row[1:], strict=True)
    }


@pytest.mark.usefixtures("float64")
def test_spikes_potentials_and_slopes_are_what_the_presets_give():
    assert [row[0] for row in TRACES] == [row[0] for row in CHOICES]

    def run(current):
        found = []
        for cell, *_ in TRACES:
            options = preset(cell)
            layer = lif(**options)
            spikes, kept = layer.forward((), current, None)
            membrane = make_membrane(fast_sigmoid(), options["convention"])
            end = membrane.end(kept.v, options["threshold"])
            _, lam = layer.backward((), kept, jnp.ones_like(spikes))
            found.append((spikes[:, 0], end[:, 0], lam[0, 0]))
        return found

    current = jnp.array([1, 1.5, 2.25, 1, 3.5, 1, 0.75, 0.25])[:, None]
    found = jax.jit(run)(current)
    for row, (spikes, end, slope) in zip(TRACES, found, strict=True):
        assert preset(row[0])["decay"] == 0.5
        assert "".join(f"{int(s)}" for s in spikes) == row[1], row[0]
        assert " ".join(f"{m:.2f}" for m in end) == row[2], row[0]
        assert f"{slope:.3f}" == row[3], row[0]


def test_every_preset_is_there_and_no_two_are_alike():
    assert {row[0].strip("`").split("(")[0] for row in TRACES} == set(presets.PRESETS)
    assert len({tuple(row[1:]) for row in TRACES}) == len(TRACES) == 15
    assert len({row[1] for row in TRACES}) == 11
