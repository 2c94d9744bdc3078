"""Searches by three programs, side by side: the same space, data and compiled networks.

Ours halves brackets in step; Optuna proposes by TPE and halves by Hyperband, one trial after
another; Ray Tune halves random trials asynchronously (ASHA).  The space is that of the MLP's
numbers, with fixed widths and batch, which favours the other two: they compile once.

    pip install "ray[tune]" optuna
"""

import time
from collections.abc import Callable
from typing import Any

from jaxdigits.data import mnist
from jaxdigits.search import Space
from jaxdigits.search.defaults import space_entries
from jaxdigits.search.groups import Facts, hyper_of, trial_seed
from jaxdigits.search.lanes import Task, train_tasks
from jaxdigits.search.protocol import extend
from jaxdigits.search.records import member_epochs, trials_of
from jaxdigits.search.space import Choice
from jaxdigits.search.work import Hooks, Plan, Work, lanes_of

IMAGES, LONGEST = 10_000, 9  # of MNIST to train on; epochs of a trial, at most
USUAL = dict(hidden=(256,), norm="batch", batch=128, ema=0.97)
THIRD = 3  # one in three goes on, in all of them


class Curve:
    """The best validation accuracy by the seconds since the start."""

    def __init__(self):
        self.start, self.epochs, self.points = time.perf_counter(), 0, []

    def add(self, accuracy: float, epochs: int = 1) -> None:
        """Add a trial's accuracy after so many more epochs."""
        self.epochs += epochs
        best = max(accuracy, self.points[-1][1] if self.points else 0.0)
        self.points.append([round(self.seconds(), 2), round(best, 5)])

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.start

    def result(self, trials: int) -> dict[str, Any]:
        """Return the number of trials and of epochs, and the points where the best rose."""
        rises = [p for i, p in enumerate(self.points) if not i or p[1] > self.points[i - 1][1]]
        return dict(trials=trials, epochs=self.epochs, seconds=self.seconds(), curve=rises)


def work_of(width: int, images: int = IMAGES) -> Work:
    """Return the work of all three: MNIST's first images, and 5,000 others to choose by."""
    train, _ = mnist()
    entries = space_entries("mlp", 1e-3)
    fixed = {n: USUAL[n] if isinstance(entry, Choice) else entry for n, entry in entries.items()
             if n in USUAL or n == "network" or not isinstance(entry, Choice)}  # fmt: skip
    plan = Plan(Space(**fixed), Facts("mnist", None, LONGEST), width=width)
    return Work(plan, train[:images], train[-5000:])


def ours(minutes: float, images: int = IMAGES) -> dict[str, Any]:
    """Search as `jaxdigits search` does, eight trials at a time."""
    work, curve, records = work_of(8, images), Curve(), []

    def append(record: dict[str, Any]) -> None:
        if "rung" in record:
            more = member_epochs(records) - curve.epochs
            curve.add(max(record["accuracy"]), more)

    may_start = lambda epochs, seconds: curve.seconds() + seconds < 60 * minutes
    extend(work, records, {}, Hooks(append=append, may_start=may_start))
    return curve.result(len(trials_of(records)))


def one_trial(work: Work) -> Callable[[int, dict[str, float], dict], float]:
    """Return a function (number, values, pool) that trains a trial one epoch on."""
    own, lanes = lanes_of(work, 0)

    def step(number: int, values: dict[str, float], pool: dict) -> float:
        task = Task(0, trial_seed(0, number), hyper_of(own, own.static | values), 1)
        return train_tasks(lanes, [task], pool, work.train, work.valid)[0].accuracy

    return step


def optuna(minutes: float, images: int = IMAGES) -> dict[str, Any]:
    """Search by Optuna: TPE and Hyperband."""
    import optuna as library

    work, curve = work_of(1, images), Curve()
    step, names = one_trial(work), lanes_of(work, 0)[0].names
    pruner = library.pruners.HyperbandPruner(
        min_resource=1, max_resource=LONGEST, reduction_factor=THIRD
    )
    sampler = library.samplers.TPESampler(seed=0)
    study = library.create_study(direction="maximize", sampler=sampler, pruner=pruner)

    def objective(trial: Any) -> float:
        entries = {name: work.plan.space.entries[name] for name in names}
        values = {
            name: trial.suggest_float(name, entry.low, entry.high, log=entry.log)
            for name, entry in entries.items()
        }
        pool, accuracy = {}, 0.0
        for epoch in range(1, LONGEST + 1):
            accuracy = step(trial.number, values, pool)
            trial.report(accuracy, epoch)
            curve.add(accuracy)
            if trial.should_prune():
                raise library.TrialPruned
        return accuracy

    study.optimize(objective, timeout=60 * minutes)
    return curve.result(len(study.trials))


def asha(minutes: float, images: int = IMAGES) -> dict[str, Any]:
    """Search by Ray Tune: random trials, halved asynchronously, one at a time."""
    import ray  # pyright: ignore[reportMissingImports]
    from ray import tune  # pyright: ignore[reportMissingImports]
    from ray.tune.schedulers import ASHAScheduler  # pyright: ignore[reportMissingImports]

    class Trained(tune.Trainable):
        """A trial; Ray uses one process, and so one compilation, for all."""

        def setup(self, config):
            self.step_on = one_trial(work_of(1, images))
            self.reset_config(config)

        def reset_config(self, new_config):
            self.values, self.pool = dict(new_config), {}
            self.number = self.values.pop("number")
            return True

        def step(self):
            return {"accuracy": self.step_on(self.number, self.values, self.pool)}

        def save_checkpoint(self, checkpoint_dir):
            return {}

        def load_checkpoint(self, checkpoint):
            pass

    class Watch(tune.Callback):
        """Adds each epoch to the curve, which begins when Ray is ready."""

        def on_trial_result(self, iteration, trials, trial, result, **info):
            curve.add(result["accuracy"])

    space = work_of(1, images).plan.space.entries
    names = lanes_of(work_of(1, images), 0)[0].names
    drawn = {
        name: (tune.loguniform if space[name].log else tune.uniform)(
            space[name].low, space[name].high
        )
        for name in names
    }
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    curve = Curve()
    settings = tune.TuneConfig(
        metric="accuracy", mode="max", num_samples=-1, time_budget_s=60 * minutes,
        scheduler=ASHAScheduler(max_t=LONGEST, grace_period=1, reduction_factor=THIRD),
        reuse_actors=True, max_concurrent_trials=1,
    )  # fmt: skip
    values = drawn | {"number": tune.randint(0, 2**31)}
    run = tune.RunConfig(callbacks=[Watch()], verbose=0)
    found = tune.Tuner(Trained, param_space=values, tune_config=settings, run_config=run).fit()
    ray.shutdown()
    return curve.result(len(found))


PROGRAMS = dict(ours=ours, optuna=optuna, asha=asha)
