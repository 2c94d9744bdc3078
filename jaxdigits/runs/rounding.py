"""A run with weights of a few bits, made from a run that was trained in floats."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxdigits.errors import RunError
from jaxdigits.quantise import rounded
from jaxdigits.runs.answer import members_of
from jaxdigits.runs.folder import Run
from jaxdigits.train.evaluate import gather_statistics


def rounded_run(run: Run, bits: int, inputs: Any) -> Run:
    """Return a run with weights rounded to `bits` bits per neuron; biases stay floats.

    Batch norms remember the statistics of the rounded network.  The new run has no doubt yet.

    Args:
      bits: 1 to 8; also in the configuration of the new run.
      inputs: of the training set, for these statistics.

    Raises:
      RunError: for a run whose weights have few bits already.
      ValueError: for another number of bits.
    """
    if run.config.bits is not None:
        text = f"the run has weights of {run.config.bits} bits already"
        raise RunError(f"{text}: round a run that was trained without --bits")
    config = replace(run.config, bits=bits)
    network = config.build()(training=True)

    @jax.jit
    def round_member(params, key, inputs):
        params = rounded(params, bits)
        if not run.statistics:
            return params, ()
        return params, gather_statistics(network, params, inputs, key)

    members = [round_member(params, key, inputs) for params, _, key in members_of(run)]
    return Run(config, *_together(members))


def without_rounding(run: Run) -> Run:
    """Return a run of few bits with its rounded weights as floats; another run as it is."""
    if (bits := run.config.bits) is None:
        return run
    params = [rounded(params, bits) for params, _, _ in members_of(run)]
    return run._replace(config=replace(run.config, bits=None), params=_together(params))


def _together(members: list[Any]) -> Any:
    """Return one network's arrays as they are, those of several with a leading axis."""
    if len(members) == 1:
        return members[0]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
