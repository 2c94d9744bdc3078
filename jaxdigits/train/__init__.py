"""Training: one network or a population, evaluation, many devices."""

from jaxdigits.train.epoch import Best, Metrics, run_epoch, train_step
from jaxdigits.train.evaluate import gather_statistics, logits_of
from jaxdigits.train.fit import Diverged, Fit, fit
from jaxdigits.train.memory import DoesNotFit
from jaxdigits.train.optimizer import adamw
from jaxdigits.train.population import Population, fit_population
from jaxdigits.train.recipe import Recipe
from jaxdigits.train.sharding import device_mesh
from jaxdigits.train.snapshot import Hooks, Snapshot
from jaxdigits.train.state import TrainState, initial_state

__all__ = [
    "Best",
    "Diverged",
    "DoesNotFit",
    "Fit",
    "Hooks",
    "Metrics",
    "Population",
    "Recipe",
    "Snapshot",
    "TrainState",
    "adamw",
    "device_mesh",
    "fit",
    "fit_population",
    "gather_statistics",
    "initial_state",
    "logits_of",
    "run_epoch",
    "train_step",
]
