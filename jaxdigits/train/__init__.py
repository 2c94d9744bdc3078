"""Training: one network or a population, evaluation, many devices."""

from jaxdigits.errors import Diverged as Diverged
from jaxdigits.errors import DoesNotFit as DoesNotFit
from jaxdigits.train.epoch import Best as Best
from jaxdigits.train.epoch import Metrics as Metrics
from jaxdigits.train.epoch import run_epoch as run_epoch
from jaxdigits.train.epoch import train_step as train_step
from jaxdigits.train.evaluate import gather_statistics as gather_statistics
from jaxdigits.train.evaluate import logits_of as logits_of
from jaxdigits.train.fit import Fit as Fit
from jaxdigits.train.fit import fit as fit
from jaxdigits.train.members import Member as Member
from jaxdigits.train.optimizer import adamw as adamw
from jaxdigits.train.population import Population as Population
from jaxdigits.train.population import fit_population as fit_population
from jaxdigits.train.recipe import Recipe as Recipe
from jaxdigits.train.sharding import device_mesh as device_mesh
from jaxdigits.train.snapshot import Hooks as Hooks
from jaxdigits.train.snapshot import Snapshot as Snapshot
from jaxdigits.train.state import TrainState as TrainState
from jaxdigits.train.state import initial_state as initial_state
