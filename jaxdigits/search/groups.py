"""Groups: trials whose configurations differ in traced numbers alone share a compiled program.

The static part of a trial's settings (network, widths, steps, batch) decides the program.  The
numbers of `TRACED` are its arguments, one for each lane.  Nothing is masked: a masked width
would cost the widest, and would not be the network of its own run.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data.own_facts import Own
from jaxdigits.gradients import ESTIMATORS
from jaxdigits.losses import cross_entropy
from jaxdigits.runs.config import Config
from jaxdigits.runs.job import recipe_for
from jaxdigits.runs.usual import config_for
from jaxdigits.search.cube import nearest, value_at
from jaxdigits.search.proposals import static_points
from jaxdigits.search.space import Choice, Entry, Real, Space, free, is_active
from jaxdigits.train.optimizer import adamw
from jaxdigits.train.recipe import Recipe

TRACED = (
    "learning_rate", "weight_decay", "smoothing", "ema", "dropout_rate", "decay", "threshold",
)  # fmt: skip
"""settings that may differ between the lanes of one program; all others are static"""
ABSENT: Mapping[str, Any] = dict(
    adversarial=0.0, input_dropout=0.0, input_noise=0.0, hidden_noise=0.0, rate_penalty=0.0
)
"""the value of a setting without which a network has a layer less"""
MOST_GROUPS = 64
FIELDS = tuple(field.name for field in fields(Config))
Settings = dict[str, Any]


class Facts(NamedTuple):
    """The part of all configurations that a search does not choose."""

    data: str
    own: Own | None
    epochs: int
    """of the longest trial"""


class Group(NamedTuple):
    """The static part of some trials."""

    config: Config
    """with the usual values of the traced numbers"""
    static: Settings
    names: tuple[str, ...]
    """traced entries of the space that are active: the axes of its proposals"""


def bare(name: str) -> str:
    """Return the name of an option, without the network of an entry such as `snn.hidden`."""
    return name.rpartition(".")[2]


def config_of(settings: Mapping[str, Any], facts: Facts, seed: int = 0) -> Config:
    """Return the configuration of a trial.

    Raises:
      ValueError: as `config_for`, naming the option.
    """
    values = {bare(name): value for name, value in settings.items()}
    options = {name: values.pop(name) for name in list(values) if name not in FIELDS}
    network = values.pop("network")
    rest = dict(own=facts.own, epochs=facts.epochs, seed=seed, options=options)
    return config_for(network, facts.data, **rest | values)


def trial_seed(*place: int) -> int:
    """Return the seed of a run, below 2³², from whole numbers that name its place."""
    return int(np.random.SeedSequence(place).generate_state(1)[0])


def default_settings(space: Space, facts: Facts) -> list[Settings]:
    """Return the hand-tuned settings of each network of the space.

    A fixed value stays; a range or a choice has the network's own default, or the nearest
    value that it has.
    """
    entry = space.entries["network"]
    networks = entry.values if isinstance(entry, Choice) else (entry,)
    return [_defaults(space, facts, network) for network in networks]


def _defaults(space: Space, facts: Facts, network: str) -> Settings:
    settings: Settings = {"network": network}
    entries = [(n, e) for n, e in space.entries.items() if n != "network"]
    for name, entry in entries:
        if not isinstance(entry, Entry) and is_active(entry, settings):
            settings[name] = entry
    usual = config_of(settings, facts)
    for name, entry in entries:
        if isinstance(entry, Entry) and is_active(entry, settings):
            settings[name] = nearest(entry, value_of(usual, name))
    return settings


def value_of(config: Config, name: str) -> Any:
    """Return the value of a configuration's field, or of its network's option."""
    name = bare(name)
    return getattr(config, name) if name in FIELDS else config.options[name]


def is_traced(space: Space, name: str) -> bool:
    """Return whether an entry is a range of a number that may be traced.

    A learning rule builds its own chain of layers, whose options are static.
    """
    by_rule = space.entries.get("gradient", "by_hand") not in ESTIMATORS
    entry = space.entries[name]
    number = bare(name) in TRACED and isinstance(entry, Real) and not entry.whole
    return number and (bare(name) in FIELDS or not by_rule)


def all_groups(space: Space, facts: Facts, seed: int) -> list[Settings]:
    """Return the static settings of each group: first the defaults, then Sobol points."""
    names = [name for name in free(space) if not is_traced(space, name)]
    groups: list[Settings] = []
    usual = [{n: s[n] for n in names if n in s} for s in default_settings(space, facts)]
    for settings in [*usual, *static_points(space, names, MOST_GROUPS, seed)]:
        if settings not in groups:
            groups.append(settings)
    return groups


def group_of(space: Space, static: Mapping[str, Any], facts: Facts) -> Group:
    """Return the group of some static settings."""
    settings, names = {}, []
    for name, entry in space.entries.items():
        if name in static:
            settings[name] = static[name]
        elif is_active(entry, settings) and not isinstance(entry, Entry):
            settings[name] = entry
        elif is_active(entry, settings) and is_traced(space, name):
            names.append(name)
    return Group(config_of(settings, facts), settings, tuple(names))


def settings_in(space: Space, group: Group, point: Mapping[str, float]) -> Settings:
    """Return the settings of a trial: those of its group, and its traced numbers."""
    return group.static | {n: value_at(space.entries[n], point[n]) for n in group.names}


def hyper_of(group: Group, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a trial that the group's program takes as arguments."""
    own = {bare(name): value for name, value in settings.items()}
    names = ("learning_rate", "weight_decay", *map(bare, group.names))
    return {name: float(own.get(name, value_of(group.config, name))) for name in names}


def member_of(config: Config, examples: int) -> Callable[[Mapping[str, Any]], Recipe]:
    """Return the recipe of a lane, a function of its traced numbers.

    Args:
      examples: of the training set.
    """
    updates = config.epochs * (examples // config.batch)
    usual = dict(learning_rate=config.learning_rate, weight_decay=config.weight_decay)

    def member(hyper: Mapping[str, Any]) -> Recipe:
        rates = {name: hyper.get(name, value) for name, value in usual.items()}
        rate, decay = rates["learning_rate"], rates["weight_decay"]
        optimizer = adamw(rate, updates, weight_decay=decay, schedule=config.schedule)
        recipe = recipe_for(config, optimizer)
        changes: dict[str, Any] = {"ema": hyper["ema"]} if "ema" in hyper else {}
        if "smoothing" in hyper:
            changes["loss"] = cross_entropy(hyper["smoothing"])
        if options := {n: v for n, v in hyper.items() if n not in FIELDS}:
            changes["build"] = partial(recipe.build, **options)
        return replace(recipe, **changes) if changes else recipe

    return member
