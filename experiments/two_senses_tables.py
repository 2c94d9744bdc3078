"""Tables, figures and claims of docs/multimodal.md, from two_senses.json."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from jaxdigits.data import SPEAKERS
from jaxdigits.measure import wilson
from jaxdigits.plots import lines_figure

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SEEDS, PAIRS = 3, 10_000
FUSIONS = ("early", "middle", "late")
DECIBELS = (20, 15, 10, 5, 0, -5)
SEVERITIES = (1, 2, 3, 4, 5)


def table(results: dict[str, Any]) -> str:
    """Return the arms as a Markdown table."""
    head = ["network", "test accuracy", "seeds", "95 % interval", "no sound", "no image",
            "conflict, area"]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    arms = results.get("arms", {})
    for name in (n for n in ("image", "sound", *FUSIONS, "events") if n in arms):
        rows = list(arms[name].values())
        mean = lambda of, rows=rows: statistics.mean(row[of] for row in rows)
        ends = [row["interval"] if row["wrong"] else wilson(PAIRS, PAIRS) for row in rows]
        interval = [100 * statistics.mean(end[i] for end in ends) for i in (0, 1)]
        cells = [name, spread([row["test"] for row in rows]), str(len(rows)),
                 f"[{interval[0]:.2f}, {interval[1]:.2f}]"]  # fmt: skip
        for key in ("without sound", "without image"):
            cells.append(spread([row[key] for row in rows]) if key in rows[0] else "")
        cells.append(f"{mean('conflict'):.4f}" if "conflict" in rows[0] else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def speakers_table(results: dict[str, Any]) -> str:
    """Return the speakers never heard, as a Markdown table."""
    lines = ["| never heard | sound | image and sound |", "| --- | ---: | ---: |"]
    rows, names = results.get("speakers", {}), ("sound", "middle")
    shares = lambda name: [row[name]["test"] for row in rows.values() if name in row]
    for speaker, row in sorted(rows.items()):
        cells = [f"{100 * row[name]['test']:.2f} %" if name in row else "" for name in names]
        lines.append(f"| {speaker} | {' | '.join(cells)} |")
    cells = [spread(shares(n)) if len(shares(n)) == len(SPEAKERS) else "" for n in names]
    if any(cells):
        lines.append(f"| mean | {' | '.join(cells)} |")
    return "\n".join(lines)


def differences(results: dict[str, Any]) -> dict[str, float]:
    """Return McNemar's largest p over the seeds, of each fusion against each sense alone."""

    def right(name: str, seed: str) -> np.ndarray:
        return ~np.isin(np.arange(PAIRS), results["arms"][name][seed]["wrong"])

    def mcnemar(one: np.ndarray, other: np.ndarray) -> float:
        only, only_other = int((one & ~other).sum()), int((other & ~one).sum())
        return float(binomtest(only, only + only_other).pvalue)

    return {
        f"{fusion} and {sense}": max(
            mcnemar(right(fusion, seed), right(sense, seed)) for seed in map(str, range(SEEDS))
        )
        for fusion in FUSIONS
        for sense in ("image", "sound")
    }


def lead(results: dict[str, Any]) -> float:
    """Return the least gain of both senses over the better one, in points."""
    rows = results["noise"].values()
    return 100 * min(row["middle"] - max(row["image"], row["sound"]) for row in rows)


def noise_table(results: dict[str, Any]) -> str:
    """Return the accuracies where image and sound are both worse, as a Markdown table."""
    lines = ["| image, severity | sound over noise | image | sound | both |",
             "| ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for severity, decibels in zip(SEVERITIES, DECIBELS[1:], strict=True):
        if (row := results.get("noise", {}).get(f"{severity} {decibels}")) is None:
            continue
        cells = [f"{100 * row[name]:.2f} %" for name in ("image", "sound", "middle")]
        lines.append(f"| {severity} | {decibels} dB | {' | '.join(cells)} |")
    return "\n".join(lines)


def missed(results: dict[str, Any], fusion: str) -> dict[str, float]:
    """Return how far a fusion with one sense is below the network of that sense, in points."""
    mean = lambda name, of: statistics.mean(r[of] for r in results["arms"][name].values())
    others = {"image": "without sound", "sound": "without image"}
    return {s: 100 * (mean(s, "test") - mean(fusion, of)) for s, of in others.items()}


def claims(results: dict[str, Any]) -> Iterator[str]:
    """Yield the claims of docs/multimodal.md in words, as far as all arms are there."""
    arms = results.get("arms", {})
    if all(len(arms.get(name, {})) == SEEDS for name in ("image", "sound", *FUSIONS)):
        yield f"McNemar's p is {max(differences(results).values()):.0e} at most"
        for fusion in FUSIONS:
            image, sound = missed(results, fusion).values()
            yield f"{fusion} fusion {image:.2f} and {sound:.2f} points"
        minutes = [row["seconds"] / 60 for row in arms["middle"].values()]
        yield f"middle fusion took {min(minutes):.0f} to {max(minutes):.0f} minutes"
    if "noise" in results:
        yield f"at least {lead(results):.2f} points above the better one"


def spread(shares: list[float]) -> str:
    """Return mean and standard deviation, in percent."""
    deviation = f" ± {100 * statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * statistics.mean(shares):.2f}{deviation} %"


def draw(results: dict[str, Any]) -> None:
    """Draw accuracy against noise, for the eye, the ear and both."""
    found = results["noise"]
    for sense, places in (("image", SEVERITIES), ("sound", DECIBELS)):
        at = [f"{p} clean" if sense == "image" else f"clean {p}" for p in places]
        named = {"image": "image", "sound": "sound", "both": "middle"}
        lines = {n: 100 * np.array([found[k][of] for k in at]) for n, of in named.items()}
        unit = (
            "severity of noise in the image" if sense == "image" else "decibels, sound to noise"
        )
        figure = lines_figure(np.array(places), lines, x_label=unit, y_label="accuracy in %")
        figure.savefig(IMAGES / f"two_senses_{sense}.png", dpi=110)
