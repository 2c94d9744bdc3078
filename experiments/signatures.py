"""Signatures of writers that no training step saw: equal errors, decisions, imitations.

    JAXDIGITS_DATA=FOLDER python experiments/signatures.py train embedding 0
    JAXDIGITS_DATA=FOLDER python experiments/signatures.py test embedding 0
    JAXDIGITS_DATA=FOLDER python experiments/signatures.py forged embedding 0
    python experiments/signatures.py table

`train` is `jaxdigits train NETWORK --seed SEED`; 13 writers choose its epoch and teach its
decisions.  `test` reads the 20 test writers once: the equal error beside the same name by
other hands (all pairs are of two media) and beside other names, with an interval over
writers (bootstrap).  `forged` counts the decisions on three people's genuine and imitated
signatures, which are too few for a rate.  All are joined in signatures.json.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from core import machine
from trained import join

from jaxdigits.data import read_signature, signatures
from jaxdigits.data.cache import places
from jaxdigits.fast.flags import set_flags
from jaxdigits.layers import each_view
from jaxdigits.measure import synops
from jaxdigits.runs import config_for, finish_run, load_run, predict, run_job
from jaxdigits.runs.job import members_of
from jaxdigits.runs.verification import (
    joined,
    load_calibrations,
    measure_decisions,
    pictures_of,
)
from jaxdigits.verify import distances, equal_error, scores_of

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "signatures"
NETWORKS, SEEDS, REFERENCES = ("embedding", "spiking_embedding"), range(5), (1, 3)
DRAWS = 1000  # of writers
COUNTED = 100  # pictures whose operations are counted


def train(network: str, seed: int, folder: Path) -> None:
    """Train a network, unless its run is there."""
    if not folder.is_dir():
        outcome = run_job(config_for(network, seed=seed), *signatures(), folder)
        finish_run(folder, {"seconds": outcome.seconds, "valid": outcome.valid_accuracy})


def test(network: str, seed: int, folder: Path) -> dict[str, Any]:
    """Return the errors on test writers, with intervals, and the operations of a picture."""
    run, hands = load_run(folder), signatures()[1].inputs
    points_of = lambda x: predict(run, x)
    picture, writer, name = pictures_of(hands)
    points = joined(points_of(picture))
    rows: dict[str, Any] = {}
    for references in REFERENCES:
        for kind in ("impostor", "simple"):
            rows[f"{kind}, {references}"] = _with_interval(
                points, writer, name, references, kind
            )
    decisions = measure_decisions(points_of, load_calibrations(folder), hands)
    return dict(
        errors=rows, decisions=[row._asdict() for row in decisions], machine=machine(),
        operations=_operations(run, picture[:COUNTED]),
    )  # fmt: skip


def _with_interval(points, writer, name, references: int, kind: str) -> list[float]:
    """Return the equal error and its 95 % interval over writers."""
    whole = scores_of(points, writer, name, references)
    rng, writers, draws = np.random.default_rng(0), np.unique(writer), []
    near = distances(points, points)
    for _ in range(DRAWS):
        drawn = rng.choice(writers, len(writers))
        draws.append(_resampled(near, writer, name, references, kind, drawn))
    low, high = np.quantile(draws, [0.025, 0.975])
    return [equal_error(whole.genuine, getattr(whole, kind)), float(low), float(high)]


def _resampled(near, writer, name, references: int, kind: str, drawn) -> float:
    """Return the equal error of writers drawn with repetition."""
    genuine, others = [], []
    for w in drawn:
        for n in np.unique(name):
            own = np.flatnonzero((writer == w) & (name == n))
            if len(own) <= references:
                continue
            for i, questioned in enumerate(own):
                genuine.append(near[questioned, np.delete(own, i)[:references]].mean())
            for v in drawn[drawn != w][:4]:
                there = (writer == v) & ((name == n) if kind == "impostor" else (name != n))
                others.append(near[own[:references]].mean(0)[there])
    return equal_error(np.array(genuine), np.concatenate(others))


def forged(network: str, seed: int, folder: Path) -> dict[str, Any]:
    """Return {person: {genuine, forged: {decision: number}}}, by three references."""
    run, calibrations = load_run(folder), load_calibrations(folder)
    place = next(p for p in places("signatures_forged") if p.is_dir())
    counts: dict[str, Any] = {}
    files = sorted(place.glob("*.png"))
    ink = np.stack([read_signature(path).ink for path in files])
    points = dict(zip(files, joined(predict(run, ink)), strict=True))
    for person in sorted({path.name[:3] for path in files}):
        own = [path for path in files if path.name.startswith(person)]
        genuine = [path for path in own if re.search(r"_genuine-", path.name)]
        references = np.stack([points[path] for path in genuine[:3]])
        rows = {"genuine": genuine[3:], "forged": [path for path in own if path not in genuine]}
        counts[person] = {}
        for kind, paths in rows.items():
            score = distances(np.stack([points[p] for p in paths]), references).mean(1)
            words = [calibrations[2].decide(s) for s in score]
            counts[person][kind] = {w: words.count(w) for w in sorted(set(words))}
    return counts


def _operations(run, picture) -> dict[str, float]:
    params, statistics, key = members_of(run)[0]
    whole = run.config.build()(training=False, statistics=statistics)
    network = whole.about.find(each_view).arguments["layer"]
    keys = jax.random.split(key, len(picture))
    ops = jax.jit(lambda p, x: synops(network, p, x, keys))(params, picture)
    return {name: float(np.mean(getattr(ops, name))) for name in ("acs", "macs", "dense")}


def table(results: dict[str, Any]) -> str:
    """Return the errors of both networks, seed by seed, as Markdown."""
    lines = ["| network | seeds | same name, 1 reference | 3 | another name, 1 | 3 |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for network in NETWORKS:
        rows = [
            results["test"][key] for key in results["test"] if key.startswith(f"{network}-")
        ]
        if not rows:
            continue
        cells = []
        for key in ("impostor, 1", "impostor, 3", "simple, 1", "simple, 3"):
            each = np.array([100 * np.array(row["errors"][key]) for row in rows])
            mean = each.mean(0)
            cells.append(f"{mean[0]:.1f} % ({mean[1]:.1f} to {mean[2]:.1f})")
        lines.append(f"| {network} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    command, *arguments = sys.argv[1:] or ["table"]
    if command == "table":
        print(table(json.loads(RESULTS.read_text())))
        return
    network, seed = arguments[0], int(arguments[1])
    folder = RUNS / f"{network}-{seed}"
    if command == "train":
        train(network, seed, folder)
        return
    row = {"test": test, "forged": forged}[command](network, seed, folder)
    print(row)
    join(RESULTS, {}, lambda r: r.setdefault(command, {}).update({folder.name: row}))


if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    main()
