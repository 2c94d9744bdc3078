"""The recipe of a training: everything but the data, the key and who is called on the way."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any, Literal, get_args

import optax
from jax.sharding import Mesh

from jaxdigits import checks
from jaxdigits.augment import Augment
from jaxdigits.gradients import Estimator, by_hand
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss, cross_entropy
from jaxdigits.options import Bounds, require_name, require_within
from jaxdigits.train.microbatch import check_microbatch

Members = Literal["together", "in turn"]
Build = Callable[..., Layer]  # (training=..., statistics=...) -> Layer, as the builders are
CROSS_ENTROPY = cross_entropy()


@dataclass(frozen=True)
class Recipe:
    """How networks are trained.

    Raises:
      ValueError: for a value that does not fit, naming it.
    """

    build: Build
    """a builder, such as `mlp` or `partial(snn, steps=50)`, called with `training` and
    `statistics` only"""
    optimizer: optax.GradientTransformation | Callable[[Any], optax.GradientTransformation]
    """any optax optimizer, its schedule in updates: `len(train) // batch` an epoch; for a
    population a function of a member's hyperparameters, as
    `lambda h: optax.adam(h["learning_rate"])`, called on traced scalars (`Member` has more)"""
    _: KW_ONLY
    epochs: int
    """the most to train"""
    batch: int = 128
    """examples of an update"""
    loss: Loss = CROSS_ENTROPY
    estimator: Callable[[Layer, Loss], Estimator] = by_hand
    """makes the gradient from (network, loss): `by_hand`, `by_autodiff` or a learning rule"""
    ema: float | None = None
    """decay of a moving average of the params, which is then validated and returned"""
    microbatch: int | None = None
    """examples taken at a time, for the same gradient in less memory; a divisor of `batch`.
    None: all, or on a CPU as many as stay in its cache"""
    augment: Augment | None = None
    """makes other inputs in each update, as a member of `jaxdigits.augment.AUGMENTS` does;
    bytes stay bytes"""
    patience: int | None = None
    """stop after this many epochs without a better one: a higher validation accuracy, or the
    same at a lower loss; for one network"""
    updates_per_save: int | None = None
    """save within an epoch too, after each this many updates, which then are one program"""
    members: Members | None = None
    """whether the members of a population are computed together, by `jax.vmap`, or in turn;
    None: together, but on a CPU in turn for convolutions and event-driven neurons"""
    mesh: Mesh | None = None
    """the devices that share the examples of a batch, or the members of a population, as
    `device_mesh(4)`; None: one"""

    def __post_init__(self):
        if isinstance(self.build, Layer):
            raise ValueError(
                "build must be a builder, as in Recipe(mlp, ...) or partial(mlp, hidden=(8,)), "
                "got a Layer"
            )
        if not isinstance(self.loss, Loss):
            name = getattr(self.loss, "__name__", repr(self.loss))
            raise ValueError(f"loss must be a Loss, got {name}: call it, as in cross_entropy()")
        for name in ("epochs", "batch", "patience", "updates_per_save", "microbatch"):
            value = getattr(self, name)
            if value is None and name not in ("epochs", "batch"):
                continue
            require_within(name, Annotated[int, Bounds(1)], value)
        for name in ("build", "estimator", "augment"):
            value = getattr(self, name)
            if not callable(value) and not (value is None and name == "augment"):
                raise ValueError(f"{name} must be a function, got {value!r}")
        require_name("members", (None, *get_args(Members)), self.members)
        if self.ema is not None and checks.known(self.ema) and not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), got {self.ema}")
        check_microbatch(self.microbatch, self.batch)


def optimizer_of(recipe: Recipe) -> optax.GradientTransformation:
    """Return the optimizer of a recipe for one network.

    Raises:
      ValueError: for a function that would make it, such as `optax.adam` that is not called.
    """
    optimizer = recipe.optimizer
    if isinstance(optimizer, optax.GradientTransformation):
        return optimizer
    name = getattr(optimizer, "__name__", repr(optimizer))
    raise ValueError(
        f"optimizer must be an optax optimizer, got {name}: call it, as in optax.adam(1e-3)"
    )
