"""The floors of the house: a file imports only from below, and never in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import jaxdigits

ROOT = Path(jaxdigits.__file__).parent
FLOORS = {
    "about": 0, "case": 0, "chain": 0, "checks": 0, "errors": 0, "fast": 0, "keys": 0,
    "layer": 0, "options": 0, "tree": 0, "workers": 0,
    "layers": 1, "losses": 1, "augment": 1,
    "spikes": 2, "data": 2,
    "models": 3, "gradients": 3, "fold": 3,
    "train": 4, "quantise": 4, "convert": 4,
    "measure": 5, "interop": 5,
    "reader": 6, "verify": 6, "certificate": 6,
    "runs": 7,
    "search": 8,
    "plots": 9, "bench": 9, "page": 9,
    "cli": 10,
}  # fmt: skip


def module_name(path):
    parts = ("jaxdigits", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imported(source):
    """The modules of this package that a file's source imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in FILES else node.module for name in names}
    return {name for name in found if name.split(".")[0] == "jaxdigits"}


def unit(name):
    """The top-level folder or file that a module belongs to."""
    return name.split(".")[1]


def allowed(name, other):
    """Whether module `name` may import `other`."""
    if other == "jaxdigits":
        return False
    here, there = FLOORS[unit(name)], FLOORS[unit(other)]
    return there < here or unit(name) == unit(other) or here == there == 0


@pytest.fixture(scope="module")
def graph():
    """{module: the modules that it imports}"""
    files = {name: path for name, path in FILES.items() if name != "jaxdigits"}
    return {name: imported(path.read_text()) for name, path in files.items()}


def test_everything_has_its_floor(graph):
    units = {unit(name) for name in graph}
    assert {"layer", "layers", "spikes", "models", "gradients"} < units
    assert units - set(FLOORS) == set()


def test_a_file_imports_from_lower_floors_only(graph):
    arrows = [(name, other) for name, others in graph.items() for other in sorted(others)]
    assert [arrow for arrow in arrows if not allowed(*arrow)] == []


def test_no_imports_go_in_a_circle(graph):
    assert "jaxdigits.keys" in graph["jaxdigits.layer"]
    TopologicalSorter(graph).prepare()


def test_a_folder_only_hands_on_its_names(graph):
    """Its `__init__` holds no code; that of cli is the program."""
    for folder in {unit(name) for name in graph} - {"cli"}:
        if (start := ROOT / folder / "__init__.py").exists():
            kinds = {type(node) for node in ast.parse(start.read_text()).body}
            assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign, ast.AnnAssign}, folder


@pytest.mark.parametrize(
    ("name", "source", "fine"),
    [
        ("jaxdigits.models.mlp", "from jaxdigits.gradients import check", False),
        ("jaxdigits.gradients.check", "from jaxdigits.models import mlp", False),
        ("jaxdigits.layers.dense", "import jaxdigits.spikes.lif", False),
        ("jaxdigits.tree", "from jaxdigits import layers as ly", False),
        ("jaxdigits.train.fit", "def f():\n    from jaxdigits import Layer", False),
        ("jaxdigits.layer", "from jaxdigits.keys import fold_in", True),
        ("jaxdigits.layers.conv", "from jaxdigits.layers.dense import dense", True),
        ("jaxdigits.cli", "import jax\nfrom jaxdigits import train", True),
    ],
)
def test_this_test_can_fail(name, source, fine):
    assert all(allowed(name, other) for other in imported(source)) is fine
