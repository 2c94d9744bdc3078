"""Lanes: one compiled program that trains K trials at once, and a pool of those that wait.

A lane trains one trial for an epoch a tick.  When a trial reaches its epoch, its state goes to
the pool in host memory, and the next trial takes its lane: it may be new, or have trained
before.  A trial is the network that `fit` trains alone with its seed, whoever its neighbours.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.data import Dataset, view
from jaxdigits.fast.switch import platform
from jaxdigits.losses import cross_entropy
from jaxdigits.measure.synops import synops
from jaxdigits.runs.config import Config
from jaxdigits.search.folds import Folds
from jaxdigits.search.groups import member_of
from jaxdigits.search.journal import Pool
from jaxdigits.train.epoch import before_first_epoch, run_epoch
from jaxdigits.train.evaluate import BATCH, logits_of
from jaxdigits.train.loop import check_data
from jaxdigits.train.members import each_member, take_turns
from jaxdigits.train.memory import within_memory
from jaxdigits.train.state import evaluation_keys, initial_state

DIGITS = 4  # of a cross-entropy
COUNTED = 64  # examples whose operations are counted
FOLD = "fold"  # among the numbers of a lane
WIDTH = 8  # lanes, except on a CPU
# A bracket compiles on a CPU for longer than it trains.  This takes a fifth off, and programs
# are as fast as before (jax 0.10.2).
QUICKLY = {"xla_backend_optimization_level": 1}


class Task(NamedTuple):
    """A trial that is to train, or one of its folds."""

    trial: int
    """its number in the pool, one for each fold"""
    seed: int
    hyper: Mapping[str, float]
    """its traced numbers, the same names for all tasks of a program"""
    epochs: int
    """that it is to train on"""
    fold: int = 0


class Lanes(NamedTuple):
    """The programs of a group.  States are without keys: `seeds` [K] makes them."""

    width: int
    begin: Callable
    """(seeds, hyper [K], train) -> (state, best)"""
    epoch: Callable
    """(seeds, hyper, state, best, train, valid) -> (state, best, metrics)"""
    judge: Callable
    """(seeds, hyper, best, valid) -> (right [K, V], cross-entropy [K], operations [K])"""


class Judgement(NamedTuple):
    """The best epoch of a trial so far, on the validation data."""

    accuracy: float
    """−1 where no epoch was finite"""
    cross_entropy: float
    """in nats, without label smoothing"""
    right: np.ndarray
    """[V] bool"""
    operations: float
    """an example, accumulates and multiply-accumulates by weights and inputs that are not 0; 0
    where they are not counted"""


def usual_width() -> int:
    """Return the lanes of a program: one on a CPU, where eight are no faster, else `WIDTH`.

    Eight epochs of one lane take 0.84 of the time of one epoch of eight (MLP of 800, 800),
    0.91 (SNN of 256), 0.67 (CNN), and 1.33 where all take 40 ms (MLP of 128; jax 0.10.2, two
    cores).
    """
    return 1 if platform() == "cpu" else WIDTH


def joined(parts: Sequence[Judgement]) -> Judgement:
    """Return the judgement of a trial from its folds: of all held-out images together."""
    if len(parts) == 1:
        return parts[0]
    right = np.concatenate([part.right for part in parts])
    finite = all(part.accuracy >= 0 for part in parts)
    loss = float(np.mean([part.cross_entropy for part in parts]))
    operations = float(np.mean([part.operations for part in parts]))
    accuracy = float(right.mean()) if finite else -1.0
    return Judgement(accuracy, float(f"{loss:.{DIGITS}g}"), right, operations)


class Interrupted(Exception):
    """The search is to stop: training ended between two ticks."""


def compiled_lanes(
    config: Config,
    train: Dataset,
    valid: Dataset,
    width: int,
    *,
    count: bool = False,
    folds: Folds | None = None,
) -> Lanes:
    """Return the programs of a group, which compile at their first calls.

    On a CPU convolutions take turns: many at once are two to three times as slow.

    Args:
      folds: the rows of each lane's fold; None: all rows, of all lanes.
      count: count the operations of an example, over the first `COUNTED` of `valid`.

    Raises:
      ValueError: for data that do not fit the network.
      DoesNotFit: when called, if the lanes need more memory than there is.
    """
    examples = len(train) if folds is None else folds.train.shape[1]
    member = _without_fold(member_of(config, examples))
    network = config.build()(training=True)
    if folds is None:
        check_data(member({}), train, valid)
    else:
        check_data(member({}), train[folds.train[0]], valid[folds.valid[0]])
    own = lambda data, rows, hyper: data if rows is None else view(data, rows[hyper[FOLD]])
    learn = lambda data, hyper: own(data, folds and jnp.asarray(folds.train), hyper)
    check = lambda data, hyper: own(data, folds and jnp.asarray(folds.valid), hyper)
    turns = take_turns(None, network)

    def begin(seed, hyper, train):
        recipe, key = member(hyper), jax.random.key(seed)
        train = learn(train, hyper)
        state = initial_state(recipe, train.inputs.shape, key)
        best = before_first_epoch(recipe, state, train, usable=False)
        return state._replace(key=()), best

    def epoch(seed, hyper, state, best, train, valid):
        state = state._replace(key=jax.random.key(seed))
        data = learn(train, hyper), check(valid, hyper)
        state, best, metrics = run_epoch(member(hyper), state, best, *data)
        return state._replace(key=()), best, metrics

    def judge(seed, hyper, best, valid):
        recipe, key = member(hyper), jax.random.key(seed)
        valid = check(valid, hyper)
        network = recipe.build(training=False, statistics=best.statistics)
        few = min(BATCH, recipe.microbatch or recipe.batch)
        logits, _ = logits_of(network, best.params, valid.inputs, key, batch=few)
        loss = recipe.loss if config.reads_fields else cross_entropy()
        operations = jnp.zeros(())
        if count:
            rows = jnp.arange(min(COUNTED, len(valid)))
            some = valid.inputs.take(rows, evaluation_keys(key, rows))
            ops = synops(network, best.params, some, key)
            operations = (ops.acs + ops.macs).mean()
        right = recipe.loss.right(logits, valid.label)
        return right, loss.value(logits, valid.label), operations

    def program(f, whole, donated=()):
        options = QUICKLY if platform() == "cpu" else None
        each = each_member(f, whole=whole, turns=turns)
        return jax.jit(each, donate_argnums=donated, compiler_options=options)

    trained = within_memory(program(epoch, 2, donated=(2, 3)))
    return Lanes(width, program(begin, 1), trained, program(judge, 1))


def train_tasks(
    lanes: Lanes,
    tasks: Sequence[Task],
    pool: Pool,
    train: Dataset,
    valid: Dataset,
    tick: Callable[[list[tuple[int, dict[str, Any]]]], None] = lambda rows: None,
    forget: Callable[[dict[int, Judgement]], Iterable[int]] = lambda judged: (),
) -> dict[int, Judgement]:
    """Train each task's trial on, from its state in the pool or from its start.

    The pool has their states afterwards, but for those that are forgotten.

    Args:
      tick: called after each epoch with (trial, metrics) of each lane; it may raise.
      forget: called with the judgements so far; returns trials whose states are not needed.
    """
    waiting, judged = deque(tasks), {}
    slots: list[tuple[Task, int]] = []  # each with the epochs that are left
    while waiting or slots:
        while waiting and len(slots) < lanes.width:
            task = waiting.popleft()
            slots.append((task, task.epochs))
        rows = [task for task, _ in slots]
        seeds, hyper = _arguments(rows, lanes.width)
        state, best = _states(lanes, rows, pool, train)
        # Nobody joins or leaves before the nearest end.
        together = min(left for _, left in slots)
        for _ in range(together):
            state, best, metrics = lanes.epoch(seeds, hyper, state, best, train, valid)
            tick(_rows(rows, metrics))
        slots = [(task, left - together) for task, left in slots]
        ended = {task.trial for task, left in slots if not left}
        judgements = _judged(lanes, rows, seeds, hyper, best, valid) if ended else {}
        judged |= {trial: judgements[trial] for trial in ended}
        lost = set(forget(judged))
        for trial in lost:
            pool.pop(trial, None)
        for i, task in enumerate(rows):
            if task.trial not in lost:
                pool[task.trial] = _lane((state, best), i)
        slots = [(task, left) for task, left in slots if left]
    return judged


def like_state(lanes: Lanes, task: Task, train: Dataset) -> Any:
    """Return the shapes and dtypes of a trial's state in the pool."""
    seeds, hyper = _arguments([task], lanes.width)
    shapes = jax.eval_shape(lanes.begin, seeds, hyper, train)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), shapes)


