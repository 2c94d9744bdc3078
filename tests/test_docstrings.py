"""Every public name says what it is."""

import inspect
from importlib import import_module

import pytest

PACKAGES = ("", ".layers", ".spikes", ".models", ".gradients", ".data", ".train", ".measure")
MODULES = (".layer", ".keys", ".tree", ".losses", ".plots")  # without __all__


def public():
    """(where, name, value) of all that is public and can have a docstring."""
    for package in PACKAGES:
        module = import_module(f"jaxdigits{package}")
        for name in module.__all__:
            yield module.__name__, name, getattr(module, name)
    for module in map(import_module, (f"jaxdigits{name}" for name in MODULES)):
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


def test_all_lists_what_is_there_in_order():
    for package in PACKAGES:
        names = import_module(f"jaxdigits{package}").__all__
        assert sorted(set(names)) == names


def test_a_function_that_raises_value_error_says_so():
    missing = []
    for name, value in PUBLIC.items():
        if inspect.isfunction(value) and "raise ValueError" in inspect.getsource(value):
            missing += [] if "Raises:" in (inspect.getdoc(value) or "") else [name]
    assert missing == []
