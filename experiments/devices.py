"""Training on 1, 2, 4 and 8 devices and in 2 processes: equal results, and speed.

    python experiments/devices.py

trains each network's default on the built-in digits for three epochs: without a mesh, on meshes
of simulated devices of one CPU, and in two processes that talk over the loopback interface.  It
writes devices.json: whether batches and spikes were the same bits, the distance of the params
after the first epoch, and training examples per second in the third.  Simulated devices share
the CPU's cores, so they show the cost of sharding, not its gain.

The tables in float64 and of memory are of commit 034e006; tests/train/test_sharding.py and
tests/train/test_memory.py repeat their claims.
"""

import hashlib
import json
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from core import machine

from jaxdigits.fast.flags import set_flags

HERE = Path(__file__).parent
RESULTS = HERE / "devices.json"
NETWORKS = ("mlp", "cnn", "snn", "conv_snn")
DEVICES = (1, 2, 4, 8)
EPOCHS = 3


def trained(network: str, mesh) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Train on that mesh; return the params after the first epoch, and numbers by name."""
    import jax

    from jaxdigits.data import digits
    from jaxdigits.losses import cross_entropy
    from jaxdigits.runs import config_for, validation_split
    from jaxdigits.train import Hooks, Recipe, adamw, fit

    config = config_for(network, "digits", epochs=EPOCHS)
    train, valid = validation_split(digits()[0])
    steps = len(train.label) // config.batch
    optimizer = adamw(
        config.learning_rate, config.epochs * steps, weight_decay=config.weight_decay
    )
    params = []

    def watch(state):
        if not params:
            params.extend(np.asarray(a) for a in jax.tree.leaves(state.params))
        return {}

    recipe = Recipe(
        config.build(), optimizer, epochs=config.epochs, batch=config.batch,
        loss=cross_entropy(config.smoothing), ema=config.ema, microbatch=config.microbatch,
        mesh=mesh,
    )  # fmt: skip
    fitted = fit(recipe, train, valid, jax.random.key(0), Hooks(watch=watch))
    last = fitted.history[-1]
    return params, dict(
        losses=[row["loss"] for row in fitted.history],
        per_second=round(steps * config.batch / last["seconds"]),
        draws=digest(mesh),
    )


def digest(mesh) -> str:
    """Hash the examples of a step and their spikes over 25 steps, each device its share."""
    import jax
    import jax.numpy as jnp

    from jaxdigits.data import digits
    from jaxdigits.spikes import rate
    from jaxdigits.train.sharding import each_its_share, everywhere, over_devices, place
    from jaxdigits.train.state import order_of_epoch, step_keys

    image, key = place((digits()[0].inputs[:], jax.random.key(0)), everywhere(mesh))

    def spikes(rows, image, key):
        keys = step_keys(key, jnp.int32(7), rows)
        return rate(25).forward((), image[rows], keys)[0].swapaxes(0, 1)

    @partial(jax.jit, out_shardings=everywhere(mesh))
    def draw(image, key):
        rows = over_devices(mesh, order_of_epoch(key, jnp.int32(1), len(image))[:64])
        return rows, each_its_share(mesh, spikes, whole=2)(rows, image, key)

    draws = b"".join(np.asarray(a).tobytes() for a in draw(image, key))
    return hashlib.sha256(draws).hexdigest()[:16]


def compared(params, numbers, alone) -> dict[str, Any]:
    """Return a row of the results, from the training `alone`, without a mesh."""
    before, numbers_before = alone
    apart = max(float(np.abs(a - b).max()) for a, b in zip(params, before, strict=True))
    return dict(
        same_draws=numbers["draws"] == numbers_before["draws"],
        params_apart=apart,
        largest_param=max(float(np.abs(a).max()) for a in before),
        loss_apart=abs(numbers["losses"][0] - numbers_before["losses"][0]),
        per_second=numbers["per_second"],
    )


def on_devices() -> dict[str, Any]:
    """Train each network on each number of devices, and in two processes."""
    import jax

    from jaxdigits.train import device_mesh

    jax.config.update("jax_num_cpu_devices", max(DEVICES))
    rows: dict[str, Any] = {}
    for network in NETWORKS:
        alone = trained(network, None)
        rows[network] = {"none": compared(*alone, alone)}
        for n in DEVICES:
            rows[network][str(n)] = compared(*trained(network, device_mesh(n)), alone)
            print(network, n, rows[network][str(n)], flush=True)
        rows[network]["2 processes"] = compared(*in_two_processes(network), alone)
        print(network, rows[network]["2 processes"], flush=True)
    return rows


def in_two_processes(network: str) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Train in two processes of one device each."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port, out = free.getsockname()[1], Path(folder, "params.npz")
        free.close()
        command = [sys.executable, __file__, "process", network, str(port), str(out)]
        workers = [subprocess.Popen([*command, str(i)]) for i in range(2)]
        if sum(worker.wait() for worker in workers):
            raise SystemExit("a process failed")
        with np.load(out) as file:
            params = [file[str(i)] for i in range(len(file.files) - 1)]
            return params, json.loads(str(file["numbers"]))


def one_of_two(network: str, port: str, out: str, i: str) -> None:
    """Train in one of the two processes; the first writes the results."""
    import jax

    from jaxdigits.train import device_mesh

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(i))
    params, numbers = trained(network, device_mesh())
    if jax.process_index() == 0:
        named: Any = {str(i): a for i, a in enumerate(params)}
        np.savez(out, numbers=json.dumps(numbers), **named)


def tables(results: dict[str, Any]) -> str:
    """The tables in Markdown, with the machine."""
    lines = [
        "| network | devices | same batches and spikes | params apart | largest param | "
        "examples per second |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for network, rows in results["devices"].items():
        lines += [
            f"| `{network}` | {name} | {'yes' if row['same_draws'] else 'no'} | "
            f"{row['params_apart']:.1e} | {row['largest_param']:.2f} | {row['per_second']:,} |"
            for name, row in rows.items()
        ]
    lines += ["", results["machine"], ""]
    lines += [
        "| network | params apart, in float64 | largest param |", "| --- | ---: | ---: |",
    ]  # fmt: skip
    lines += [
        f"| `{network}` | {row['params_apart']:.1e} | {row['largest_param']:.2f} |"
        for network, row in results["float64"].items()
    ]
    lines += [
        "",
        "| network | batch | expected | the peak grew by |", "| --- | ---: | ---: | ---: |",
    ]  # fmt: skip
    mega = lambda count: f"{count / 1e6:,.0f} MB"
    lines += [
        f"| `{network}` | {row['batch']} | {mega(row['expected'])} | {mega(row['grew'])} |"
        for network, row in results["memory"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    set_flags()  # as `jaxdigits` sets them
    command, *args = sys.argv[1:] or ("run",)
    if command == "process":
        return one_of_two(*args)
    results = json.loads(RESULTS.read_text()) | dict(machine=machine(), devices=on_devices())
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return print(tables(results))


if __name__ == "__main__":
    main()
