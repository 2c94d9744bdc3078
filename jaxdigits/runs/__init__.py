"""Runs on disk: configurations, the main job, run folders and checkpoints."""

from jaxdigits.runs.config import Config, config_for
from jaxdigits.runs.folder import Run, RunError, load_run
from jaxdigits.runs.job import (
    Outcome,
    Stopped,
    finish_run,
    fit_one,
    predict,
    predictor,
    run_job,
    validation_split,
)

__all__ = [
    "Config",
    "Outcome",
    "Run",
    "RunError",
    "Stopped",
    "config_for",
    "finish_run",
    "fit_one",
    "load_run",
    "predict",
    "predictor",
    "run_job",
    "validation_split",
]
