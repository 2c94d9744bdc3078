"""Answers of a run: in parts of a few sizes, as in one."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxdigits.runs import Run, config_for, predictor
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


def test_predictions_in_parts_are_those_in_one(run, images):
    """Example 500 is in a part of its own, and still draws as example 500."""
    network = run.config.build()(training=False)
    whole = jax.jit(partial(logits_of, network, batch=503))
    answer = predictor(run)
    for n in (3, 70, 503):
        logits = answer(images[:n])
        assert logits.shape == (2, n, 10)
        for seed, of_seed in enumerate(logits):
            params = jax.tree.map(lambda a, i=seed: a[i], run.params)
            right, _ = whole(params, images[:n], jax.random.key(run.config.seed + seed))
            np.testing.assert_allclose(of_seed, right, atol=1e-5)


def test_predictions_of_many_numbers_of_images_share_a_program(run, images):
    answer = predictor(run)
    answer(images[:70])
    with jax.no_tracing():
        answer(images[:90])
        answer(images[:500])


def test_an_answer_does_not_depend_on_its_place(run, images):
    answer = answerer(run)
    twice = answer(images[[7] * 70])
    np.testing.assert_allclose(twice, np.tile(answer(images[7:8]), (70, 1)), atol=1e-6)


def test_no_images_are_refused(run, images):
    for answer in predictor(run), answerer(run):
        with pytest.raises(ValueError, match="inputs must have at least one example, got none"):
            answer(images[:0])
