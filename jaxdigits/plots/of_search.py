"""The figures of a search: its best trial, halving, each setting, importance, the front."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdigits.measure.score import wilson
from jaxdigits.plots.of_network import Drawing
from jaxdigits.plots.style import BLUE, INK, ORANGE, WIDTH, new_figure, with_style
from jaxdigits.search.importance import fanova, importances
from jaxdigits.search.journal import Record
from jaxdigits.search.pareto import front_ranks
from jaxdigits.search.records import Trial, member_epochs, trials_of
from jaxdigits.search.space import Choice, Space, free
from jaxdigits.search.texts import text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 12  # panels
GREY = dict(color=INK, alpha=0.25, linewidth=0.9)


def search_drawings(
    space: Space, records: Sequence[Record], after: Sequence[float]
) -> list[Drawing]:
    """Draw all figures that suit a search.

    Args:
      after: seconds from its start to each record; too few: the time axis is in epochs.

    Raises:
      ImportError: without matplotlib, saying how to install it.
    """
    trials = [trial for trial in trials_of(records).values() if trial.scores]
    if not trials:
        return []
    rung = rung_of(trials)
    some = [trial for trial in trials if rung in trial.scores]
    accuracy = [trial.scores[rung].accuracy for trial in some]
    settings = [trial.settings for trial in some]
    on = f"after {rung} epoch{'s' if rung > 1 else ''}, on validation data"
    drawings = [
        Drawing("best", "The best trial", "The best validation accuracy so far. A step is a "
                "comparison of trials.", best_figure(*best_so_far(records, after))),
        Drawing("halving", "Halving", "A line is a trial: only the best third goes on; grey "
                "lines end there. Orange: the hand-tuned default.", halving_figure(trials)),
        Drawing("slices", "Each setting", f"A dot is a trial {on}; orange: the default.",
                slices_figure(space, some, accuracy)),
    ]  # fmt: skip
    shares, source = _importance(space, settings, accuracy)
    if shares:
        text = f"The share of each setting in the differences of {len(some)} trials {on}, "
        drawings.append(Drawing("importance", "Which settings mattered", text + source,
                                importance_figure(shares)))  # fmt: skip
    if any(trial.operations for trial in some):
        last = [trial for trial in trials if trial.last]
        text = "Operations of an example, and errors on validation data with their 95 % "
        text += "intervals. No other trial is better in both than a blue one."
        figure = front_figure(*points_of(last), [len(t.right) for t in last])
        drawings.append(Drawing("front", "Accuracy against cost", text, figure))
    return drawings


def rung_of(trials: Sequence[Trial]) -> int:
    """Return the epochs after which most trials have been compared."""
    counts = Counter(epochs for trial in trials for epochs in trial.scores)
    return min(counts, key=lambda epochs: (-counts[epochs], epochs))


def best_so_far(
    records: Sequence[Record], after: Sequence[float]
) -> tuple[list[float], list[float], str]:
    """Return (places, best accuracies, name of the axis), one of each rung."""
    timed = len(after) >= len(records)
    places, best = [], []
    for i, record in enumerate(records):
        if "rung" in record:
            place = after[i] / 60 if timed else member_epochs(records[: i + 1])
            places.append(float(place))
            best.append(max([*best[-1:], *record["accuracy"]]))
    return places, best, "minutes" if timed else "epochs of one network"


@with_style
def best_figure(places: Sequence[float], best: Sequence[float], label: str) -> "Figure":
    """Draw the best accuracies [N] against time or epochs [N], as steps."""
    figure = new_figure(WIDTH, 2.8)
    axes = figure.add_subplot()
    axes.step(places, 100 * np.asarray(best), where="post", color=BLUE, marker="o")
    axes.set(xlabel=label, ylabel="accuracy in %")
    axes.grid()
    return figure


@with_style
def halving_figure(trials: Sequence[Trial]) -> "Figure":
    """Draw the accuracy of each trial against its epochs; a trial that was dropped is grey."""
    figure = new_figure(WIDTH, 3.6)
    axes = figure.add_subplot()
    for trial in sorted(trials, key=lambda trial: (trial.default, trial.last)):
        style: Any = dict(color=ORANGE, linewidth=2.2) if trial.default else GREY
        if trial.last and not trial.default:
            style = dict(color=BLUE, linewidth=1.2)
        epochs = sorted(trial.scores)
        rows = [100 * max(trial.scores[e].accuracy, 0.0) for e in epochs]
        axes.plot(epochs, rows, marker=".", **style)
    rungs = sorted({epochs for trial in trials for epochs in trial.scores})
    axes.set(xscale="log", xticks=rungs, xticklabels=map(str, rungs))
    axes.set(xlabel="epochs", ylabel="accuracy in %")
    axes.minorticks_off()
    axes.grid()
    return figure


@with_style
def slices_figure(space: Space, trials: Sequence[Trial], accuracy: Sequence[float]) -> "Figure":
    """Draw accuracy [N] against each setting of the trials [N], a panel a setting."""
    names = [n for n in free(space) if sum(n in t.settings for t in trials) > 1][:MOST]
    rows = max(1, -(-len(names) // 2))
    figure = new_figure(WIDTH, 2.2 * rows)
    panels = figure.subplots(rows, 2, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        entry = space.entries[name]
        having = [(t, 100 * a) for t, a in zip(trials, accuracy, strict=True) if a >= 0]
        having = [(t, a) for t, a in having if name in t.settings]
        x, ticks = _places(entry, [t.settings[name] for t, _ in having])
        colours = [ORANGE if t.default else BLUE for t, _ in having]
        axes.scatter(x, [a for _, a in having], s=12, c=colours, alpha=0.7)
        if ticks is None:
            axes.set(xscale="log" if entry.log else "linear")
        else:
            axes.set(xticks=range(len(ticks)), xlim=(-0.5, len(ticks) - 0.5))
            axes.set_xticklabels(ticks, fontsize=8)
        axes.set(title=name.replace("_", " "))
        axes.grid()
    for axes in panels[len(names) :]:
        axes.remove()
    figure.supylabel("accuracy in %", fontsize=10)
    return figure


@with_style
def importance_figure(shares: Mapping[str, float]) -> "Figure":
    """Draw the share of each setting by name, the largest above."""
    names = sorted(shares, key=lambda name: shares[name])[-MOST:]
    figure = new_figure(WIDTH, 0.8 + 0.3 * len(names))
    axes = figure.add_subplot()
    axes.barh([n.replace("_", " ") for n in names], [shares[n] for n in names], color=BLUE)
    axes.set(xlabel="share", xlim=(0, None))
    axes.grid(axis="x")
    return figure


@with_style
def front_figure(
    cost: Sequence[float], errors: Sequence[float], images: Sequence[int]
) -> "Figure":
    """Draw errors [N] (0 to 1) of some images [N] against costs [N]; the front is blue."""
    points = np.array([cost, errors], float)
    front = front_ranks(points.T) == 0
    figure = new_figure(WIDTH, 3.6)
    axes = figure.add_subplot()
    for member, colour, label in ((~front, INK, "dominated"), (front, BLUE, "front")):
        bounds = [wilson(round(e * n), n) for e, n in
                  zip(points[1, member], np.asarray(images)[member], strict=True)]  # fmt: skip
        low, high = np.array(bounds).reshape(-1, 2).T
        (x, y), alpha = points[:, member], 0.8 if colour == BLUE else 0.25
        bars = 100 * np.clip([y - low, high - y], 0, None)
        axes.errorbar(x, 100 * y, bars, fmt="o", color=colour, alpha=alpha, label=label)
    axes.set(xscale="log", xlabel="operations of an example", ylabel="errors in %")
    axes.legend()
    axes.grid()
    return figure


def points_of(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    """Return (operations, errors) of trials after the most epochs that each trained."""
    errors = [1 - max(t.scores[max(t.scores)].accuracy, 0.0) for t in trials]
    return [trial.operations for trial in trials], errors


def _places(entry: Any, values: Sequence[Any]) -> tuple[list[float], list[str] | None]:
    """Return the places of values on an axis, and the texts of ticks of a choice."""
    if not isinstance(entry, Choice):
        return [float(value) for value in values], None
    texts = [text_of(value) for value in values]
    known = dict.fromkeys([*(text_of(v) for v in entry.values), *texts])
    ticks = [text for text in known if text in texts]
    return [float(ticks.index(text)) for text in texts], ticks


def _importance(
    space: Space, settings: Sequence[Mapping[str, Any]], accuracy: Sequence[float]
) -> tuple[dict[str, float], str]:
    if shares := fanova(space, settings, accuracy):
        return shares, "by fANOVA, for the settings that all of them have."
    rows = importances(space, settings, accuracy)
    return {row.name: row.share for row in rows}, "by rank correlation."
