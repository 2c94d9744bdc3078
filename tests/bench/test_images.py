"""Synthetic images have the ink of MNIST, and batches are what a step asks for."""

import numpy as np
import pytest

from jaxdigits.bench.programs import EDGE, batches, synthetic


def test_images_have_as_much_ink_as_mnist_and_empty_edges():
    data = synthetic(400)
    image, label = np.asarray(data.inputs[:]), np.asarray(data.label)
    assert (image.shape, image.dtype) == ((400, 28, 28), np.uint8)
    assert (label.dtype, set(label)) == (np.int32, set(range(10)))
    assert abs((image > 0).mean() - 0.19) < 0.02
    assert abs(image.mean() / 255 - 0.13) < 0.02
    assert image[:, :EDGE].sum() == image[:, :, -EDGE:].sum() == 0


def test_another_seed_gives_other_images():
    assert (np.asarray(synthetic(2).inputs[:]) == np.asarray(synthetic(2).inputs[:])).all()
    assert (
        np.asarray(synthetic(2).inputs[:]) != np.asarray(synthetic(2, seed=1).inputs[:])
    ).any()


def test_batches_differ_and_repeat_no_example():
    first, second = (np.asarray(b) for b in batches(50, 20, 2))
    assert len(set(first)) == len(set(second)) == 20
    assert set(first) != set(second)
    assert max(first.max(), second.max()) < 50


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="batch is 3, but there are 2 examples"):
        batches(2, 3, 1)
