"""This library and its peers, timed in turn on one machine.

    python experiments/benchmark/peers/setup.py [PEER ...]         once: their environments
    python experiments/benchmark/run.py measure [WORKLOAD ...] [--participants NAME ...]
        [--rounds N] [--seconds S] [--threads N] [--results FILE]
    python experiments/benchmark/run.py check [WORKLOAD ...] [--participants NAME ...]
    python experiments/benchmark/run.py table

Each participant is a process of its own, in its own environment, which answers JSON lines.

    check      its forward pass on shared weights and inputs, against that of this library with
               the peer's neuron: the largest difference of the outputs
    measure    the check; then, in rounds, each participant in turn does steps for about
               `--seconds`, while the others wait: A B C A B C ...
    table      the Markdown tables of docs/benchmark.md: of bench.json, which `jaxdigits bench
               --json experiments/benchmark/bench.json` writes; of results.json; of limits.json
               (`--results experiments/benchmark/limits.json --participants floor "floor by
               PyTorch" PyTorch "PyTorch compiled" --seconds 0.7 --rounds 3`); and of
               newest.json, the same with `--participants "ours, newest jax"`

All use the same cores, `--threads` of them, and the same settings of the allocator.  Results
join results.json, or FILE, after each workload.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from participants import ENVIRONMENT, LATER, PARTICIPANTS, Client, Failed
from specs import SPECS, check_arrays, check_spec, images, save
from table import tables

from jaxdigits.bench import machine, quartiles
from jaxdigits.fast.flags import set_flags
from jaxdigits.runs.plain_files import write_json

HERE = Path(__file__).parent
RESULTS, BENCH = HERE / "results.json", HERE / "bench.json"
LIMITS, NEWEST = HERE / "limits.json", HERE / "newest.json"
LOG = HERE / "peers" / ".venv" / "participants.log"
SCHEMA, VERSION = "jaxdigits-peers", 1
PAUSE = 0.3  # seconds between turns: threads that spin for work go to sleep
MOST = 500  # steps in a turn

Results = dict[str, Any]


def check(name: str, client: Client, about: dict[str, Any], ours: Client, folder: Path) -> dict:
    """Return a peer's distance from our outputs with its neuron, on shared inputs."""
    spec = check_spec(SPECS[name])
    arrays = check_arrays(spec, shrinks=about["shrinks"])
    inputs = str(save(folder / "inputs.npz", arrays))
    theirs, own = str(folder / "theirs.npz"), str(folder / "own.npz")
    client.ask("check", spec=spec, inputs=inputs, outputs=theirs)
    ours.ask("check", spec=spec, inputs=inputs, outputs=own, neuron=about["neuron"])
    with np.load(theirs) as a, np.load(own) as b:
        y, wanted = a["y"].astype(float), b["y"].astype(float)
    return dict(
        neuron=about["neuron"] if "snn" in spec["kind"] else None,
        max_difference=float(np.abs(y - wanted).max()),
        different_share=float((np.abs(y - wanted) > 1e-3).mean()),
        mean_output=float(np.abs(wanted).mean()),  # a silent network agrees with any other
    )


def measure(name: str, clients: dict[str, Client], images_file: Path, options) -> Results:
    """Return each participant's times in a workload, and their ratio to ours, per round."""
    spec, rows, steps = SPECS[name] | {"name": name}, {}, {}
    for who, client in list(clients.items()):
        try:
            ready = client.ask("prepare", spec=spec, images=str(images_file))
            first = client.ask("run", steps=2)["seconds"][-1]
        except Failed as error:
            rows[who] = {"error": str(error)}
            print(f"  {who}: {error}", flush=True)
            del clients[who]
            continue
        rows[who] = {"prepare_seconds": ready["prepare_seconds"], "turns": []}
        steps[who] = max(1, min(MOST, math.ceil(options.seconds / first)))
    everything: dict[str, list[float]] = {who: [] for who in clients}
    for _ in range(options.rounds):
        for who, client in clients.items():
            time.sleep(PAUSE)
            done = client.ask("run", steps=steps[who])
            everything[who] += done["seconds"]
            rows[who]["turns"].append(quartiles(done["seconds"]).median)
            rows[who]["peak_rss_bytes"] = done["peak_rss_bytes"]
    for who in clients:
        row = rows[who]
        row["step_seconds"] = quartiles(everything[who])._asdict()
        ratio = [t / o for t, o in zip(row["turns"], rows["ours"]["turns"], strict=True)]
        row["ratio_to_ours"] = quartiles(ratio)._asdict()
        median, times = 1e3 * row["step_seconds"]["median"], row["ratio_to_ours"]["median"]
        print(f"  {who:22s} {median:10.3f} ms  {times:.2f} × ours", flush=True)
    return rows


def workload(name: str, names: list[str], results: Results, options) -> None:
    """Check and time a workload with all capable participants, and add to the results."""
    print(f"{name}:", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        images_file = save(folder / "images.npz", images(SPECS[name]))
        clients, checks = {}, {}
        for who in names:
            try:
                client = Client(who, threads=options.threads, log=LOG)
                stack.enter_context(client)
                about = client.ask("describe")
                results["participants"][who] = about
                if name not in about["workloads"]:
                    client.close()
                    continue
                if who != "ours" and not client.is_floor and "ours" in clients:
                    found = check(name, client, about, clients["ours"], folder)
                    checks[who] = found
                    print(
                        f"  {who}: largest difference {found['max_difference']:.2g}, "
                        f"mean output {found['mean_output']:.2g}",
                        flush=True,
                    )
            except Failed as error:
                results["participants"].setdefault(who, {})["error"] = str(error)
                print(f"  {who}: {error}", flush=True)
            else:
                clients[who] = client
        results["checks"].setdefault(name, {}).update(checks)
        if options.command == "measure":
            rows = measure(name, clients, images_file, options)
            results["rows"].setdefault(name, {}).update(rows)


def load(path: Path) -> Results:
    """Return the results of a file so far."""
    if path.exists():
        results = json.loads(path.read_text())
        if (results.get("schema"), results.get("version")) != (SCHEMA, VERSION):
            raise SystemExit(f"{path} has another schema: move it away first")
        return results
    return dict(schema=SCHEMA, version=VERSION, participants={}, checks={}, rows={})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["measure", "check", "table"])
    parser.add_argument("workloads", nargs="*")
    usual = [who for who in PARTICIPANTS if who not in LATER]
    parser.add_argument("--participants", nargs="+", default=usual)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a participant's turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.command == "table":
        bench = json.loads(BENCH.read_text()) if BENCH.exists() else {"rows": {}}
        print(tables(bench, *map(load, (RESULTS, LIMITS, NEWEST))))
        return
    for given, known in ((options.workloads, SPECS), (options.participants, PARTICIPANTS)):
        if unknown := [name for name in given if name not in known]:
            sys.exit(f"unknown {unknown[0]!r}: choose from {', '.join(known)}")
    # Ours is always there: the others are compared with it.
    names = ["ours", *(who for who in options.participants if who != "ours")]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    set_flags()  # for all that run on JAX, as `jaxdigits` sets them
    results = load(options.results) | dict(
        machine=machine(), threads=options.threads, environment=ENVIRONMENT,
        rounds=options.rounds, seconds=options.seconds,
    )  # fmt: skip
    for name in options.workloads or SPECS:
        workload(name, names, results, options)
        for part in ("checks", "rows"):
            of = results[part]
            results[part] = {known: of[known] for known in SPECS if known in of}
        write_json(options.results, results)


if __name__ == "__main__":
    main()
