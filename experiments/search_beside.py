"""Searches by several programs, side by side: the same space, data and compiled networks.

    python experiments/search_beside.py ours|elites|tpe|optuna|asha MINUTES SEED

Ours halves brackets in step, of Sobol points, of points of which half are near the best trials
(`--sampler elites`), or of TPE's proposals (`--sampler tpe`); Optuna proposes by TPE and halves
by Hyperband, one trial after another; Ray Tune halves random trials asynchronously (ASHA), one
at a time on one core.  The space is that of the MLP's numbers: with a choice of widths ours
would compile more often, and the other two know no groups.  All begin with the hand-tuned
numbers, judge a trial after 1, 3 and 9 epochs, and let a third go on, ours at least eight.  The
clock starts with the first step of training: starts and data are not in it, compiling is.

    pip install "ray[tune]" optuna
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from jaxdigits.data import mnist
from jaxdigits.fast.flags import set_flags
from jaxdigits.search import Space
from jaxdigits.search.defaults import space_entries
from jaxdigits.search.groups import Facts, hyper_of, trial_seed
from jaxdigits.search.halving import FACTOR
from jaxdigits.search.lanes import Task, train_tasks, usual_width
from jaxdigits.search.protocol import extend
from jaxdigits.search.records import member_epochs
from jaxdigits.search.space import Choice
from jaxdigits.search.work import Hooks, Plan, Work, lanes_of

IMAGES, RUNGS = 10_000, (1, 3, 9)  # of MNIST to train on; epochs after which trials are judged
USUAL = dict(network="mlp", hidden=(256,), norm="batch", batch=128, ema=0.97)
START = 60  # seconds for Ray to start in


class Curve:
    """The best validation accuracy by the seconds since the first step."""

    def __init__(self, minutes: float):
        self.start, self.minutes = time.time(), minutes
        self.epochs, self.trials, self.points = 0, set(), [[0.0, 0.0]]

    def add(self, trial: int, accuracy: float, epochs: int) -> None:
        """Add a trial's accuracy after so many more epochs, if it comes in time."""
        if self.seconds() > 60 * self.minutes:
            return
        self.epochs += epochs
        self.trials.add(trial)
        if accuracy > self.points[-1][1]:
            self.points.append([round(self.seconds(), 2), round(accuracy, 5)])

    def seconds(self) -> float:
        """Return the seconds since the first step."""
        return time.time() - self.start

    def result(self) -> dict[str, Any]:
        """Return the numbers of trials and epochs, and the points where the best rose."""
        return dict(trials=len(self.trials), epochs=self.epochs, curve=self.points[1:])


def shared_work(width: int, seed: int, sampler: str = "sobol") -> Work:
    """Return the work of all three: MNIST's first images, and 5,000 others to choose by."""
    train, _ = mnist()
    ranges = {n: e for n, e in space_entries("mlp", 1e-3).items() if not isinstance(e, Choice)}
    space = Space(**{**ranges, **USUAL})
    facts = Facts("mnist", None, RUNGS[-1])
    plan = Plan(space, facts, seed, sampler=sampler, width=width)
    return Work(plan, train[:IMAGES], train[-5000:])


def ours(minutes: float, seed: int, sampler: str = "sobol") -> dict[str, Any]:
    """Search as `jaxdigits search` does."""
    work, records = shared_work(usual_width(), seed, sampler), []
    curve = Curve(minutes)

    def append(record: dict[str, Any]) -> None:
        if "rung" not in record:
            return
        each = (member_epochs(records) - curve.epochs) // len(record["trials"])
        for trial, accuracy in zip(record["trials"], record["accuracy"], strict=True):
            curve.add(trial, accuracy, each)

    may_start = lambda epochs, seconds: curve.seconds() + seconds < 60 * minutes
    extend(work, records, {}, Hooks(append=append, may_start=may_start))
    return curve.result()


def one_trial(work: Work) -> Callable[[int, dict[str, float], dict, int], float]:
    """Return a function (number, values, pool, epochs) that trains a trial on."""
    own, lanes = lanes_of(work, 0)

    def step(number: int, values: dict[str, float], pool: dict, epochs: int) -> float:
        seed = trial_seed(work.plan.seed, number)
        task = Task(0, seed, hyper_of(own, own.static | values), epochs)
        return train_tasks(lanes, [task], pool, work.train, work.valid)[0].accuracy

    return step


