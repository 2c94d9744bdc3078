"""The members of a population: their recipes, and whether they are computed together.

A member's recipe is a function of its hyperparameters, which are traced scalars: one program
serves all members.  Which layers there are, and all sizes, are the same for all.

`jax.vmap` computes all members together.  On a CPU convolutions, each with a kernel of its own,
and event-driven neurons take longer together, so members of such networks take turns.
`experiments/members.json` has both times of each network.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax import Array

from jaxdigits.about import constructors_in
from jaxdigits.augment import Augment
from jaxdigits.fast.switch import platform
from jaxdigits.gradients import Estimator
from jaxdigits.layer import Layer
from jaxdigits.layers import conv2d
from jaxdigits.losses import Loss
from jaxdigits.spikes import event_dense, event_lif
from jaxdigits.train.recipe import Build, Members, Recipe

SLOW_TOGETHER = (conv2d, event_lif, event_dense)  # on a CPU


class Member(NamedTuple):
    """The parts of a recipe that are a member's own; None: that of the recipe.

    Their numbers may be hyperparameters, as `Member(partial(mlp, dropout_rate=h["rate"]))`.
    """

    build: Build | None = None
    loss: Loss | None = None
    optimizer: optax.GradientTransformation | None = None
    ema: float | Array | None = None
    """decay of the average; only where the recipe has an average, too"""
    estimator: Callable[[Layer, Loss], Estimator] | None = None
    augment: Augment | None = None


MemberOf = Callable[[Any], Member]


def recipe_of(recipe: Recipe, member: MemberOf | None, hyper: Any) -> Recipe:
    """Return the recipe of a member with these hyperparameters.

    An optimizer that is a function is called with them.

    Args:
      member: the member's own parts, from its hyperparameters; None: the optimizer alone.

    Raises:
      ValueError: if `member` returns no `Member`, or an average that the recipe has not.
    """
    own = Member() if member is None else member(hyper)
    if not isinstance(own, Member):
        raise ValueError(f"member must return a Member, got {type(own).__name__}")
    if own.ema is not None and recipe.ema is None:
        raise ValueError("ema of a member needs a recipe with ema: pass any, as ema=0.99")
    parts: dict[str, Any] = {k: v for k, v in own._asdict().items() if v is not None}
    optimizer = parts.get("optimizer", recipe.optimizer)
    if callable(optimizer):
        optimizer = optimizer(hyper)
    return replace(recipe, **parts | {"optimizer": optimizer})


def numbers_of(hyperparameters: Any, i: int) -> Any:
    """Return the hyperparameters of member i, as plain numbers."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[i].item(), hyperparameters)


def check_members_apart(of: Callable[[Any], Recipe], hyperparameters: Any, count: int) -> None:
    """Build each member with its plain numbers, which a program for all cannot check.

    Args:
      of: hyperparameters of one member -> its recipe.
      hyperparameters: a pytree of arrays [count].

    Raises:
      ValueError: naming the member, for a number out of range, or one that means "absent", so
        the member has other layers.
    """
    traced: list[Any] = []

    def build(hyper: Any) -> list[Any]:
        return list(constructors_in(of(hyper).build(training=True).about))

    first = jax.tree.map(lambda leaf: np.asarray(leaf)[0], hyperparameters)
    jax.eval_shape(lambda hyper: traced.extend(build(hyper)), first)
    for i in range(count):
        try:
            layers = build(numbers_of(hyperparameters, i))
        except ValueError as error:
            raise ValueError(f"hyperparameters of member {i}: {error}") from error
        if layers != traced:
            raise ValueError(
                f"hyperparameters of member {i} have a number that means 'absent', as 0 does: "
                "train without that layer in a population of its own"
            )


def take_turns(members: Members | None, network: Layer) -> bool:
    """Return whether the members of a population of that network are computed in turn.

    Args:
      members: the field of the recipe.
    """
    if members is not None:
        return members == "in turn"
    slow = any(make in SLOW_TOGETHER for make in constructors_in(network.about))
    return slow and platform() == "cpu"


def each_member(f: Callable, *, whole: int, turns: bool) -> Callable:
    """Return `f` for all members: its arguments and results have a leading axis [P].

    Args:
      whole: the last arguments that are the same for all members.
      turns: whether one member is computed after another.
    """

    def together(*args: Any) -> Any:
        return jax.vmap(f, (0,) * (len(args) - whole) + (None,) * whole)(*args)

    def in_turn(*args: Any) -> Any:
        own, shared = args[: len(args) - whole], args[len(args) - whole :]
        return jax.lax.map(lambda own: f(*own, *shared), own)

    return in_turn if turns else together
