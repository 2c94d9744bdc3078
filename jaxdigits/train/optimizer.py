"""The optimizer of the command line, AdamW with a schedule; and calls of any optimizer."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

WARMUP = 0.05  # of all updates; the first Adam updates rest on the fewest gradients


def _cosine(updates: int) -> optax.Schedule:
    warmup = max(1, int(WARMUP * updates))
    return optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup, updates + 1)


def _one_cycle(updates: int) -> optax.Schedule:
    # With one or two updates none is left for the rise, and the cycle would divide by it.
    return optax.cosine_onecycle_schedule(max(4, updates + 1), 1.0)


SCHEDULES: dict[str, Callable[[int], optax.Schedule]] = {
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "constant": lambda updates: optax.constant_schedule(1.0),
}
"""Learning rates by name, as a share of the peak, from the number of updates: a short warm-up
and a cosine to 0; a rise from 1/25 over three tenths of the updates, and a fall to 1/10,000 of
that, along cosines (Smith & Topin 2018, arXiv:1708.07120); always the peak."""


def adamw(
    learning_rate: float | Array,
    updates: int,
    *,
    weight_decay: float | Array = 1e-4,
    schedule: str = "cosine",
) -> optax.GradientTransformation:
    """AdamW [1] with the peak rate `learning_rate`, for that many updates.

    `schedule` is a name of `SCHEDULES`.

    Weights (arrays of two axes or more) decay; biases, scales and time constants do not.
    Both numbers may be traced, so one per member of a population.

    [1] Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101.

    Raises:
      ValueError: unless updates >= 1, and for an unknown schedule.
    """
    if updates < 1:
        raise ValueError(f"updates must be >= 1, got {updates}")
    if schedule not in SCHEDULES:
        known = ", ".join(SCHEDULES)
        raise ValueError(f"unknown schedule {schedule!r}: choose from {known}")
    shape = SCHEDULES[schedule](updates)
    is_weight = lambda params: jax.tree.map(lambda p: jnp.ndim(p) > 1, params)
    return optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay, is_weight),
        optax.scale_by_schedule(lambda count: -learning_rate * shape(count + 1)),
    )


def update_with_loss(
    optimizer: optax.GradientTransformation, grads: Any, state: Any, params: Any, loss: Array
) -> tuple[Any, Any]:
    """Return (updates, state) of any optax optimizer; those that take the loss get it.

    Args:
      loss: [] as optax's extra argument `value`, for `reduce_on_plateau` and `polyak_sgd`.
    """
    optimizer = optax.with_extra_args_support(optimizer)
    kinds = signature(optimizer.update).parameters
    takes = "value" in kinds or any(p.kind is p.VAR_KEYWORD for p in kinds.values())
    extra = {"value": loss} if takes else {}
    return optimizer.update(grads, state, params, **extra)


def check_optimizer(optimizer: optax.GradientTransformation, params: Any) -> None:
    """Check that an optimizer works with gradients, params and the loss alone, by tracing.

    Args:
      params: the shapes of the params.

    Raises:
      ValueError: naming the cure, for an optimizer that needs more, or params of its own.
    """

    def update(params):
        loss = jnp.zeros((), jnp.result_type(float))
        return update_with_loss(optimizer, params, optimizer.init(params), params, loss)

    try:
        jax.eval_shape(update, params)
    except (TypeError, AttributeError) as error:
        reason = " ".join(str(error).split()).replace("<locals>.", "")
        raise ValueError(
            "optimizer must work with gradients, params and the loss alone, which lbfgs, line "
            f"searches and lookahead do not ({reason}): take another, as optax.adam(1e-3)"
        ) from error
