"""Eight networks in one program: all members together by `jax.vmap`, in turn, or one by one.

    python experiments/members.py [--seconds 20] [NETWORK ...]      measure
    python experiments/members.py table                             as Markdown

trains eight members of each network on the built-in digits, `UPDATES` at a time, in three ways
that take turns in one process: one program of all members together, one of all in turn, and
the program of one network eight times.  Ratios are to the third way, turn by turn: of the time
on the clock, and of the processor's time, which other programs disturb less.  The JSON has
the quartiles of both.  Programs are compiled and warm before.  Results join members.json.

`jaxdigits.train.members` takes its default from these numbers: in turn where members together
cost 1.5 times as much.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from core import machine

from jaxdigits.data import digits
from jaxdigits.fast.flags import set_flags
from jaxdigits.models import NETWORKS as BUILDERS
from jaxdigits.train import Recipe, adamw, initial_state
from jaxdigits.train.loop import programs_of
from jaxdigits.train.members import take_turns

RESULTS = Path(__file__).with_suffix(".json")
MEMBERS, BATCH, UPDATES, FEWEST = 8, 64, 2, 7
WAYS = ("together", "in turn", "one by one")
NETWORKS: dict[str, Callable] = {
    "mlp 128": partial(BUILDERS["mlp"], hidden=(128,)),
    "mlp 512": partial(BUILDERS["mlp"], hidden=(512,)),
    "snn 128": partial(BUILDERS["snn"], hidden=(128,), steps=10),
    "event_snn 64": partial(BUILDERS["event_snn"], hidden=(64,)),
    "cnn 8-16": partial(BUILDERS["cnn"], channels=(8, 16), hidden=(64,)),
    "conv_snn 6-12": partial(BUILDERS["conv_snn"], channels=(6, 12), steps=4),
}


def ways_of(build: Callable) -> dict[str, Callable[[], None]]:
    """Return a function for each way that makes `UPDATES` updates of every member."""
    train, valid = digits()
    train, valid = train[:1024], valid[:64]
    recipe = Recipe(build, adamw(1e-3, 10_000), epochs=1, batch=BATCH)
    keys = jax.random.split(jax.random.key(0), MEMBERS)
    start = jax.jit(jax.vmap(lambda key: initial_state(recipe, (28, 28), key)))

    def way(members: Any) -> Callable[[], None]:
        own: Any = replace(recipe, members=members)
        many = members is not None
        chunk = programs_of(own, train, valid, every=UPDATES, many=many).chunk
        state = start(keys)
        states = [state] if many else [
            jax.tree.map(lambda a: a[i], state) for i in range(MEMBERS)
        ]  # fmt: skip

        def update() -> None:
            for i, state in enumerate(states):
                states[i], losses = chunk((), state, train)
                losses.block_until_ready()

        return update

    return {name: way(None if name == WAYS[2] else name) for name in WAYS}


def measured(build: Callable, seconds: float) -> dict[str, Any]:
    """Return the time of each way for an update of a member, and its ratios to one by one."""
    ways = ways_of(build)
    for _ in range(2):  # to compile, and to warm up
        for update in ways.values():
            update()
    rows: list[dict[str, tuple[float, float]]] = []
    began = time.perf_counter()
    while len(rows) < FEWEST or time.perf_counter() - began < seconds:
        row = {}
        for name, update in ways.items():
            clock, processor = time.perf_counter(), time.process_time()
            update()
            row[name] = time.perf_counter() - clock, time.process_time() - processor
        rows.append(row)

    def ratio(name: str, i: int) -> list[float]:
        each = [row[name][i] / row[WAYS[2]][i] for row in rows]
        return np.quantile(each, [0.25, 0.5, 0.75]).round(3).tolist()

    per_update = lambda name, i: np.median([row[name][i] for row in rows]) / MEMBERS / UPDATES
    return {
        "milliseconds": {name: round(1e3 * per_update(name, 0), 3) for name in WAYS},
        "processor": {name: ratio(name, 1) for name in WAYS[:2]},
        "clock": {name: ratio(name, 0) for name in WAYS[:2]},
        "turns": len(rows),
    }


def table(results: dict[str, Any]) -> str:
    """Return the medians of the processor's time as Markdown."""
    lines = ["| network | together | in turn | default |", "| --- | --- | --- | --- |"]
    for name, build in NETWORKS.items():
        row = results["networks"][name]["processor"]
        both = " | ".join(f"{row[way][1]:.2f}" for way in WAYS[:2])
        lines.append(f"| `{name}` | {both} | {WAYS[take_turns(None, build())]} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Members together and in turn")
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    if args.networks == ["table"]:
        print(table(json.loads(RESULTS.read_text())))
        return
    set_flags()  # as `jaxdigits` sets them
    for name in args.networks:
        row = measured(NETWORKS[name], args.seconds)
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results["machine"] = machine()
        results.setdefault("networks", {})[name] = row
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(name, json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
