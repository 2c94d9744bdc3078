"""Splits: exact sizes, no example lost or twice, classes in proportion, the same for ever."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdigits.data import Dataset, split

fixed = settings(derandomize=True, database=None, deadline=None, max_examples=200)


def numbered(label):
    """A data set whose images are nothing but their own index."""
    label = np.asarray(label, np.int32)
    return Dataset(np.arange(len(label))[:, None, None], label)


def indices(part):
    return part.inputs[:, 0, 0]


@st.composite
def labels_and_sizes(draw):
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    n = sum(sizes)
    return draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), sizes


@fixed
@given(labels_and_sizes(), st.integers(0, 2**40))
def test_every_split_is_exact_disjoint_and_proportional(case, seed):
    label, sizes = case
    data = numbered(label)
    parts = split(data, sizes, seed=seed)
    assert [len(part.label) for part in parts] == sizes
    everything = np.concatenate([indices(part) for part in parts])
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(label)))
    for part, size in zip(parts, sizes, strict=True):
        np.testing.assert_array_equal(part.label, data.label[indices(part)])
        counts = np.bincount(part.label, minlength=5)
        share = np.bincount(label, minlength=5) * size / len(label)
        assert np.abs(counts - share).max() <= 1 + 1e-9


def test_parts_keep_the_order_and_the_types_of_the_data():
    data = Dataset(np.zeros((40, 28, 28), np.uint8), np.arange(40, dtype=np.int32) % 10)
    for part in split(data, (25, 15), seed=3):
        assert part.inputs.shape == (28, 28)
        assert (part.inputs.array.dtype, part.label.dtype) == (np.uint8, np.int32)
    for part in split(numbered(np.arange(40) % 10), (25, 15), seed=3):
        assert (np.diff(indices(part)) > 0).all()


def test_the_seed_alone_decides():
    data = numbered(np.arange(60) % 3)
    one, again, other = (indices(split(data, (30, 30), seed=s)[0]) for s in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert set(one) != set(other)


def test_each_example_is_as_likely_as_any_other():
    # 400 draws at p = 1/4: a standard deviation of 0.022, and 6 of them are never exceeded.
    data = numbered(np.arange(40) % 10)
    drawn = [indices(split(data, (10, 30), seed=s)[0]) for s in range(400)]
    share = np.bincount(np.concatenate(drawn), minlength=40) / 400
    assert np.abs(share - 1 / 4).max() < 6 * 0.022


def test_a_split_made_years_ago_can_be_made_again():
    part, _ = split(numbered(np.arange(30) % 3), (9, 21), seed=0)
    np.testing.assert_array_equal(indices(part), [1, 2, 3, 11, 13, 15, 20, 21, 25])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((3, 4), "sizes must sum to the 6 examples"),
        ((), "sizes must sum"),
        ((7, -1), "sizes must be counts"),
        ((6, 0), "sizes must be counts"),
        ((3.0, 3.0), "sizes must be counts"),
        ((0.5, 0.5), "sizes must be counts"),
        ((5, True), "sizes must be counts"),
    ],
)
def test_bad_sizes_are_refused_by_name(sizes, message):
    with pytest.raises(ValueError, match=message):
        split(numbered([0, 1, 2, 0, 1, 2]), sizes, seed=0)


@pytest.mark.parametrize("seed", [-1, 0.0, None, True])
def test_a_bad_seed_is_refused_by_name(seed):
    with pytest.raises(ValueError, match="seed must be"):
        split(numbered([0, 1]), (1, 1), seed=seed)


THREE = np.zeros((3, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("inputs", "label", "message"),
    [
        (
            THREE,
            [0, 1],
            "each input needs a label, got 3 inputs and 2 labels; pass as",
        ),
        (THREE[0], [7], "each input needs a label, got 28 inputs and 1 labels"),
        (THREE, [0.0, 1.0, 2.0], r"got float64 \[3\]: pass label.astype\(int\)"),
        (
            THREE,
            [[0], [1], [2]],
            r"got int64 \[3, 1\]: pass label\[:, 0\]",
        ),
        (THREE, np.eye(3), r"got float64 \[3, 3\], one-hot: pass label.argmax\(1\)"),
        (THREE, [[0, 2], [1, 1], [2, 0]], r"got int64 \[3, 2\]$"),
        (THREE, ["a", "b", "a"], r"got <U1 \[3\]: number the texts, as np.unique"),
        (THREE, [0, -1, 2], "label must be >= 0 and below classes, 3, got -1 to 2"),
        (THREE, [0, 1, 2**40], "label must be below 2³¹, got 1099511627776"),
        (THREE[:0], np.zeros(0, int), "a data set needs at least one example, got none"),
        ({"image": THREE, "sound": THREE[:2]}, [0, 1, 2], "each sense needs an input"),
    ],
)
def test_data_that_do_not_fit_are_refused_when_the_data_set_is_made(inputs, label, message):
    with pytest.raises(ValueError, match=message):
        Dataset(inputs, label)


def test_classes_come_from_the_labels_or_from_the_user():
    assert Dataset(THREE, [0, 1, 7]).classes == 8
    assert Dataset(THREE, [0, 1, 7], classes=10).classes == 10
    with pytest.raises(ValueError, match="below classes, 7, got 0 to 7"):
        Dataset(THREE, [0, 1, 7], classes=7)
    for classes in (10.5, "10", True):
        with pytest.raises(
            ValueError, match=f"classes must be a whole number, got {classes!r}"
        ):
            Dataset(THREE, [0, 1, 7], classes=classes)  # pyright: ignore
    halves = split(Dataset(np.zeros((4, 2)), [0, 0, 5, 5], classes=9), (2, 2), seed=0)
    assert [half.classes for half in (*halves, halves[0][:1])] == [9, 9, 9]


def test_a_data_set_is_an_array_to_its_user_and_a_traced_argument_to_jax():
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    data = Dataset(images, [2, 1, 0])
    assert data.inputs.array is images
    assert isinstance(data.inputs[:2], np.ndarray)
    assert (len(data), data.inputs.size, data.inputs.shape, data.classes) == (3, 3, (2, 2), 3)
    some = data[np.array([2, 0])]
    np.testing.assert_array_equal(some.inputs.array, images[[2, 0]])
    np.testing.assert_array_equal(some.label, [0, 2])
    program = jax.make_jaxpr(lambda data: data.inputs.take(data.label, None))(data)
    assert (len(program.jaxpr.invars), program.consts) == (2, [])
    traced = jax.jit(lambda data: data)(data)
    assert (type(traced), traced.classes) == (Dataset, 3)
    with pytest.raises(TypeError, match="by a slice or an array"):
        _, _ = data
