"""The optimizer of the command line: AdamW with a warm-up and a cosine to zero."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

WARMUP = 0.05  # of all steps; the first Adam steps have the least to go by


def adamw(
    learning_rate: float | Array, steps: int, *, weight_decay: float | Array = 1e-4
) -> optax.GradientTransformation:
    """AdamW [1] whose rate rises to `learning_rate` and falls along a cosine to 0 at `steps`.

    Weights (arrays of two axes or more) decay; biases, scales and time constants do not.
    Both numbers may be traced, so one per member of a population.

    [1] Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101.

    Raises:
      ValueError: unless steps >= 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be >= 1, got {steps}")
    shape = optax.warmup_cosine_decay_schedule(0.0, 1.0, max(1, int(WARMUP * steps)), steps + 1)
    is_weight = lambda params: jax.tree.map(lambda p: jnp.ndim(p) > 1, params)
    return optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay, is_weight),
        optax.scale_by_schedule(lambda count: -learning_rate * shape(count + 1)),
    )
