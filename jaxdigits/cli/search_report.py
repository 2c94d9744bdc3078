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
    if finals := len(session.finals):
        parts.append(f"{finals} finalist{'s' if finals > 1 else ''}")
    minutes, epochs = session.budget
    if minutes is not None:
        left = 60 * minutes - session.seconds()
        clock = f"{int(left // 60)}:{int(left % 60):02d} left"
        parts.append(clock if left > 0 else "time is over: ends after the present step")
    else:
        parts.append(f"{member_epochs(session.records)} of {epochs} epochs")
    return "  ".join(parts)


def summary(result: Mapping[str, Any]) -> str:
    """Return the result of a search in words, and its four numbers."""
    from jaxdigits.search.words import against_default, four_numbers, tried_and_won

    return "\n".join(
        [
            tried_and_won(result),
            against_default(result),
            table(["accuracy", "", "95 % interval"], four_numbers(result)),
            f"{result['seconds']:.0f} s, run in {result['run']}: "
            f"jaxdigits predict {result['run']} IMAGE",
        ]
    )
