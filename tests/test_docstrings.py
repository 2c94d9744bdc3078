"""Every public name says what it is."""

import inspect
from importlib import import_module
from pkgutil import iter_modules, walk_packages

import pytest

import jaxdigits

FOUND = list(walk_packages(jaxdigits.__path__, "jaxdigits."))
PACKAGES = [jaxdigits, *(import_module(found.name) for found in FOUND if found.ispkg)]
PACKAGES = [package for package in PACKAGES if hasattr(package, "__all__")]
MODULES = [
    import_module(f"jaxdigits.{found.name}")
    for found in iter_modules(jaxdigits.__path__)
    if not found.ispkg
]


def public():
    """(where, name, value) of all that is public, in folders by `__all__`."""
    for package in PACKAGES:
        for name in package.__all__:
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
    assert {"jaxdigits.layers", "jaxdigits.spikes"} < {p.__name__ for p in PACKAGES}
    assert all(len(set(p.__all__)) == len(p.__all__) for p in PACKAGES)


def test_a_function_that_raises_value_error_says_so():
    missing = []
    for name, value in PUBLIC.items():
        if inspect.isfunction(value) and "raise ValueError" in inspect.getsource(value):
            missing += [] if "Raises:" in (inspect.getdoc(value) or "") else [name]
    assert missing == []
