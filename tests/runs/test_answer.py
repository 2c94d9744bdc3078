"""Answers of a run: in parts of a few sizes, as in one."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxdigits.data import as_inputs
from jaxdigits.data.inputs import Drawn, Rows
from jaxdigits.runs import Run, RunError, config_for, predict, predictor
from jaxdigits.runs.answer import answerer
from jaxdigits.train import logits_of

TINY = dict(hidden=(8,), steps=4)


@pytest.fixture(scope="module")
def run():
    config = config_for("snn", "digits", seeds=2, options=TINY)
    keys = jax.random.split(jax.random.key(5), 2)
    init = lambda key: config.build()(training=True).init(key, (28, 28))[0]
    return Run(config, jax.vmap(init)(keys), ())


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (503, 28, 28), np.uint8)


def test_answers_that_are_no_numbers_are_one_line(run, images):
    # Each param is finite, and their products are not.
    large = run._replace(params=jax.tree.map(lambda a: a + 3e38, run.params))
    for read in (answerer(large), partial(predict, large)):
        with pytest.raises(RunError, match="answers are not finite, by its params"):
            read(images[:2])


@pytest.mark.parametrize("n", [3, 70, 503])
def test_predictions_in_parts_are_those_in_one(run, images, n):
    """Example 500 is in a part of its own, and still draws as example 500."""
    logits = predictor(run)(images[:n])
    assert logits.shape == (2, n, 10)
    np.testing.assert_allclose(logits, logits_in_one(run, images[:n]), atol=1e-5)


def test_examples_that_are_drawn_are_the_same_in_parts(run, images):
    among = np.arange(40, dtype=np.int32).reshape(10, 4)
    drawn = Drawn(images[:40], among, np.arange(570, dtype=np.int32) % 10)
    inputs = Rows(drawn, np.arange(569, 66, -1, np.int32))
    np.testing.assert_allclose(predictor(run)(inputs), logits_in_one(run, inputs), atol=1e-5)


def logits_in_one(run, inputs):
    network = run.config.build()(training=False)
    whole = jax.jit(partial(logits_of, network, batch=as_inputs(inputs).size))
    params = lambda seed: jax.tree.map(lambda a: a[seed], run.params)
    keys = [jax.random.key(run.config.seed + seed) for seed in range(2)]
    return np.stack([whole(params(i), inputs, key)[0] for i, key in enumerate(keys)])


def test_predictions_of_many_numbers_of_images_share_programs(run, images):
    answer = predictor(run)
    assert answer(images[:72]).shape == (2, 72, 10)
    with jax.no_tracing():
        assert answer(images[:5]).shape == (2, 5, 10)
        assert answer(images[:140]).shape == (2, 140, 10)


def test_an_answer_does_not_depend_on_its_place(run, images):
    answer = answerer(run)
    twice = answer(images[[7] * 70])
    np.testing.assert_allclose(twice, np.tile(answer(images[7:8]), (70, 1)), atol=1e-6)


def test_no_images_are_refused(run, images):
    for answer in predictor(run), answerer(run):
        with pytest.raises(ValueError, match="inputs must have at least one example, got none"):
            answer(images[:0])
