"""The confusion matrix against loops."""

import numpy as np
import pytest

from jaxdigits.measure import confusion_matrix, per_class


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_the_matrix_counts_pairs(dtype):
    rng = np.random.default_rng(0)
    label, prediction = rng.integers(0, 10, (2, 500)).astype(dtype)
    wanted = np.zeros((10, 10), int)
    for i, j in zip(label, prediction, strict=True):
        wanted[i, j] += 1
    np.testing.assert_array_equal(confusion_matrix(label, prediction), wanted)


def test_the_label_is_the_row():
    np.testing.assert_array_equal(
        confusion_matrix([0, 0, 1], [1, 1, 0], classes=2), [[0, 2], [1, 0]]
    )


def test_no_examples_are_a_matrix_of_zeros():
    assert not confusion_matrix([], [], classes=3).any()


def test_recall_and_precision_are_shares_of_rows_and_columns():
    images, recall, precision = per_class(np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(images, [4, 4, 0])
    np.testing.assert_array_equal(recall, [3 / 4, 2 / 4, np.nan])
    np.testing.assert_array_equal(precision, [3 / 5, 2 / 3, np.nan])


@pytest.mark.parametrize(
    ("label", "prediction", "message"),
    [
        ([1, 2], [1], "must be"),
        ([[1]], [[1]], "must be"),
        ([10], [1], r"label must be in 0\.\.9"),
        ([1], [-1], r"prediction must be in 0\.\.9"),
        ([1.0], [1], "label must be whole numbers, got float64"),
        ([1], [1.5], "prediction must be whole numbers, got float64"),
    ],
)
def test_what_is_no_class_is_refused_by_name(label, prediction, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(label, prediction)
