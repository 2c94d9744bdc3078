"""A search as one web page: first in words, then its figures and trials, nothing to fetch."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxdigits.plots.of_network import Drawing
from jaxdigits.plots.page import template
from jaxdigits.plots.style import svg
from jaxdigits.search.records import Trial
from jaxdigits.search.space import Space
from jaxdigits.search.texts import text_of
from jaxdigits.search.words import (
    against_default,
    four_numbers,
    luck_of,
    percent,
    tried_and_won,
)

UNFINISHED = "The search has no result yet: `jaxdigits search --resume` goes on with it."


def search_page(
    title: str,
    place: str,
    space: Space,
    trials: Sequence[Trial],
    drawings: Sequence[Drawing],
    result: Mapping[str, Any] | None,
    command: str = "",
) -> str:
    """Return the page as text; all but the figures is escaped.

    Args:
      title, place: of the search.
      trials: in order.
      result: of `result.json`; None before the end.
      command: trains the winner again.

    Raises:
      ImportError: without jinja2, saying how to install it.
    """
    sentences = [UNFINISHED]
    if result:
        words = tried_and_won(result), against_default(result)
        sentences = [f"{text[:1].upper()}{text[1:]}." for text in words] + [luck_of(result)]
    return template("search.html").render(
        title=title,
        place=place,
        sentences=sentences,
        numbers=four_numbers(result) if result else [],
        command=command,
        drawings=drawings,
        svg=svg,
        finalists=[_finalist(row) for row in (result or {}).get("fresh", ())],
        trials=[_row(trial) for trial in trials],
        space=[[name, text_of(entry)] for name, entry in space.entries.items()],
    )


def _finalist(row: Mapping[str, Any]) -> list[str]:
    accuracy = row["accuracy"]
    number = f"{row['trial']}{', the default' if row['default'] else ''}"
    mean = percent(sum(accuracy) / len(accuracy))
    return [
        number,
        mean,
        " ".join(f"{100 * a:.2f}" for a in accuracy),
        _settings(row["settings"]),
    ]


def _row(trial: Trial) -> list[str]:
    scores = ", ".join(
        f"{epochs}: {percent(max(score.accuracy, 0.0))}"
        for epochs, score in trial.scores.items()
    )
    number = f"{trial.number}{', the default' if trial.default else ''}"
    return [number, scores, _settings(trial.settings)]


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {text_of(_plain(value))}" for name, value in settings.items())


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
