"""Every public name says what it is."""

import ast
import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import numpy as np
import pytest
from jax import Array

import jaxdigits

FOUND = list(walk_packages(jaxdigits.__path__, "jaxdigits."))
PACKAGES = [jaxdigits, *(import_module(found.name) for found in FOUND if found.ispkg)]
MODULES = [
    import_module(f"jaxdigits.{found.name}")
    for found in iter_modules(jaxdigits.__path__)
    if not found.ispkg
]


def names(package):
    """The names that a folder hands on; those of the whole package stand in its stub."""
    own = getattr(package, "__all__", None)
    home = lambda value: getattr(value, "__module__", "jaxdigits") or "builtins"
    ours = lambda value: home(value).startswith("jaxdigits")
    return own or [
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value) and ours(value)
    ]


def public():
    """(where, name, value) of all that is public: in folders, all that they hand on."""
    for package in PACKAGES:
        for name in names(package):
            yield package.__name__, name, getattr(package, name)
    for module in MODULES:
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__:
                yield module.__name__, name, value


PUBLIC = {
    f"{where}.{name}": value
    for where, name, value in public()
    if inspect.ismodule(value) or inspect.isroutine(value) or inspect.isclass(value)
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring_of_its_own(name):
    value = PUBLIC[name]
    doc = inspect.getdoc(value) or ""
    assert len(doc.split()) >= 3
    # A class without one has its signature instead.
    assert not inspect.isclass(value) or not doc.startswith(f"{value.__name__}(")


def test_every_folder_lists_its_names_once():
    for package in PACKAGES:
        lines = [
            alias.name
            for node in ast.parse(Path(package.__file__).read_text()).body
            if isinstance(node, ast.ImportFrom) and not node.module.endswith("parser")
            for alias in node.names
            if alias.asname == alias.name
        ]
        assert len(set(lines)) == len(lines), package.__name__
    assert "dense" in names(jaxdigits.layers)
    assert "snn" in names(jaxdigits)


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if inspect.isfunction(v)])
def test_a_function_names_its_errors_and_the_shapes_of_its_arrays(name):
    function = PUBLIC[name]
    doc = inspect.getdoc(function) or ""
    errors = raised(ast.parse(textwrap.dedent(inspect.getsource(function))))
    assert not errors or "Raises:" in doc
    assert {error for error in errors if f"{error}:" not in doc} == set()
    # A key needs no shape: one is one, and where it may be one per example that is said.
    given = {v for k, v in function.__annotations__.items() if k not in ("return", "key")}
    assert not given & {Array, Array | None, np.ndarray} or re.search(r"\[.*\]|shape", doc)


def raised(node: ast.AST) -> set[str]:
    """The names of the errors that leave a piece of code, by its own `raise`."""
    if isinstance(node, ast.Try) and node.handlers:  # what it tries, it catches
        inside = [*node.handlers, *node.orelse, *node.finalbody]
    else:
        inside = ast.iter_child_nodes(node)
    found = set().union(*map(raised, inside))
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        found.add(ast.unparse(node.exc.func))
    return found


@pytest.mark.parametrize(
    ("source", "errors"),
    [
        ("raise ValueError('x')", {"ValueError"}),
        ("def f():\n  def g():\n    raise TypeError('x')", {"TypeError"}),
        ("try:\n  raise OSError('x')\nexcept OSError:\n  raise E() from None", {"E"}),
        ("raise", set()),
    ],
)  # fmt: skip
def test_the_errors_that_leave_a_function_are_found(source, errors):
    assert raised(ast.parse(source)) == errors
