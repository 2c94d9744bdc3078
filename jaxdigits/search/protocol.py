"""The search itself: brackets of halving, one group after another, each decision a record.

The next step is a function of the records so far, and so is each trial.  A clock decides only
where the search ends, so a longer search goes on where a shorter one was cut.
"""

from collections.abc import Callable, Sequence

import numpy as np

from jaxdigits.search.cube import point_of
from jaxdigits.search.groups import Group, Settings, hyper_of, settings_in
from jaxdigits.search.halving import Score, bracket, next_group, order, places, survivors
from jaxdigits.search.journal import Pool, Record
from jaxdigits.search.lanes import Judgement, train_tasks
from jaxdigits.search.pace import timed
from jaxdigits.search.pareto import front_order
from jaxdigits.search.proposals import Told, propose
from jaxdigits.search.records import Rung, Trial, next_rung, packed, trials_of, turns_of
from jaxdigits.search.work import (
    NO_HOOKS,
    Hooks,
    Plan,
    Work,
    cost_of,
    joined_trials,
    lanes_of,
    parts_of,
    tasks_of,
)

TOGETHER = 4  # groups of a round: each is compiled anew
SILENT, SATURATED = 0.001, 0.5  # spikes per neuron and time step
TRIAL = 1  # in a seed, before a trial's number


def extend(work: Work, records: list[Record], pool: Pool, hooks: Hooks = NO_HOOKS) -> None:
    """Go on with a search until `hooks` stop it: `records` and `pool` grow in place.

    Raises:
      Interrupted: from `hooks.tick`; the rung that was training has no record.
    """
    while True:
        rung = next_rung(records)
        epochs, seconds = (0, 0.0) if rung is None else cost_of(work, rung)
        if not hooks.may_start(epochs, seconds):
            return
        if rung is None:
            record = _bracket(work, records, hooks)
        else:
            record = _trained(work, rung, pool, hooks)
        records.append(record)
        hooks.append(record)
        if rung is not None:
            going = parts_of(work.plan, record["on"]) if next_rung(records) else []
            for trial in set(pool) - set(going):
                del pool[trial]
            hooks.save(pool)


def _bracket(work: Work, records: Sequence[Record], hooks: Hooks) -> Record:
    """Propose the trials of the next bracket."""
    plan, trials = work.plan, trials_of(records)
    turns = turns_of(records, trials)
    number = len(turns)
    group, others = _next_group(work, turns, hooks)
    place = sum(g == group for g, _ in turns)
    apart = len(work.usual) > 1 or plan.goal != "accuracy"  # in kind, or in cost
    taste = apart and not place and number < _first_round(work)
    shape = bracket(place, plan.facts.epochs, taste=taste)
    own, _ = lanes_of(work, group)
    # Without a traced number all trials of a group would be equal.
    size = shape.size if own.names else 1
    defaults = [s for s in work.usual if _static(s, work, group)] if not place else []
    told = [_told(work, own, t, shape.rungs[-1]) for t in trials.values() if t.group == group]
    seed = (plan.seed, group, number)
    points = propose(plan.sampler, own.names, size - len(defaults[:size]), told, seed)
    settings = [*defaults[:size], *(settings_in(plan.space, own, p) for p in points)]
    host, hosts = plan.host
    numbers = [hosts * i + host for i in range(len(trials), len(trials) + size)]
    known = {"others": {str(g): list(score) for g, score in others.items()}} if others else {}
    return known | {
        "bracket": number, "group": group, "rungs": list(shape.rungs), "trials": numbers,
        "defaults": numbers[: len(defaults)], "settings": settings,
    }  # fmt: skip


def _next_group(
    work: Work, turns: Sequence[tuple[int, Score]], hooks: Hooks
) -> tuple[int, dict[int, Score]]:
    """Return the group of the next bracket, and the scores of other hosts that decide it.

    A group that is in the worse half of all hosts' groups makes room for a new one.
    """
    host, hosts = work.plan.host
    own = list(range(host, len(work.groups), hosts)) or [0]
    dealt = [(own.index(group), score) for group, score in turns]
    group = own[next_group(dealt, _first_round(work), len(own))]
    others = hooks.others()
    mine = {g: score for g, score in turns if g == group}
    fresh = [g for g in own if g not in {had for had, _ in turns}]
    if others and mine and fresh:
        best = [mine[group], *others.values()]
        if order(best).index(0) >= (len(best) + 1) // 2:
            group = fresh[0]
    return group, others


