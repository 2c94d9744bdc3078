"""Mistakes, planted in the library's own source."""

import inspect
import sys
from importlib import import_module

import pytest


@pytest.fixture
def plant(monkeypatch):
    """A function that plants a mistake in the library, until the test is over.

    plant(module, function, old, new) makes `new` of the one `old` in the function's source.
    """

    def plant(module, function, old, new):
        right = getattr(import_module(f"jaxdigits.{module}"), function)
        source = inspect.getsource(right)
        assert source.count(old) == 1, (
            f"plant it anew: {function} has {source.count(old)} {old}"
        )
        names = dict(vars(inspect.getmodule(right)))
        exec(compile(source.replace(old, new), f"mistaken {function}", "exec"), names)
        for name, place in list(sys.modules.items()):
            if name.startswith("jaxdigits.") and vars(place).get(function) is right:
                monkeypatch.setattr(place, function, names[function])

    return plant
