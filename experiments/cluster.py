"""Training on four hosts that this machine plays: each has a network of its own.

    sudo python experiments/cluster.py [PART ...]      Linux; writes cluster.json as it goes
    python experiments/cluster.py table

Each host is a network namespace with an address, and a pair of virtual cards to one bridge.
`jaxdigits train --coordinator 10.77.0.1:PORT --processes N --process I` runs in each.

    share       1, 2 and 4 hosts share each batch: examples a second, bytes a step, params apart
    population  8 networks on 4 hosts, two each: params apart from those of one process
    kill        one host of four is killed after a checkpoint; three go on from it
    cut         one host's network is down for 20 s; what happens, and three go on
    project     the time of a step on 8, 64 and 512 H200s, on paper

Hosts share two cores, so examples a second show the cost of talking, not its gain.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from core import machine

from jaxdigits.runs import load_run
from jaxdigits.tree import named_leaves

RESULTS = Path(__file__).with_suffix(".json")
ABSENT = Path(__file__).with_name("absent.json")
HOSTS, PORT, BRIDGE = 4, 4321, "jaxdigits0"
PATIENCE = 300.0  # seconds
BATCH = 120  # examples: a multiple of 2, 3 and 4 hosts
SNN = ("snn", "--hidden", "64", "--steps", "10", "--batch", str(BATCH))
MLP = ("mlp", "--hidden", "32", "--seeds", "8", "--epochs", "3")
LAUNCH = 2.5e-6  # seconds to start a kernel
NVLINK, FABRIC = 450e9, 50e9  # bytes a second of an H200 to its neighbours, and to other nodes
HOP = 5e-6  # seconds of a message
NODE = 8  # chips that NVLink joins


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def network(hosts: int) -> Iterator[None]:
    """Give each host a namespace, an address 10.77.0.x and a cable to one bridge."""
    if os.geteuid() != 0:
        raise SystemExit("cluster.py makes network namespaces: run it as root")
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "up")
        for i in range(1, hosts + 1):
            # Collectives listen where the host's own name leads: each host has its own answer.
            names = Path(f"/etc/netns/jd{i}/hosts")
            names.parent.mkdir(parents=True, exist_ok=True)
            names.write_text(f"127.0.0.1 localhost\n10.77.0.{i} {socket.gethostname()}\n")
            ip("netns", "add", f"jd{i}")
            ip(
                "link",
                "add",
                f"jd{i}",
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                f"jd{i}",
            )
            ip("link", "set", f"jd{i}", "master", BRIDGE, "up")
            ip("-n", f"jd{i}", "addr", "add", f"10.77.0.{i}/24", "dev", "eth0")
            ip("-n", f"jd{i}", "link", "set", "eth0", "up")
            ip("-n", f"jd{i}", "link", "set", "lo", "up")
        yield
    finally:
        for i in range(1, hosts + 1):
            subprocess.run(["ip", "netns", "del", f"jd{i}"], stderr=subprocess.DEVNULL)
            shutil.rmtree(f"/etc/netns/jd{i}", ignore_errors=True)
        subprocess.run(["ip", "link", "del", BRIDGE], stderr=subprocess.DEVNULL)


def start(hosts: int, *command: str) -> list[subprocess.Popen]:
    """Start a training in the first of the hosts; of one host, without a coordinator."""
    program = [
        sys.executable,
        "-c",
        "from jaxdigits.cli import main; main()",
        "train",
        *command,
    ]
    group = (
        ["--coordinator", f"10.77.0.1:{PORT}", "--processes", str(hosts)] if hosts > 1 else []
    )
    return [
        subprocess.Popen(
            ["ip", "netns", "exec", f"jd{i + 1}", *program, *group,
             *(["--process", str(i)] if group else [])],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for i in range(hosts)
    ]  # fmt: skip


def wait(processes: list[subprocess.Popen]) -> list[int]:
    """Return the exit codes; 124 for a process that had to be ended."""
    codes, end = [], time.monotonic() + PATIENCE
    for process in processes:
        try:
            process.communicate(timeout=max(1.0, end - time.monotonic()))
            codes.append(process.returncode)
        except subprocess.TimeoutExpired:
            process.kill()
            codes.append(124)
    return codes


def sent(hosts: int) -> int:
    """Return the bytes that the hosts have sent."""
    total = 0
    for i in range(1, hosts + 1):
        text = subprocess.run(
            ["ip", "-n", f"jd{i}", "-s", "-j", "link", "show", "eth0"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        total += json.loads(text)[0]["stats64"]["tx"]["bytes"]
    return total


def rows_of(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def apart(one: Path, other: Path) -> float:
    """Return the largest difference of two runs' params."""
    a, b = (named_leaves(load_run(folder).params) for folder in (one, other))
    return max(float(np.abs(np.subtract(a[name], b[name])).max()) for name in a)


