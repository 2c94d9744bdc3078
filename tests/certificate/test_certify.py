"""The certificate: everything public is in its table, and names choose what is checked.

That all cases agree to ten digits is for `jaxdigits check`, which `.ci/run` runs.
"""

import inspect

import pytest

import jaxdigits
from jaxdigits import Layer, layers, losses, models, spikes
from jaxdigits.certificate import CASES, KINDS, certify
from jaxdigits.certificate.certify import families
from jaxdigits.losses import Loss
from jaxdigits.spikes import PRESETS, Surrogate


def constructors(*kinds):
    """The names of the public functions that return one of `kinds`."""
    for module in (jaxdigits, layers, spikes, losses, models):
        for name in getattr(module, "__all__", vars(module)):
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield from [name] if inspect.signature(value).return_annotation in kinds else []


def names_in(thing):
    """The names of all constructors in a layer, as its `about` has them."""
    about = getattr(thing, "about", None)
    while about is not None:
        yield about.name
        for value in about.arguments.values():
            for each in value if type(value) is tuple else (value,):
                yield from names_in(each)
        about = about.inner


def test_nothing_public_is_missing_from_the_table():
    wanted = set(constructors(Layer, Loss)) - {"serial"}  # which is in every network
    assert {"dense", "lif", "rate", "cross_entropy", "parallel", "mlp"} < wanted
    assert wanted - set(families()) == set()
    surrogates = set(constructors(Surrogate))
    assert {"arctan", "soft_twin"} < surrogates
    cases = KINDS["spikes"].values()
    assert surrogates - {name for case in cases for name in names_in(case.make())} == set()
    assert {f"lif, {preset}" for preset in PRESETS} < set(CASES)


def test_a_family_is_all_its_cases():
    assert {"dense", "conv2d", "lif", "cross_entropy", "snn"} < set(families())
    names = [name for name, report in certify(["rate_error", "cross_entropy"]) if report.ok]
    assert names == ["rate_error", "cross_entropy", "cross_entropy, smoothed"]


def test_a_case_named_twice_is_checked_once():
    assert [name for name, _ in certify(["rate_error", "rate_error"])] == ["rate_error"]


def test_an_unknown_name_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match=r"named 'quantum'.*; there are .*conv2d, dense,"):
        certify(["dense", "quantum"])


def test_a_tolerance_that_nothing_can_meet_is_not_met():
    ((_, report),) = certify(["tanh"], tolerance=1e-30)
    assert not report.ok
    assert report.reason.startswith("x differs by")