def ranges_of(work: Work) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the ranges of the numbers, and their hand-tuned values."""
    names = lanes_of(work, 0)[0].names
    return {n: work.plan.space.entries[n] for n in names}, {n: work.usual[0][n] for n in names}


def optuna(minutes: float, seed: int) -> dict[str, Any]:
    """Search by Optuna: TPE and Hyperband."""
    import optuna as library

    work = shared_work(1, seed)
    step, (ranges, usual) = one_trial(work), ranges_of(work)
    pruner = library.pruners.HyperbandPruner(
        min_resource=RUNGS[0], max_resource=RUNGS[-1], reduction_factor=FACTOR
    )
    sampler = library.samplers.TPESampler(seed=seed)
    study = library.create_study(
        study_name=f"mlp-{seed}", direction="maximize", sampler=sampler, pruner=pruner
    )
    study.enqueue_trial(usual)
    curve = Curve(minutes)

    def objective(trial: Any) -> float:
        values = {
            name: trial.suggest_float(name, entry.low, entry.high, log=entry.log)
            for name, entry in ranges.items()
        }
        pool, accuracy = {}, 0.0
        for before, epochs in pairwise((0, *RUNGS)):
            accuracy = step(trial.number, values, pool, epochs - before)
            trial.report(accuracy, epochs)
            curve.add(trial.number, accuracy, epochs - before)
            if trial.should_prune():
                raise library.TrialPruned
        return accuracy

    study.optimize(objective, timeout=60 * minutes)
    return curve.result()


def trainable(seed: int) -> type:
    """Return the class of a trial of Ray Tune; Ray has one process, and so one compilation."""
    from ray import tune  # pyright: ignore[reportMissingImports]

    class Trained(tune.Trainable):
        def setup(self, config):
            self.step_on = one_trial(shared_work(1, seed))
            self.reset_config(config)

        def reset_config(self, new_config):
            self.values, self.pool, self.rungs = dict(new_config), {}, pairwise((0, *RUNGS))
            self.number = self.values.pop("number")
            return True

        def step(self):
            began, (before, epochs) = time.time(), next(self.rungs)
            accuracy = self.step_on(self.number, self.values, self.pool, epochs - before)
            return dict(
                accuracy=accuracy, epochs=epochs, more=epochs - before, began=began,
                number=self.number,
            )  # fmt: skip

        def save_checkpoint(self, checkpoint_dir):
            return {}

        def load_checkpoint(self, checkpoint):
            pass

    return Trained


def asha(minutes: float, seed: int) -> dict[str, Any]:
    """Search by Ray Tune: random trials, halved asynchronously, one at a time."""
    import ray  # pyright: ignore[reportMissingImports]
    from ray import tune  # pyright: ignore[reportMissingImports]
    from ray.tune.schedulers import ASHAScheduler  # pyright: ignore[reportMissingImports]
    from ray.tune.search.basic_variant import (  # pyright: ignore[reportMissingImports]
        BasicVariantGenerator,
    )

    curve = Curve(minutes)

    class Watch(tune.Callback):
        """Adds each judgement to the curve."""

        def on_trial_result(self, iteration, trials, trial, result, **info):
            if not curve.trials:
                curve.start = result["began"]
            curve.add(result["number"], result["accuracy"], result["more"])

    ranges, usual = ranges_of(shared_work(1, seed))
    drawn = {
        name: (tune.loguniform if entry.log else tune.uniform)(entry.low, entry.high)
        for name, entry in ranges.items()
    }
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    first = [usual | {"number": 0}]
    settings = tune.TuneConfig(
        metric="accuracy", mode="max", num_samples=-1, time_budget_s=60 * minutes + START,
        scheduler=ASHAScheduler(
            "epochs", max_t=RUNGS[-1], grace_period=RUNGS[0], reduction_factor=FACTOR
        ),
        search_alg=BasicVariantGenerator(points_to_evaluate=first, random_state=seed),
        reuse_actors=True, max_concurrent_trials=1,
    )  # fmt: skip
    values = drawn | {"number": tune.randint(1, 2**31)}
    run = tune.RunConfig(callbacks=[Watch()], verbose=0)
    tune.Tuner(trainable(seed), param_space=values, tune_config=settings, run_config=run).fit()
    ray.shutdown()
    return curve.result()


PROGRAMS = dict(
    ours=ours, elites=partial(ours, sampler="elites"), tpe=partial(ours, sampler="tpe"),
    optuna=optuna, asha=asha,
)  # fmt: skip
if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    print(json.dumps(PROGRAMS[sys.argv[1]](float(sys.argv[2]), int(sys.argv[3]))))