def _states(lanes: Lanes, tasks: Sequence[Task], pool: Pool, train: Dataset) -> Any:
    """Return the tasks' states as lanes [K, ...], from the pool or from their start."""
    new = [task for task in tasks if task.trial not in pool]
    started = lanes.begin(*_arguments(new, lanes.width), train) if new else ()
    if len(new) == len(tasks):  # they need no copies
        return started
    known = pool | {task.trial: _lane(started, i) for i, task in enumerate(new)}
    return _gathered([known[task.trial] for task in tasks], lanes.width)


def _judged(
    lanes: Lanes, tasks: Sequence[Task], seeds: Any, hyper: Any, best: Any, valid: Dataset
) -> dict[int, Judgement]:
    right, loss, operations = map(np.asarray, lanes.judge(seeds, hyper, best, valid))
    epochs = np.asarray(best.epoch)
    rows = {}
    for i, task in enumerate(tasks):
        accuracy = float(right[i].mean()) if epochs[i] and np.isfinite(loss[i]) else -1.0
        # The number of lanes decides the last bits of a sum, and should decide nothing else.
        rounded = float(f"{loss[i]:.{DIGITS}g}")
        rows[task.trial] = Judgement(accuracy, rounded, right[i], float(operations[i]))
    return rows


def _arguments(tasks: Sequence[Task], width: int) -> tuple[Any, Any]:
    """Return (seeds, hyper) [K]; lanes without a task repeat the first."""
    tasks = [*tasks, *(tasks[0] for _ in range(width - len(tasks)))]
    float_ = jnp.result_type(float)
    hyper: dict = {n: np.array([t.hyper[n] for t in tasks], float_) for n in tasks[0].hyper}
    hyper[FOLD] = np.array([task.fold for task in tasks], np.int32)
    return np.array([task.seed for task in tasks], np.uint32), hyper


def _without_fold(member: Callable) -> Callable:
    return lambda hyper: member({n: v for n, v in hyper.items() if n != FOLD})


def _gathered(states: Sequence[Any], width: int) -> Any:
    """Return states of the pool as lanes [K, ...]: copies, which the program may take over."""
    states = [*states, *(states[0] for _ in range(width - len(states)))]
    stack = lambda leaves: np.stack(leaves) if width > 1 else leaves[0][None]
    return jax.tree.map(lambda *leaves: jnp.array(stack(leaves)), *states)


def _lane(tree: Any, i: int) -> Any:
    """Return lane i in host memory; one of several is a copy, so the others can be freed.

    No program takes the tree over any more.
    """
    lane = lambda a: a[i] if len(a) == 1 else np.array(a[i])
    return jax.tree.map(lane, jax.device_get(tree))


def _rows(tasks: Sequence[Task], metrics: Any) -> list[tuple[int, dict[str, Any]]]:
    values = {n: np.asarray(v).tolist() for n, v in metrics._asdict().items()}
    return [(t.trial, {n: v[i] for n, v in values.items()}) for i, t in enumerate(tasks)]
