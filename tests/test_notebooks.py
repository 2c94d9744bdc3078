"""The notebooks run, and print what they show.

They need Jupyter, and a quarter of a minute each: `.ci/run` runs them beside the site, whose
packages bring it.
"""

import re
from pathlib import Path

import pytest

from jaxdigits.data.cache import places

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


# The notebook's kernel is a process of its own, whose warnings are not this package's.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_prints_what_it_shows(path, monkeypatch):
    nbformat, nbclient = map(pytest.importorskip, ("nbformat", "nbclient"))
    if "senses" in path.stem and not any(p.is_dir() for p in places("fsdd/recordings", "fsdd")):
        pytest.skip("the spoken digits are not in JAXDIGITS_DATA")
    for name in ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS"):  # compiled as for a reader
        monkeypatch.delenv(name, raising=False)
    shown, run = (nbformat.read(path, as_version=4) for _ in range(2))
    nbclient.NotebookClient(run, timeout=120).execute()
    assert _digits(run) == _digits(shown)


def _digits(notebook) -> list[str]:
    """The percentages and verdicts that a notebook prints; rounding errors may differ."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return re.findall(r"[\d.]+%|True|False", " ".join(o.get("text", "") for o in outputs))
