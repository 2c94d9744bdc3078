"""Training: one network or a population, evaluation, and runs on disk."""

from jaxdigits.train.config import Config, config_for
from jaxdigits.train.epoch import Best, Metrics, Recipe, run_epoch, train_step
from jaxdigits.train.evaluate import gather_statistics, logits_of
from jaxdigits.train.fit import Diverged, Fit, fit
from jaxdigits.train.job import (
    Outcome,
    Stopped,
    finish_run,
    fit_one,
    predict,
    predictor,
    run_job,
    validation_split,
)
from jaxdigits.train.memory import DoesNotFit
from jaxdigits.train.optimizer import adamw
from jaxdigits.train.population import Population, fit_population
from jaxdigits.train.run import Run, RunError, load_run
from jaxdigits.train.sharding import device_mesh
from jaxdigits.train.snapshot import Snapshot
from jaxdigits.train.state import TrainState, initial_state

__all__ = [
    "Best",
    "Config",
    "Diverged",
    "DoesNotFit",
    "Fit",
    "Metrics",
    "Outcome",
    "Population",
    "Recipe",
    "Run",
    "RunError",
    "Snapshot",
    "Stopped",
    "TrainState",
    "adamw",
    "config_for",
    "device_mesh",
    "finish_run",
    "fit",
    "fit_one",
    "fit_population",
    "gather_statistics",
    "initial_state",
    "load_run",
    "logits_of",
    "predict",
    "predictor",
    "run_epoch",
    "run_job",
    "train_step",
    "validation_split",
]
