"""The speed of a search: its trials against loops, its ticks, and its host's share."""

import time
from collections.abc import Callable
from typing import Any

import jax

from jaxdigits.data import digits
from jaxdigits.runs.job import fit_one, validation_split
from jaxdigits.search import Space
from jaxdigits.search.defaults import of_few_images, space_entries
from jaxdigits.search.groups import Facts, config_of, hyper_of, trial_seed
from jaxdigits.search.lanes import Task, compiled_lanes, train_tasks, usual_width
from jaxdigits.search.protocol import extend
from jaxdigits.search.records import trials_of
from jaxdigits.search.work import Hooks, Plan, Work, lanes_of

FEW = 3  # trials of a loop, from which its rate is measured


def work_of(network: str, images: int | None = None) -> Work:
    """Return the work of a search of the bundled digits, of one split.

    Args:
      images: to train on, with a tiny network; None: all.
    """
    train, valid = validation_split(digits()[0])
    train = train if images is None else train[:images]
    entries = of_few_images(space_entries(network, 2e-3), len(train))
    if images is not None:  # to smoke: the hand-tuned networks take long to compile
        entries |= {"hidden": (8,), "norm": None}
    plan = Plan(Space(**entries), Facts("digits", None, 9), width=usual_width())
    return Work(plan, train, valid)


def rate(network: str, images: int | None = None) -> dict[str, float]:
    """Return trials per CPU hour: of lanes, of a loop of `fit`, and of one that compiles once.

    Each trains trials of the first group for an epoch, with compiling, in a process that has
    searched before, so nobody's time has the loading of modules.
    """
    first = lambda records: Hooks(may_start=lambda epochs, _: len(records) < 2)
    extend(work_of("mlp", images=200), records := [], {}, first(records))
    work, records = work_of(network, images=images), []
    jax.clear_caches()
    clock = time.process_time()
    extend(work, records, {}, first(records))
    lanes = len(trials_of(records)) / (time.process_time() - clock)
    trials = list(trials_of(records).values())[:FEW]

    def alone(trial: Any) -> None:
        config = config_of(trial.settings, Facts("digits", None, 1), seed=trial.number)
        jax.clear_caches()
        fit_one(config, work.train, work.valid)

    clock = time.process_time()
    for trial in trials:
        alone(trial)
    loop = len(trials) / (time.process_time() - clock)
    group = lanes_of(work, trials[0].group)[0]
    jax.clear_caches()
    clock = time.process_time()
    single = compiled_lanes(group.config, work.train, work.valid, 1)
    for trial in trials_of(records).values():
        task = Task(0, trial_seed(0, trial.number), hyper_of(group, trial.settings), 1)
        train_tasks(single, [task], {}, work.train, work.valid)
    once = len(trials_of(records)) / (time.process_time() - clock)
    return dict(lanes=3600 * lanes, loop_of_fit=3600 * loop, loop_once=3600 * once)


def share(network: str, images: int | None = None) -> dict[str, float]:
    """Return the milliseconds of a search by its ticks, and the share outside of programs.

    A tick is an epoch of all lanes; its beginnings and judgements are in the time.  Both are of
    the processor's time, and of a search that was done before, so without compiling.
    """
    work, inside, ticks = work_of(network, images=images), [0.0], [0]
    search = lambda: extend(
        work, records := [], {}, Hooks(may_start=lambda epochs, _: len(records) < 3)
    )
    search()

    def timed(name: str, program: Callable) -> Callable:
        def run(*args: Any) -> Any:
            clock = time.process_time()
            result = jax.block_until_ready(program(*args))
            inside[0] += time.process_time() - clock
            ticks[0] += name == "epoch"
            return result

        return run

    for group, (own, lanes) in work.lanes.items():
        programs = {n: timed(n, getattr(lanes, n)) for n in ("begin", "epoch", "judge")}
        work.lanes[group] = own, lanes._replace(**programs)
    clock = time.process_time()
    search()
    seconds = time.process_time() - clock
    return dict(
        host=1 - inside[0] / seconds, lanes=work.plan.width, ticks=ticks[0],
        tick_ms=1e3 * seconds / ticks[0],
    )  # fmt: skip
