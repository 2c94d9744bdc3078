"""Trees are compared leaf by leaf, and every complaint names the leaf."""

import numpy as np
import pytest

from jaxdigits.layers import Statistics
from jaxdigits.tree import (
    cosine,
    named_leaves,
    parameter_count,
    relative_error,
    require_same_leaves,
)

PARAMS = ({"weight": np.ones((2, 3)), "bias": np.ones(3)}, (), Statistics(np.ones(4), 5.0))


def test_leaves_are_named_by_their_path():
    names = ["0/bias", "0/weight", "2/mean", "2/variance"]
    assert list(named_leaves(PARAMS)) == names
    assert named_leaves(7.0) == {"value": 7.0}
    assert named_leaves({"x": None}) == {}


def test_parameters_are_counted():
    assert parameter_count(PARAMS) == 6 + 3 + 4 + 1
    assert parameter_count(()) == 0


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({}, r"weights lack 'a', which has shape \(2,\)"),
        ({"a": np.ones(3)}, r"weights: 'a' has shape \(3,\), not \(2,\)"),
        ({"a": np.ones(2), "b": 1}, "weights have an unexpected 'b'"),
    ],
)
def test_a_leaf_that_differs_is_named(tree, match):
    with pytest.raises(ValueError, match=match):
        require_same_leaves(tree, {"a": np.ones(2)}, "weights")


def test_equal_shapes_are_the_same_leaves():
    require_same_leaves({"a": np.zeros(2)}, {"a": np.ones(2)}, "weights")


@pytest.mark.parametrize(
    ("value", "reference", "error"),
    [
        ([1.0, 2.5], [1.0, 2.0], 0.25),
        ([0.0], [0.0], 0),
        ([1e-30], [0.0], np.inf),
        ([np.nan], [1.0], np.inf),
        ([np.inf], [np.inf], np.inf),
        ([1.0], [np.nan], np.inf),
        ([], [], 0),
    ],
)
def test_relative_error_is_in_units_of_the_largest_reference(value, reference, error):
    assert relative_error(np.array(value), np.array(reference)) == error


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        ([3.0, 4.0], [6.0, 8.0], 1),
        ([1.0, 0.0], [0.0, 2.0], 0),
        ([1.0, 1.0], [-1.0, -1.0], -1),
        ([0.0], [0.0], 1),
        ([0.0], [1.0], 0),
    ],
)
def test_cosine_is_that_of_the_angle(a, b, value):
    assert cosine(np.array(a), np.array(b)) == pytest.approx(value)
