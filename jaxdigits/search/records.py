"""The records of a search, read: its trials, its next step, and how far it has come.

A bracket's record has its trials and their settings.  A rung's record has each trial's
accuracy, its right and wrong answers (a bit an image), and who goes on.
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.search.groups import Settings
from jaxdigits.search.halving import Score, order
from jaxdigits.search.journal import Record
from jaxdigits.search.texts import frozen


class Trial(NamedTuple):
    """A trial, as the records have it."""

    number: int
    group: int
    settings: Settings
    default: bool
    """whether these are the hand-tuned settings of its network"""
    scores: dict[int, Score]
    """by epochs"""
    right: np.ndarray
    """[V] bool, of its best epoch; [0] before the first rung"""
    operations: float
    last: bool = False
    """whether it trained to the last rung of its bracket so far"""


class Rung(NamedTuple):
    """A step: trials of a bracket that train from one rung to the next."""

    bracket: int
    group: int
    before: int
    epoch: int
    trials: tuple[int, ...]
    settings: tuple[Settings, ...]
    last: bool
    """whether nobody goes on from it"""


def next_rung(records: Sequence[Record]) -> Rung | None:
    """Return the next rung of the last bracket; None where a new bracket is next."""
    last = next((i for i in reversed(range(len(records))) if "group" in records[i]), None)
    if last is None:
        return None
    plan, done = records[last], records[last + 1 :]
    rungs, settings = plan["rungs"], dict(zip(plan["trials"], plan["settings"], strict=True))
    if len(done) == len(rungs) or (done and not done[-1]["on"]):
        return None
    trials = done[-1]["on"] if done else plan["trials"]
    before = rungs[len(done) - 1] if done else 0
    own = tuple(_settings(settings[trial]) for trial in trials)
    last = len(done) == len(rungs) - 1
    place = plan["bracket"], plan["group"], before, rungs[len(done)]
    return Rung(*place, tuple(trials), own, last)


def needs_pool(records: Sequence[Record]) -> list[int]:
    """Return the trials whose states the next step goes on from."""
    rung = next_rung(records)
    return list(rung.trials) if rung and rung.before else []


def trials_of(records: Sequence[Record]) -> dict[int, Trial]:
    """Return all trials by number."""
    trials: dict[int, Trial] = {}
    bracket: list[int] = []
    for record in records:
        if "group" in record:
            bracket = record["trials"]
            for number, values in zip(record["trials"], record["settings"], strict=True):
                default, right = number in record["defaults"], np.zeros(0, bool)
                settings, group = _settings(values), record["group"]
                trials[number] = Trial(number, group, settings, default, {}, right, 0.0)
            continue
        trained = set(record["trials"])
        for number in bracket:
            trials[number] = trials[number]._replace(last=number in trained)
        for number, *row in _rows(record):
            accuracy, loss, right, operations = row
            trial = trials[number]
            trial.scores[record["rung"]] = Score(accuracy, np.inf if loss is None else loss)
            right = unpacked(right, record["images"])
            trials[number] = trial._replace(right=right, operations=operations)
    return trials


def member_epochs(records: Sequence[Record]) -> int:
    """Return the epochs that all trials together have trained."""
    epochs, before = 0, 0
    for record in records:
        before = 0 if "group" in record else before
        if "rung" in record:
            epochs += (record["rung"] - before) * len(record["trials"])
            before = record["rung"]
    return epochs


def turns_of(records: Sequence[Record], trials: dict[int, Trial]) -> list[tuple[int, Score]]:
    """Return (group, best score of those that trained longest) of each bracket."""
    turns = []
    for plan in (record for record in records if "group" in record):
        reached = [trials[t] for t in plan["trials"] if trials[t].scores]
        if not reached:  # another host's, which trains them now
            continue
        longest = max(max(trial.scores) for trial in reached)
        scores = [t.scores[longest] for t in reached if longest in t.scores]
        turns.append((plan["group"], scores[order(scores)[0]]))
    return turns


def packed(right: np.ndarray) -> str:
    """Return bits as text."""
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def unpacked(text: str, images: int) -> np.ndarray:
    """Return the bits [images] of a text."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))[:images].astype(bool)


def _settings(values: dict[str, Any]) -> Settings:
    return {name: frozen(value) for name, value in values.items()}


def _rows(record: Record) -> Iterator[tuple]:
    names = ("trials", "accuracy", "cross_entropy", "right", "operations")
    return zip(*(record[name] for name in names), strict=True)