def _trained(work: Work, rung: Rung, pool: Pool, hooks: Hooks) -> Record:
    """Train and judge the trials of a rung, and decide who goes on."""
    group, lanes = lanes_of(work, rung.group)
    plan, epochs = work.plan, rung.epoch - rung.before
    tasks = [
        task for trial, settings in zip(rung.trials, rung.settings, strict=True)
        for task in tasks_of(
            plan, trial, (plan.seed, TRIAL, trial), hyper_of(group, settings), epochs
        )
    ]  # fmt: skip
    rates: dict[int, list[float]] = {}
    measure = timed(work.pace, rung.group, hooks.tick)

    def tick(rows):
        rates.update({trial: row["firing_rates"] for trial, row in rows})
        measure(rows)

    stepped = "steps" in group.config.options
    own = lambda trial: parts_of(plan, [trial])
    trouble = lambda trial: max(_trouble(rates[part], stepped) for part in own(trial))
    forget = lambda judged: _lost(plan, rung, joined_trials(plan, judged), trouble)
    judged = train_tasks(lanes, tasks, pool, work.train, work.valid, tick, forget)
    judged = joined_trials(plan, judged)
    rows = [judged[trial] for trial in rung.trials]
    ended = {trial: reason for trial in rung.trials if (reason := trouble(trial))}
    return _rung_record(plan, rung, rows, ended)


def _lost(
    plan: Plan, rung: Rung, judged: dict[int, Judgement], trouble: Callable[[int], str]
) -> list[int]:
    """Return the parts of trials that cannot go on, whoever comes: no state is needed.

    A rank by accuracy only gets worse as others come; a rank on a front may not.
    """
    known = [trial for trial in rung.trials if trial in judged]
    if rung.last or plan.goal == "front":
        return parts_of(plan, known) if rung.last else []
    able = [trial for trial in known if not trouble(trial)]
    ranked = order([Score(*judged[trial][:2]) for trial in able])
    staying = {able[i] for i in ranked[: places(len(rung.trials))]}
    return parts_of(plan, [trial for trial in known if trial not in staying])


def _rung_record(plan: Plan, rung: Rung, rows: list[Judgement], ended: dict[int, str]):
    scores = [Score(row.accuracy, row.cross_entropy) for row in rows]
    losses = np.array([[-row.accuracy, row.operations] for row in rows])
    ranked = front_order(losses) if plan.goal == "front" else order(scores)
    going = survivors(scores, [i for i in ranked if rung.trials[i] not in ended])
    return {
        "rung": rung.epoch, "bracket": rung.bracket, "trials": list(rung.trials),
        "accuracy": [row.accuracy for row in rows],
        "cross_entropy": [row.cross_entropy for row in rows],
        "operations": [row.operations for row in rows],
        "images": len(rows[0].right), "right": [packed(row.right) for row in rows],
        "ended": {str(trial): reason for trial, reason in ended.items()},
        "on": [rung.trials[i] for i in going],
    }  # fmt: skip


def _trouble(rates: Sequence[float], stepped: bool) -> str:
    """Return why a spiking trial ends; "" if it may go on."""
    if any(rate < SILENT for rate in rates):
        return "silent"
    return "saturated" if stepped and any(rate > SATURATED for rate in rates) else ""


def _told(work: Work, group: Group, trial: Trial, longest: int) -> Told:
    point = point_of(work.plan.space, trial.settings)
    scores = {epochs: score.accuracy for epochs, score in trial.scores.items()}
    done = longest in scores
    return Told({n: point[n] for n in group.names}, scores, done, trial.operations)


def _first_round(work: Work) -> int:
    """Return the groups of this host's first round; all hosts' together have each default."""
    return -(-max(TOGETHER, len(work.usual)) // work.plan.host[1])


def _static(settings: Settings, work: Work, group: int) -> bool:
    return all(settings.get(n, ...) == v for n, v in work.groups[group].items())
