"""Splits: exact sizes, no example lost or twice, classes in proportion, the same for ever."""

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
    return part.image[:, 0, 0]


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
        assert part.image.shape[1:] == (28, 28)
        assert (part.image.dtype, part.label.dtype) == (np.uint8, np.int32)
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


def test_images_without_labels_are_refused():
    with pytest.raises(ValueError, match="a label per image, got 3 and 2"):
        split(Dataset(np.zeros((3, 28, 28)), np.zeros(2)), (1, 1), seed=0)
