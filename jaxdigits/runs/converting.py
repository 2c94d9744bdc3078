"""A run of rectifiers as a run of spikes."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.convert import convert
from jaxdigits.data import Dataset
from jaxdigits.errors import RunError
from jaxdigits.runs.answer import members_of, predict
from jaxdigits.runs.folder import Run
from jaxdigits.runs.rounding import without_rounding

PERCENTILES = (97.0, 99.0, 99.9, 100.0)
UNITS = 1000  # training images whose activations give the units


def spiking_run(run: Run, steps: int, train: Dataset, valid: Dataset) -> tuple[Run, float]:
    """Return a run with integrate-and-fire neurons for rectifiers, and its percentile.

    The percentile of activations that is a neuron's unit has the best accuracy on `valid`.
    The new run has no doubt yet.

    Args:
      steps: time steps.
      train: the data whose first images give the units.

    Raises:
      RunError: for a run that has spikes already.
      ValueError: for a network that has no spiking form, with the name of its layer.
    """
    if run.config.spiking_steps is not None:
        raise RunError(f"the run has spikes already, {run.config.spiking_steps} steps of them")
    run = without_rounding(run)
    options = {k: None if k == "norm" else v for k, v in run.config.options.items()}
    config = replace(run.config, options=options, spiking_steps=steps)
    count = np.arange(min(UNITS, len(train)))
    image = np.asarray(
        train.inputs.take(count, jax.random.split(jax.random.key(0), len(count)))
    )
    runs = {p: Run(config, _converted(run, image, p), ()) for p in PERCENTILES}
    accuracy = {p: _accuracy(new, valid) for p, new in runs.items()}
    best = max(accuracy, key=accuracy.__getitem__)
    return runs[best], best


def _converted(run: Run, image: np.ndarray, percentile: float) -> Any:
    """Return the params of each of the run's networks, of several with a leading axis."""
    build, params = run.config.build(), []
    for own, statistics, _ in members_of(run):
        rest = {"statistics": statistics} if statistics else {}
        network = build(training=False, **rest)
        params.append(convert(network, own, image, percentile=percentile))
    if run.config.seeds == 1:
        return params[0]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)


def _accuracy(run: Run, data: Dataset) -> float:
    return float((predict(run, data.inputs).argmax(-1) == np.asarray(data.label)).mean())
