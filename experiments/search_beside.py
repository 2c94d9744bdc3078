"""A search as Optuna does it, on the same space and programs: TPE and Hyperband."""

import time
from typing import Any

import optuna

from jaxdigits.search.groups import hyper_of, trial_seed
from jaxdigits.search.lanes import Task, train_tasks
from jaxdigits.search.work import Work, lanes_of


def with_optuna(work: Work, minutes: float) -> dict[str, Any]:
    """Search one trial after another, compiled once, and return trials and curve.

    A fixed static part, which favours it: the space of mlp has more groups.
    """
    own, lanes = lanes_of(work, 0)
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9)
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    clock, curve = time.perf_counter(), []

    def objective(trial: Any) -> float:
        entries = {name: work.plan.space.entries[name] for name in own.names}
        drawn = {
            name: trial.suggest_float(name, entry.low, entry.high, log=entry.log)
            for name, entry in entries.items()
        }
        pool, accuracy = {}, 0.0
        for epoch in range(1, 10):
            task = Task(0, trial_seed(0, trial.number), hyper_of(own, own.static | drawn), 1)
            judged = train_tasks(lanes, [task], pool, work.train, work.valid)
            accuracy = max(accuracy, judged[0].accuracy)
            trial.report(accuracy, epoch)
            best = max([accuracy, *(row[1] for row in curve[-1:])])
            curve.append([round(time.perf_counter() - clock, 2), best])
            if trial.should_prune():
                raise optuna.TrialPruned
        return accuracy

    study.optimize(objective, timeout=60 * minutes)
    return dict(trials=len(study.trials), curve=curve)
