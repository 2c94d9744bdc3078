"""The lines of a search: its progress, and its result in words."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jaxdigits.cli.report import percent, say, table


@contextmanager
def progress(json_wanted: bool) -> Iterator[Callable[[Any], None]]:
    """Yield a function that shows where a search stands: one line, which changes in place.

    In a pipe there is a line for each decision.
    """
    terminal, stages = sys.stderr.isatty(), [(-1, -1)]

    def show(session: Any) -> None:
        if terminal:
            print(f"\r\033[K{_line(session)}", end="", file=sys.stderr, flush=True)
        elif (stage := (len(session.records), len(session.finals))) != stages[0]:
            stages[0] = stage
            say(_line(session), json_wanted=json_wanted)

    try:
        yield show
    finally:
        if terminal:
            print(file=sys.stderr)


def _line(session: Any) -> str:
    from jaxdigits.search.records import member_epochs

    rungs = [record for record in session.records if "rung" in record]
    best = max((max(record["accuracy"]) for record in rungs), default=None)
    trials = sum(len(r["trials"]) for r in session.records if "group" in r)
    parts = ["no score yet" if best is None else f"best {percent(best)}", f"{trials} trials"]
    if session.finals:
        parts.append(f"{len(session.finals)} finalists")
    minutes, epochs = session.budget
    if minutes is not None:
        left = max(0.0, 60 * minutes - session.seconds())
        parts.append(f"{int(left // 60)}:{int(left % 60):02d} left")
    else:
        parts.append(f"{member_epochs(session.records)} of {epochs} epochs")
    return "  ".join(parts)


def summary(result: Mapping[str, Any]) -> str:
    """Return the result of a search in words, and its four numbers."""
    fresh, low_high = result["fresh_mean"], result["test_interval"]
    correction = result["corrected"]
    chosen = ", ".join(f"{n} {text}" for n, text in result["settings"].items())
    rows = [
        ["claimed by the best trial", percent(result["claimed"]), ""],
        ["corrected for its luck with images", percent(correction["value"]),
         _interval(correction["low"], correction["high"])],
        ["trained anew with fresh seeds", percent(fresh), "validation, their mean"],
        ["on the test set", percent(result["test_accuracy"]), _interval(*low_high)],
    ]  # fmt: skip
    effort = f"{result['trials']} trials, {result['member_epochs']} epochs"
    return "\n".join(
        [
            f"{effort}; the winner: {chosen}",
            _against_default(result),
            table(["accuracy", "", "95 % interval"], rows),
            f"{result['seconds']:.0f} s, run in {result['run']}: "
            f"jaxdigits predict {result['run']} IMAGE",
        ]
    )


def _against_default(result: Mapping[str, Any]) -> str:
    gain = result["better_than_default"]
    if gain is None:
        return "the hand-tuned default won, or had no time: there is no comparison"
    interval = _interval(gain["low"], gain["high"])
    if gain["low"] <= 0:
        return f"no better than the default: {percent(gain['value'])}, interval {interval}"
    return f"better than the default by {percent(gain['value'])}, interval {interval}"


def _interval(low: float, high: float) -> str:
    return f"[{percent(low)}, {percent(high)}]"
