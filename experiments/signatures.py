"""Signatures of writers that no training step saw: equal errors, decisions, imitations.

    JAXDIGITS_DATA=FOLDER python experiments/signatures.py run embedding 0
    python experiments/signatures.py table

`run` trains a network with a seed (`jaxdigits train NETWORK --seed SEED`), or continues its
training where it stopped; 13 writers choose the epoch and teach the decisions.  Then it reads
the 20 test writers once: the equal error beside the same name by other hands (all pairs are of
two media) and beside other names, with an interval over writers (bootstrap), once more without
the cohort; the operations of a picture and their energy; and the decisions on three people's
genuine and imitated signatures, which are too few for a rate.  All are joined in
signatures.json.
"""

import json
import sys
from itertools import combinations
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
from jaxdigits.measure import energy, synops
from jaxdigits.measure.synops import TABLES
from jaxdigits.runs import config_for, finish_run, load_run, predict, run_job
from jaxdigits.runs.answer import members_of
from jaxdigits.runs.job import Checkpointing
from jaxdigits.runs.verification import (
    joined,
    load_comparison,
    measure_decisions,
    pictures_of,
)
from jaxdigits.verify import distances, equal_error, scores_of

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "signatures"
NETWORKS, REFERENCES = ("embedding", "spiking_embedding"), (1, 3)
DRAWS = 1000  # of writers
COUNTED = 100  # pictures whose operations are counted


def train(network: str, seed: int, folder: Path) -> None:
    """Train a network, or continue where its training stopped."""
    if (folder / "result.json").is_file():
        return
    files = Checkpointing(resume=(folder / "config.json").is_file())
    config = config_for(network, seed=seed)
    outcome = run_job(config, *signatures(), folder, print, checkpointing=files)
    finish_run(folder, {"seconds": outcome.seconds, "best_epoch": outcome.best_epoch})


def test(folder: Path) -> dict[str, Any]:
    """Return the errors on test writers, with intervals, and the operations of a picture."""
    run, comparison = load_run(folder), load_comparison(folder)
    hands = signatures()[1].inputs
    points_of = lambda x: predict(run, x)
    picture, writer, name = pictures_of(hands)
    points = joined(points_of(picture))
    nobody = comparison.cohort[:0]
    rows = {
        f"{kind}, {n}{more}": _with_interval(points, writer, name, n, kind, cohort)
        for more, cohort in (("", comparison.cohort), (", no cohort", nobody))
        for n in REFERENCES
        for kind in ("impostor", "simple")
    }
    decisions = measure_decisions(points_of, comparison, hands)
    each = [row._asdict() | {"errors": row.errors._asdict()} for row in decisions]
    return dict(errors=rows, decisions=each, machine=machine(),
                operations=_operations(run, picture[:COUNTED]))  # fmt: skip


def _with_interval(points, writer, name, references: int, kind: str, cohort) -> list[float]:
    """Return the equal error and its 95 % interval over writers, drawn with repetition."""
    of = lambda rows: scores_of(points[rows], writer[rows], name[rows], references, cohort)
    whole, writers = of(np.ones(len(writer), bool)), np.unique(writer)
    pairs = np.array(list(combinations(range(len(writers)), 2)))
    each = [of(np.isin(writer, writers[pair])) for pair in pairs]
    kinds = [[getattr(scores, which) for scores in each] for which in ("genuine", kind)]
    score = np.concatenate([np.concatenate(kind) for kind in kinds])
    pair = np.concatenate([np.repeat(np.arange(len(each)), list(map(len, k))) for k in kinds])
    genuine = np.arange(len(score)) < sum(map(len, kinds[0]))
    order = np.argsort(score, kind="stable")
    pair, genuine = pair[order], genuine[order]
    rng, draws = np.random.default_rng(0), []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, len(writers), len(writers)), minlength=len(writers))
        weight = times[pairs].prod(1)[pair]
        missed = 1 - np.cumsum(weight * genuine) / (weight * genuine).sum()
        passed = np.cumsum(weight * ~genuine) / (weight * ~genuine).sum()
        at = np.abs(missed - passed).argmin()
        draws.append((missed[at] + passed[at]) / 2)
    low, high = np.quantile(draws, [0.025, 0.975])
    return [equal_error(whole.genuine, getattr(whole, kind)), float(low), float(high)]


