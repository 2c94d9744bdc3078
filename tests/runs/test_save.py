"""A network that `fit` trained is a run that other commands read."""

from functools import partial

import jax
import numpy as np
import optax
import pytest

from jaxdigits.data import facts_of
from jaxdigits.models import mlp
from jaxdigits.runs import RunError, config_for, load_run, predict, save_run
from jaxdigits.train import Recipe, fit, logits_of


def test_a_fitted_network_is_a_run(small, tmp_path):
    build = partial(mlp, hidden=(4,), norm="batch", dropout_rate=0.0)
    fitted = fit(Recipe(build, optax.adam(0.01), epochs=1, batch=64), *small, jax.random.key(0))
    names = [f"digit {i}" for i in range(10)]
    config = config_for(
        "mlp", "my digits", own=facts_of(small[0], names),
        options=dict(hidden=(4,), norm="batch", dropout_rate=0.0),
    )  # fmt: skip
    save_run(fitted, config, tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert (run.config, run.config.names) == (config, tuple(names))
    network = build(training=False, statistics=fitted.statistics)
    logits, _ = logits_of(network, fitted.params, small[1].inputs, jax.random.key(0))
    np.testing.assert_allclose(predict(run, small[1].inputs)[0], logits, atol=1e-5)
    with pytest.raises(RunError, match="is not empty"):
        save_run(fitted, config, tmp_path / "run")
    other = config_for("mlp", options=dict(hidden=(5,), norm="batch"))
    with pytest.raises(ValueError, match=r"fitted must be a network of config, mlp of .*shape"):
        save_run(fitted, other, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="config must be of one network, got 2 seeds"):
        save_run(fitted, config_for("mlp", seeds=2), tmp_path / "other")