def share(work: Path) -> dict[str, Any]:
    rows, epochs = {}, 4
    for hosts in (1, 2, HOSTS):
        folder, before = work / f"share-{hosts}", sent(hosts)
        codes = wait(start(hosts, *SNN, "--epochs", str(epochs), "--out", str(folder)))
        history = rows_of(folder)
        updates = 1317 // BATCH
        rows[str(hosts)] = dict(
            codes=codes,
            per_second=round(updates * BATCH / np.median([r["seconds"] for r in history[1:]])),
            bytes_a_step=round((sent(hosts) - before) / (epochs * updates)),
            loss_apart=abs(history[0]["loss"] - rows_of(work / "share-1")[0]["loss"]),
            params_apart=apart(work / "share-1", folder),
        )
    return rows


def population(work: Path) -> dict[str, Any]:
    alone, together = work / "population-1", work / f"population-{HOSTS}"
    codes = wait(start(1, *MLP, "--out", str(alone)))
    codes += wait(start(HOSTS, *MLP, "--out", str(together)))
    return dict(codes=codes, params_apart=apart(alone, together))


def kill(work: Path) -> dict[str, Any]:
    return interrupted(work / "kill", lambda processes: processes[-1].kill())


def cut(work: Path) -> dict[str, Any]:
    def unplug(processes):
        ip("link", "set", f"jd{HOSTS}", "down")
        time.sleep(20)
        ip("link", "set", f"jd{HOSTS}", "up")

    return interrupted(work / "cut", unplug)


def interrupted(folder: Path, disturb: Any) -> dict[str, Any]:
    """Disturb a training of four hosts after its third epoch; three hosts go on from there."""
    epochs = 40
    processes = start(HOSTS, *SNN, "--epochs", str(epochs), "--out", str(folder))
    end = time.monotonic() + PATIENCE
    while len(rows_of(folder)) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    clock = time.monotonic()
    disturb(processes)
    codes = wait(processes)
    before = len(rows_of(folder))
    seconds = round(time.monotonic() - clock, 1)
    resumed: list[int] = []
    if any(codes):
        for process in processes:
            process.kill()
        resumed = wait(start(HOSTS - 1, "--resume", str(folder)))
    history = rows_of(folder)
    best = max(row["valid_accuracy"] for row in history)
    return dict(codes=codes, ended_after=seconds, epochs_before=before, resumed=resumed,
                epochs=len(history), accuracy=best)  # fmt: skip


def project(work: Path) -> dict[str, Any]:
    """Return the time of a step by chips: kernels to start, and a ring of all-reduce."""
    steps = json.loads(ABSENT.read_text())["targets"]["H200"]
    rows: dict[str, Any] = {}
    for name in ("mlp", "cnn", "snn", "conv_snn"):
        size = sum(steps[f"{name}, 4 chips"]["collectives"].values())
        compute = steps[name]["kernels"] * LAUNCH
        rows[name] = dict(bytes=size, alone=compute)
        for chips in (8, 64, 512):
            within, nodes = min(chips, NODE), max(1, chips // NODE)
            ring = 2 * size * (within - 1) / within / NVLINK + 2 * (within - 1) * HOP
            if nodes > 1:
                ring += 2 * size / within * (nodes - 1) / nodes / FABRIC + 2 * (nodes - 1) * HOP
            rows[name][str(chips)] = compute + ring
    return rows


PARTS = {f.__name__: f for f in (share, population, kill, cut, project)}


def table(results: dict[str, Any]) -> str:
    lines = ["| hosts | examples a second | kB sent a step | params apart |",
             "| ---: | ---: | ---: | ---: |"]  # fmt: skip
    for hosts, row in results["share"].items():
        lines.append(f"| {hosts} | {row['per_second']:,} | {row['bytes_a_step'] / 1e3:,.0f} "
                     f"| {row['params_apart']:.1e} |")  # fmt: skip
    lines += ["", "| network | kB a step | one chip | 8 | 64 | 512 |",
              "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for name, row in results.get("project", {}).items():
        micro = (f"{1e6 * row[k]:,.0f} µs" for k in ("alone", "8", "64", "512"))
        lines.append(f"| `{name}` | {row['bytes'] / 1e3:,.0f} | {' | '.join(micro)} |")
    return "\n".join(lines)


def main() -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if sys.argv[1:] != ["table"]:
        work = Path(tempfile.mkdtemp())
        with network(HOSTS):
            for name in sys.argv[1:] or PARTS:
                results |= {"machine": machine(), name: PARTS[name](work)}
                print(name, results[name], flush=True)
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        shutil.rmtree(work)
    print(table(results))


if __name__ == "__main__":
    main()
