"""The host's loop of a training, the same for one network and for a population."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.layer import Layer, Params
from jaxdigits.train.epoch import before_first_epoch, run_epoch, run_updates
from jaxdigits.train.examples import check_examples
from jaxdigits.train.members import MemberOf, each_member, numbers_of, recipe_of, take_turns
from jaxdigits.train.memory import within_memory
from jaxdigits.train.optimizer import check_optimizer
from jaxdigits.train.recipe import Recipe
from jaxdigits.train.sharding import (
    by_member,
    each_its_share,
    everywhere,
    local_device_count,
    place,
)
from jaxdigits.train.snapshot import Hooks, Snapshot, resumed
from jaxdigits.train.state import initial_state
from jaxdigits.tree import named_leaves, require_same_leaves


def run(
    recipe: Recipe,
    train: Dataset,
    valid: Dataset,
    key: Array,
    hyperparameters: Any,
    hooks: Hooks,
    *,
    member: MemberOf | None = None,
    start: Params | None = None,
) -> Snapshot:
    """Train until the last epoch or the end of patience, and return the last snapshot.

    Args:
      key, hyperparameters, start: of one network; or of a population, with a leading axis [P].
      member: as for `fit_population`.

    Raises:
      ValueError: for data or params that do not fit the recipe, naming the argument.
    """
    for name, data in dict(train=train, valid=valid).items():
        if not isinstance(data, Dataset):
            raise ValueError(f"{name} must be a Dataset, got {type(data).__name__}")
    many = jnp.ndim(key) == 1
    hyper = numbers_of(hyperparameters, 0) if many else hyperparameters
    first = with_classes(recipe_of(recipe, member, hyper), train, valid)
    check_data(first, train, valid)
    params = features_of(first.build(training=True), train.inputs.shape)[0]
    check_optimizer(first.optimizer, params)  # pyright: ignore[reportArgumentType]
    if start is not None:
        check_start(start, params, len(key) if many else None)
    every = recipe.updates_per_save or len(train) // recipe.batch
    begin, chunk, finish = programs_of(recipe, train, valid, member, every=every, many=many)
    whole = everywhere(recipe.mesh)
    own = by_member(recipe.mesh) if many else whole
    train, valid = place((train, valid), whole)
    key, hyperparameters, start = place((key, hyperparameters, start), own)
    updates = len(train) // recipe.batch
    state, best = begin(hyperparameters, key, start, train)
    losses = np.zeros((*jnp.shape(state.step), 0), jnp.result_type(float))
    now = resumed(hooks, Snapshot(state, best, losses, ()), own, whole)
    while len(now.history) < recipe.epochs and not out_of_patience(now, recipe.patience):
        epoch, clock = len(now.history) + 1, time.perf_counter()
        while now.losses.shape[-1] + every < updates:
            state, losses = chunk(hyperparameters, now.state, train)
            losses = np.concatenate([now.losses, losses], -1)
            now = now._replace(state=state, losses=losses)
            hooks.save(now)
        so_far = hyperparameters, now.state, now.best, now.losses
        state, best, metrics = finish(*so_far, train, valid)
        lists = {name: np.asarray(value).tolist() for name, value in metrics._asdict().items()}
        row = {"epoch": epoch, **lists, "seconds": time.perf_counter() - clock}
        watched = hooks.watch(state)
        if taken := sorted(row.keys() & watched.keys()):
            raise ValueError(f"watch returned {taken[0]!r}, which each row has: rename it")
        history = (*now.history, {**row, **watched})
        hooks.report(history[-1])
        if (np.asarray(best.epoch) == epoch).any():
            hooks.keep(best.params, best.statistics)
        now = Snapshot(state, best, now.losses[..., :0], history)
        hooks.save(now)
    return now


class Programs(NamedTuple):
    """The programs of a training, each compiled at its first call.

    For a population every array but the data has a leading axis [P], the members.  The results
    of a member depend on its own row alone, so rows may be exchanged between two calls.
    """

    begin: Callable
    """(hyperparameters, key, start, train) -> (state, best), before the first epoch"""
    chunk: Callable
    """(hyperparameters, state, train) -> (state, losses [k]), after the next k updates; the
    state is donated"""
    finish: Callable
    """(hyperparameters, state, best, losses [k], train, valid) -> (state, best, metrics), the
    rest of the epoch whose first k updates had these losses; state and best are donated"""


def programs_of(
    recipe: Recipe,
    train: Dataset,
    valid: Dataset,
    member: MemberOf | None = None,
    *,
    every: int | None = None,
    many: bool = True,
) -> Programs:
    """Return the programs of a population, or of one network.

    Args:
      train, valid: the data that the programs are called with, for their classes.
      member: as for `fit_population`.
      every: updates of a chunk; None: an epoch.
      many: whether the programs are for a population.
    """
    mesh = recipe.mesh
    count = every or len(train) // recipe.batch

    def of(hyper: Any) -> Recipe:
        own = with_classes(recipe_of(recipe, member, hyper), train, valid)
        # The members of a population share the devices, so the examples of one member do not.
        return replace(own, mesh=None) if many else own

    def begin(hyper, key, start, train):
        state = initial_state(of(hyper), train.inputs.shape, key, start)
        return state, before_first_epoch(of(hyper), state, train)

    def chunk(hyper, state, train):
        return run_updates(of(hyper), count, state, train)

    def finish(hyper, state, best, losses, train, valid):
        return run_epoch(of(hyper), state, best, train, valid, losses)

    def of_all(f: Callable, data: int) -> Callable:
        if not many:
            return f

        def of_members(hyper: Any, *args: Any) -> Any:
            first = jax.tree.map(lambda leaf: leaf[0], hyper)
            turns = take_turns(recipe.members, of(first).build(training=True))
            return each_member(f, whole=data, turns=turns)(hyper, *args)

        return each_its_share(mesh, of_members, whole=data)

    # The best networks and the metrics are on every device, for whoever saves and reports them.
    own, whole = by_member(mesh) if many else everywhere(mesh), everywhere(mesh)
    jit = lambda f, *shardings, **options: jax.jit(f, out_shardings=shardings, **options)
    fitting = partial(within_memory, devices=local_device_count(mesh))
    return Programs(
        jit(of_all(begin, 1), own, whole),
        fitting(jit(of_all(chunk, 1), own, whole, donate_argnums=1)),
        fitting(jit(of_all(finish, 2), own, whole, whole, donate_argnums=(1, 2))),
    )


def out_of_patience(now: Snapshot, patience: int | None) -> bool:
    """Return whether the best epoch is `patience` epochs ago."""
    return patience is not None and len(now.history) - int(now.best.epoch) >= patience


def with_classes(recipe: Recipe, train: Dataset, valid: Dataset) -> Recipe:
    """Return the recipe with as many classes as the data have, unless its builder says."""
    bound = recipe.build.keywords if isinstance(recipe.build, partial) else {}
    if "classes" in bound or "classes" not in signature(recipe.build).parameters:
        return recipe
    classes = max(train.classes, valid.classes)
    return replace(recipe, build=partial(recipe.build, classes=classes))


def check_data(recipe: Recipe, train: Dataset, valid: Dataset) -> None:
    """Check the examples, their number, and that the network can tell the classes apart.

    Raises:
      ValueError: naming the argument.
    """
    if recipe.batch > len(train):
        raise ValueError(
            f"batch is {recipe.batch}, but there are {len(train)} training examples"
        )
    network = recipe.build(training=True)
    check_examples(network, train, valid)
    outputs = features_of(network, train.inputs.shape)[1][-1]
    for name, data in dict(train=train, valid=valid).items():
        if data.classes > outputs:
            raise ValueError(
                f"{name} has {data.classes} classes (labels up to {data.classes - 1}), "
                f"and the network has {outputs} outputs"
            )


def check_start(start: Params, template: Params, members: int | None) -> None:
    """Check that the params to start from are those of the network.

    Args:
      template: shapes and dtypes of one network's params.
      members: of the population, whose params have a leading axis of that length.

    Raises:
      ValueError: naming the first leaf that is missing, unexpected, or of another shape or
        dtype.
    """
    size = () if members is None else (members,)
    wide = lambda leaf: jax.ShapeDtypeStruct(size + leaf.shape, leaf.dtype)
    template = jax.tree.map(wide, template)
    require_same_leaves(start, template, "start")
    leaves = named_leaves(start)
    for name, leaf in named_leaves(template).items():
        if (dtype := jnp.result_type(leaves[name])) != leaf.dtype:
            raise ValueError(f"start: {name!r} is {dtype}, not {leaf.dtype}: convert it")


def features_of(network: Layer, shape: Any) -> tuple[Any, Any]:
    """Return the shapes of the params and the feature shape of the outputs, by tracing."""
    shapes = []

    def init(key):
        params, features = network.init(key, shape)
        shapes.append(features)
        return params

    return jax.eval_shape(init, jax.random.key(0)), shapes[0]
