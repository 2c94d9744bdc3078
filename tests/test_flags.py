"""The library under JAX's flags for debugging: without jit, and without promotion of ranks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.core import Tracer

from jaxdigits import losses
from jaxdigits.certificate import CASES, KINDS
from jaxdigits.certificate.certify import EXAMPLES, case_input
from jaxdigits.data import digits
from jaxdigits.gradients import Differences, by_hand, check
from jaxdigits.layers import relu
from jaxdigits.models import mlp
from jaxdigits.reader import best_alignment, log_partition, make_format, marginals, search
from jaxdigits.train import Recipe, fit

LAYERS = {**KINDS["layers"], **KINDS["spikes"], **KINDS["networks"]}


@pytest.mark.parametrize("name", LAYERS)
def test_no_rank_is_promoted_in_silence(name):
    """One update of each network and the passes of each layer, traced only."""
    case = CASES[name]
    layer, keys = case.make(), jax.random.split(jax.random.key(1), EXAMPLES)

    def passes(key, x):
        params, _ = layer.init(key, case.features)
        y, residual = layer.forward(params, x, keys)
        grads = layer.backward(params, residual, jax.tree.map(jnp.ones_like, y))
        if name in KINDS["networks"]:
            rows = y.ndim == 3  # of logits, for a string each
            makers = {2: losses.cross_entropy, 3: losses.ctc, 4: losses.contrastive}
            loss = makers[y.ndim]()
            batch = x, jnp.zeros((EXAMPLES, 2) if rows else EXAMPLES, int)
            grads = grads, by_hand(layer, loss)(params, batch, keys)[1]
            optimizer = optax.adam(1e-3)
            updates, _ = optimizer.update(grads[1], optimizer.init(params))
            grads = optax.apply_updates(params, updates)
        return grads

    with jax.numpy_rank_promotion("raise"):  # which raises where a rank is promoted
        traced = jax.eval_shape(passes, jax.random.key(0), case_input(case))
    assert isinstance(traced, tuple)


def test_the_reader_promotes_no_rank():
    logp, automaton = jnp.zeros((2, 6, 11)), make_format("amount:7-120").automaton
    with jax.numpy_rank_promotion("raise"):
        for f in (search, marginals, log_partition, best_alignment):
            traced = jax.eval_shape(lambda p, f=f: f(p, automaton), logp)
            assert all(leaf.shape[0] == 2 for leaf in jax.tree.leaves(traced))


def test_training_promotes_no_rank():
    train, valid = digits()
    recipe = Recipe(partial(mlp, hidden=(4,)), optax.sgd(0.1), epochs=1, batch=8)
    with jax.numpy_rank_promotion("raise"):
        fitted = fit(recipe, train[:8], valid[:8], jax.random.key(0))
    assert fitted.best_epoch == 1


def watched(network, tracers):
    """`network`, which notes whether its input has values to look at."""

    def forward(params, x, key):
        tracers.append(isinstance(x, Tracer))
        return network.forward(params, x, key)

    return network._replace(forward=forward)


def test_a_debugger_steps_through_a_check():
    few, tracers = Differences(directions=1, coordinates=1), []
    with jax.disable_jit():
        check(watched(relu(), tracers), (), np.ones(2), differences=few).raise_if_bad()
    assert not all(tracers)


def test_a_debugger_steps_through_a_training():
    data, tracers = digits()[0][:4], []
    build = lambda **options: watched(mlp(hidden=(2,), **options), tracers)
    with jax.disable_jit():
        fit(Recipe(build, optax.sgd(0.1), epochs=1, batch=4), data, data, jax.random.key(0))
    assert not all(tracers)
