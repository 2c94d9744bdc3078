"""Runs on disk: configurations, the main job, run folders and checkpoints."""

from jaxdigits.errors import RunError as RunError
from jaxdigits.runs.answer import predict as predict
from jaxdigits.runs.answer import predictor as predictor
from jaxdigits.runs.config import Config as Config
from jaxdigits.runs.folder import Run as Run
from jaxdigits.runs.folder import load_run as load_run
from jaxdigits.runs.job import Checkpointing as Checkpointing
from jaxdigits.runs.job import Outcome as Outcome
from jaxdigits.runs.job import Stopped as Stopped
from jaxdigits.runs.job import finish_run as finish_run
from jaxdigits.runs.job import fit_one as fit_one
from jaxdigits.runs.job import run_job as run_job
from jaxdigits.runs.job import validation_split as validation_split
from jaxdigits.runs.rounding import rounded_run as rounded_run
from jaxdigits.runs.save import save_run as save_run
from jaxdigits.runs.start import config_from as config_from
from jaxdigits.runs.usual import config_for as config_for
