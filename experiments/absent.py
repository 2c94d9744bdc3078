"""Training steps compiled for accelerators that are not there.

    python experiments/absent.py [TARGET ...]      compiles, and writes absent.json as it goes
    python experiments/absent.py --table
    python experiments/absent.py --smoke           one small program for each compiler here

Needs `pip install "jaxdigits[tpu]"` for TPUs, and `"jaxdigits[cuda]"` for an H200; a target
whose compiler is missing is skipped.  Each network's default step of 128 images is compiled for
one chip, for eight members of a population on one chip, and for four chips that share the
batch; the spiking network with other forms of its recurrence too.  A row has, by XLA's account:

    kernels      in the order of the program, each of a loop times its iterations
    loops        that are left
    flops        operations; loops count once, so spiking rows have a lower bound
    bytes        read and written, likewise
    scratch      bytes of temporaries
    collectives  bytes that a step sends, by kind
    bound        the larger of flops / peak and bytes / bandwidth: no step can be faster
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxdigits.bench.programs import synthetic
from jaxdigits.fast import scan
from jaxdigits.fast.switch import Platform, for_platform
from jaxdigits.runs import config_for
from jaxdigits.runs.job import recipe_for
from jaxdigits.runs.plain_files import write_json
from jaxdigits.train import initial_state, train_step
from jaxdigits.train.sharding import AXIS

RESULTS = Path(__file__).with_suffix(".json")
NETWORKS = ("mlp", "cnn", "snn", "conv_snn")
BATCH, EXAMPLES, MEMBERS, CHIPS = 128, 2048, 8, 4
H200 = """
gpu_device_info {
  cuda_compute_capability { major: 9 minor: 0 }
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98
  threads_per_warp: 32 threads_per_block_limit: 1024 threads_per_core_limit: 2048
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  shared_memory_per_block: 49152 shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 4800000000000 l2_cache_size: 52428800 device_memory_size: 151397597184
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
device_description_str: "NVIDIA H200"
"""


class Target(NamedTuple):
    """A kind of chip, as its maker publishes it."""

    platform: Platform
    topology: str
    peak: float
    """FLOP/s in the format that default products of float32 use: bfloat16, or TF32"""
    bandwidth: float
    """bytes a second of its memory"""

    def devices(self, count: int) -> Any:
        """Return that many chips, which can be compiled for and do not exist."""
        if self.platform == "gpu":
            options = dict(topology=f"1x1x{count}", target_config=H200)
            return topologies.get_topology_desc(self.topology, "cuda", **options).devices
        return topologies.get_topology_desc(self.topology, "tpu").devices[:count]

    def is_here(self) -> bool:
        """Return whether its compiler is installed."""
        names = {"tpu": ("libtpu",), "gpu": ("jax_cuda12_plugin", "jax_cuda13_plugin")}
        return any(map(find_spec, names[self.platform]))


TARGETS = {
    "TPU v4": Target("tpu", "v4:2x2x1", 275e12, 1228e9),
    "TPU v5e": Target("tpu", "v5e:2x2", 197e12, 819e9),
    "TPU v5p": Target("tpu", "v5p:2x2x1", 459e12, 2765e9),
    "TPU v6e": Target("tpu", "v6e:2x2", 918e12, 1640e9),
    "H200": Target("gpu", "h200", 494e12, 4800e9),
}
BLOCKS = (1, 5, 10, 20)  # steps that a scan unrolls
STEPS = (25, 100)
KERNEL = re.compile(
    r" (?:fusion|convolution|copy|custom-call|dynamic-update-slice|dynamic-slice|reduce|dot|"
    r"transpose|sort|scatter|gather|select-and-scatter|reduce-window)\("
)
COLLECTIVE = re.compile(r"= (.+?) (all-reduce|all-gather|reduce-scatter)(?:-start)?\(")
SIZES = {"f32": 4, "bf16": 2, "s32": 4, "u32": 4, "f16": 2, "u8": 1, "pred": 1}


def programs(smoke: bool) -> dict[str, dict[str, Any]]:
    """Return name -> options of `compiled`, those of the library first."""
    rows: dict[str, dict[str, Any]] = {}
    for network in NETWORKS[2:3] if smoke else NETWORKS:
        rows[network] = {"network": network}
        if not smoke:
            rows[f"{network}, {MEMBERS} members"] = {"network": network, "members": MEMBERS}
            rows[f"{network}, {CHIPS} chips"] = {"network": network, "chips": CHIPS}
    for steps in () if smoke else STEPS:
        for block in BLOCKS:
            name = f"snn, T = {steps}, blocks of {block}"
            rows[name] = {"network": "snn", "steps": steps, "block": block}
    return rows


def compiled(
    target: Target, network: str, *, chips: int = 1, members: int = 0,
    block: int | None = None, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """Compile a training step, and return the row.

    Args:
      block: steps that a scan unrolls; None: as the library does there.
      options: of the network.
    """
    config = config_for(network, "mnist", options=options)
    mesh = Mesh(np.array(target.devices(chips)), (AXIS,))
    recipe = recipe_for(config, optax.adam(1e-3), mesh if chips > 1 else None)
    everywhere = NamedSharding(mesh, PartitionSpec())
    absent = lambda tree: jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=everywhere), tree
    )
    start, step = partial(initial_state, recipe, (28, 28)), partial(train_step, recipe)
    key = jax.eval_shape(lambda: jax.random.key(0))
    if members:
        start, step = jax.vmap(start), jax.vmap(step, (0, None, None))
        key = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), members))
    with ExitStack() as stack:
        stack.enter_context(for_platform(target.platform))
        if block:
            stack.callback(setattr, scan, "UNROLL", scan.UNROLL)
            scan.UNROLL = {target.platform: block}
        jax.clear_caches()  # of programs with other blocks
        shares = NamedSharding(mesh, PartitionSpec(AXIS))
        rows = jax.ShapeDtypeStruct((BATCH,), jnp.int32, sharding=shares)
        args = *absent((jax.eval_shape(start, key), synthetic(EXAMPLES))), rows
        clock = time.perf_counter()
        program = jax.jit(step).lower(*args).compile()
        seconds = time.perf_counter() - clock
    return facts(program, target) | {"compile_seconds": round(seconds, 1)}


def facts(program: Any, target: Target) -> dict[str, Any]:
    """Return the numbers of a compiled program."""
    text, cost = program.as_text(), program.cost_analysis() or {}
    kernels, loops = count(text)
    flops, moved = cost.get("flops"), cost.get("bytes accessed")
    collectives: dict[str, int] = {}
    for shapes, kind in COLLECTIVE.findall(text):
        collectives[kind] = collectives.get(kind, 0) + size_of(shapes)
    row = dict(kernels=kernels, loops=loops, flops=flops, bytes=moved,
               scratch=program.memory_analysis().temp_size_in_bytes,
               collectives=collectives)  # fmt: skip
    if flops and moved:
        row["bound_us"] = round(1e6 * max(flops / target.peak, moved / target.bandwidth), 1)
    return row


def count(text: str) -> tuple[int, int]:
    """Return the kernels that a program starts, and its loops."""
    parts = {}
    for part in re.split(r"\n(?=(?:ENTRY )?%?[\w.\-]+ \()", text):
        if name := re.match(r"(ENTRY )?%?([\w.\-]+) \(", part):
            parts["ENTRY" if name[1] else name[2]] = part

    def kernels(name: str) -> int:
        total = len(KERNEL.findall(parts[name]))
        for line in parts[name].splitlines():
            if " while(" in line:
                total += trips(line) * kernels(inner("body", line))
        return total

    def trips(line: str) -> int:
        if known := re.search(r"known_trip_count\W+n\W+(\d+)", line):
            return int(known[1])
        limits = re.findall(r"s32\S* constant\((\d+)\)", parts[inner("condition", line)])
        return max(map(int, limits))

    def inner(kind: str, line: str) -> str:
        return re.findall(rf"{kind}=%?([\w.\-]+)", line)[0]

    return kernels("ENTRY"), text.count(" while(")


def size_of(shapes: str) -> int:
    """Return the bytes of arrays, as "(f32[800]{0}, f32[784,800]{1,0})"."""
    total = 0
    for dtype, dimensions in re.findall(r"(\w+)\[([\d,]*)\]", shapes):
        total += SIZES.get(dtype, 4) * int(
            np.prod([int(d) for d in dimensions.split(",") if d])
        )
    return total


def table(results: dict[str, Any]) -> str:
    """Return the rows as Markdown, a part for each target."""
    head = ["program", "kernels", "loops", "GFLOP", "MB moved", "MB scratch", "MB sent",
            "bound, µs", "compiled in"]  # fmt: skip
    parts, dash = [], lambda value, form: "" if value is None else form.format(value)
    for target, rows in results["targets"].items():
        lines = [[target, *head[1:]], ["---", *["---:"] * (len(head) - 1)]]
        for name, row in rows.items():
            million = lambda key, row=row: None if row[key] is None else row[key] / 1e6
            flops = None if row["flops"] is None else row["flops"] / 1e9
            sent = sum(row["collectives"].values()) / 1e6
            lines.append([
                name, f"{row['kernels']:,}", str(row["loops"]), dash(flops, "{:.2f}"),
                dash(million("bytes"), "{:.0f}"), dash(million("scratch"), "{:.1f}"),
                f"{sent:.1f}" if sent else "", dash(row.get("bound_us"), "{:.0f}"),
                f"{row['compile_seconds']:.0f} s",
            ])  # fmt: skip
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts)


def measure(names: list[str], smoke: bool, write: Callable[[dict[str, Any]], None]) -> None:
    """Compile each program for each target that is not in the file yet."""
    results: dict[str, Any] = {"targets": {}}
    if not smoke and RESULTS.exists():
        results = json.loads(RESULTS.read_text())
    results["jax"] = jax.__version__
    for name in names or TARGETS:
        target, rows = TARGETS[name], results["targets"].setdefault(name, {})
        for title, options in programs(smoke).items():
            if target.is_here() and title not in rows:
                rows[title] = compiled(target, **options)
                print(name, title, rows[title], flush=True)
                write(results)


def main() -> None:
    if "--table" in sys.argv:
        print(table(json.loads(RESULTS.read_text())))
        return
    smoke, names = "--smoke" in sys.argv, [a for a in sys.argv[1:] if a[0] != "-"]
    keep: list[dict[str, Any]] = []
    measure(names, smoke, keep.append if smoke else partial(write_json, RESULTS))
    if keep:
        print(table(keep[-1]))


if __name__ == "__main__":
    main()