def forged(folder: Path) -> dict[str, Any]:
    """Return {person: {genuine, forged: {decision: number}}}, by three references."""
    run, comparison = load_run(folder), load_comparison(folder)
    place = next(p for p in places("signatures_forged") if p.is_dir())
    files = sorted(place.glob("*.png"))
    ink = np.stack([read_signature(path).ink for path in files])
    points = dict(zip(files, joined(predict(run, ink)), strict=True))
    counts: dict[str, Any] = {}
    for person in sorted({path.name[:3] for path in files}):
        own = [path for path in files if path.name.startswith(person)]
        genuine = [path for path in own if "_genuine-" in path.name]
        references = np.stack([points[path] for path in genuine[:3]])
        rows = {"genuine": genuine[3:], "forged": [path for path in own if path not in genuine]}
        for kind, paths in rows.items():
            questioned = np.stack([points[path] for path in paths])
            score = distances(questioned, references, comparison.cohort).mean(1)
            words = [comparison.calibrations[2].decide(s) for s in score]
            count = {word: words.count(word) for word in sorted(set(words))}
            counts.setdefault(person, {})[kind] = count
    return counts


def _operations(run, picture) -> dict[str, float]:
    params, statistics, key = members_of(run)[0]
    whole = run.config.build()(training=False, statistics=statistics)
    network = whole.about.find(each_view).arguments["layer"]
    keys = jax.random.split(key, len(picture))
    ops = jax.jit(lambda p, x: synops(network, p, x, keys))(params, picture)
    counts = {name: float(np.mean(getattr(ops, name))) for name in ("acs", "macs", "dense")}
    return counts | {"nJ": float(np.mean(energy(ops, TABLES["fp32"])))}


def tables(results: dict[str, Any]) -> list[str]:
    """Return the errors of both networks, and the decisions on imitations, as Markdown."""
    return [_table_of_errors(results), _table_of_imitations(results)]


def _table_of_errors(results: dict[str, Any]) -> str:
    """Return the errors of both networks, means over seeds, as Markdown."""
    lines = ["| network | seeds | same name, 1 | 3 | another name, 1 | 3 | nJ a picture |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for network in NETWORKS:
        rows = _rows_of(results, network)
        if not rows:
            continue
        for more in ("", ", no cohort"):
            cells = []
            for key in ("impostor, 1", "impostor, 3", "simple, 1", "simple, 3"):
                mean = 100 * np.mean([row["errors"][key + more] for row in rows], 0)
                cells.append(f"{mean[0]:.1f} % ({mean[1]:.1f} to {mean[2]:.1f})")
            spent = np.mean([row["operations"]["nJ"] for row in rows])
            lines.append(
                f"| {network}{more} | {len(rows)} | {' | '.join(cells)} | {spent:,.0f} |"
            )
    return "\n".join(lines)


def _table_of_imitations(results: dict[str, Any]) -> str:
    """Return the decisions on three people's signatures, of the first seed, as Markdown."""
    words = ("same hand", "cannot say", "another hand")
    lines = [f"| network | person | signatures | {' | '.join(words)} |",
             "| --- | --- | --- | ---: | ---: | ---: |"]  # fmt: skip
    for network in NETWORKS:
        for row in _rows_of(results, network)[:1]:
            for person, kinds in row["forged"].items():
                for kind, counts in kinds.items():
                    numbers = " | ".join(str(counts.get(word, 0)) for word in words)
                    lines.append(f"| {network} | {person} | {kind} | {numbers} |")
    return "\n".join(lines)


def _rows_of(results: dict[str, Any], network: str) -> list[dict[str, Any]]:
    """Return the rows of a network's seeds, in order."""
    rows = sorted(results["rows"].items())
    return [row for name, row in rows if name.rsplit("-", 1)[0] == network]


def main() -> None:
    command, *arguments = sys.argv[1:] or ["table"]
    if command == "table":
        results = json.loads(RESULTS.read_text())
        print(*tables(results), sep="\n\n")
        return
    if command != "run" or len(arguments) != 2 or arguments[0] not in NETWORKS:
        sys.exit(f"run NETWORK SEED, of {' or '.join(NETWORKS)}; or table")
    network, seed = arguments[0], int(arguments[1])
    folder = RUNS / f"{network}-{seed}"
    train(network, seed, folder)
    row = test(folder) | {"forged": forged(folder)}
    row |= json.loads((folder / "result.json").read_text())
    print(row)
    join(RESULTS, {}, lambda r: r.setdefault("rows", {}).update({folder.name: row}))


if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    main()
