"""Training on 1, 2, 4 and 8 devices and in 2 processes: equal results, and speed.

    python experiments/devices.py

trains each network's default on the built-in digits for three epochs: without a mesh, on meshes
of simulated devices of one CPU, and in two processes that talk over the loopback interface.  It
writes devices.json: whether batches and spikes were the same bits, the distance of the params
after the first epoch, and training examples per second in the third.  Simulated devices share
the CPU's cores, so they show the cost of sharding, not its gain.

The first epoch of three networks by plain gradient descent on four devices is compared again in
float64, where rounding differences are a billionth of those in float32.

Then it trains one epoch of large batches in processes of their own.  It writes the memory that
`fit` expected beside the growth of the process's peak.
"""

import hashlib
import json
import os
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
EXACT = ("mlp", "cnn", "snn")  # in float64, which takes conv_snn minutes
EPOCHS = 3
LARGE = {"mlp": 1024, "cnn": 512, "snn": 256, "conv_snn": 128}  # examples of a large batch


def trained(
    network: str, mesh, *, plain: bool = False, **changes: Any
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Return (params after the first epoch, other measurements) on that mesh.

    `plain` trains without Adam, and without momentum.
    """
    import jax
    import optax

    from jaxdigits.data import digits
    from jaxdigits.losses import cross_entropy
    from jaxdigits.runs import config_for, validation_split
    from jaxdigits.train import Hooks, Recipe, adamw, fit

    config = config_for(network, "digits", **({"epochs": EPOCHS} | changes))
    train, valid = validation_split(digits()[0])
    steps = len(train.label) // config.batch
    optimizer = adamw(
        config.learning_rate, config.epochs * steps, weight_decay=config.weight_decay
    )
    if plain:
        optimizer = optax.sgd(0.1)
    seen, peaks = [], []

    def watch(state):
        peaks.append(_resident("VmHWM"))
        if not seen:
            seen.extend(np.asarray(a) for a in jax.tree.leaves(state.params))
        return {}

    recipe = Recipe(
        config.build(), optimizer, epochs=config.epochs, batch=config.batch,
        loss=cross_entropy(config.smoothing), ema=config.ema, microbatch=config.microbatch,
        mesh=mesh,
    )  # fmt: skip
    fitted = fit(recipe, train, valid, jax.random.key(0), Hooks(watch=watch))
    last = fitted.history[-1]
    return seen, dict(
        losses=[row["loss"] for row in fitted.history],
        per_second=round(steps * config.batch / last["seconds"]),
        draws=digest(mesh),
        peak=peaks[0],
    )


def digest(mesh) -> str:
    """Hash the examples of a step and their spikes over 25 time steps, a share per device."""
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

    drawn = b"".join(np.asarray(a).tobytes() for a in draw(image, key))
    return hashlib.sha256(drawn).hexdigest()[:16]


def compared(params, told, alone) -> dict[str, Any]:
    """Return a row of the results, compared with training without a mesh."""
    before, told_before = alone
    apart = max(float(np.abs(a - b).max()) for a, b in zip(params, before, strict=True))
    return dict(
        same_draws=told["draws"] == told_before["draws"],
        params_apart=apart,
        largest_param=max(float(np.abs(a).max()) for a in before),
        loss_apart=abs(told["losses"][0] - told_before["losses"][0]),
        per_second=told["per_second"],
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


def by_plain_descent() -> dict[str, Any]:
    """Compare the networks of `EXACT` on four devices by gradient descent, after one epoch."""
    import jax

    from jaxdigits.train import device_mesh

    jax.config.update("jax_num_cpu_devices", 4)
    found = {}
    for network in EXACT:
        alone = trained(network, None, plain=True, epochs=1)
        shared = trained(network, device_mesh(4), plain=True, epochs=1)
        found[network] = compared(*shared, alone)
        print(network, found[network], file=sys.stderr, flush=True)
    return found


def in_float64() -> dict[str, Any]:
    """Run `by_plain_descent` in a process that computes in 64 bits."""
    done = subprocess.run(
        [sys.executable, __file__, "descent"],
        env=os.environ | {"JAX_ENABLE_X64": "1"}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def in_two_processes(network: str) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Run `trained` in two processes of one device each."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port, out = free.getsockname()[1], Path(folder, "found.npz")
        free.close()
        command = [sys.executable, __file__, "process", network, str(port), str(out)]
        workers = [subprocess.Popen([*command, str(i)]) for i in range(2)]
        if sum(worker.wait() for worker in workers):
            raise SystemExit("a process failed")
        with np.load(out) as found:
            params = [found[str(i)] for i in range(len(found.files) - 1)]
            return params, json.loads(str(found["told"]))


def one_of_two(network: str, port: str, out: str, i: str) -> None:
    """Train as one of the two processes; the first writes the results."""
    import jax

    from jaxdigits.train import device_mesh

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(i))
    params, told = trained(network, device_mesh())
    if jax.process_index() == 0:
        named: Any = {str(i): a for i, a in enumerate(params)}
        np.savez(out, told=json.dumps(told), **named)


def memory_of(network: str) -> None:
    """Print, as JSON, the expected memory of an epoch, and the growth of the peak."""
    from jaxdigits.train import memory

    found: dict[str, int] = {}

    def note(needed, free):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is now the current size
        found.update(expected=needed, before=_resident("VmRSS"))

    memory.require_room = note
    batch = LARGE[network]
    told = trained(network, None, batch=batch, microbatch=batch)[1]
    found["grew"] = told["peak"] - found.pop("before")
    print(json.dumps(found | dict(batch=batch)))


def _resident(name: str) -> int:
    """Return bytes of this process's memory: VmRSS now, VmHWM at the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def memories() -> dict[str, Any]:
    """Run `memory_of` each network, in a process of its own."""
    found = {}
    for network in NETWORKS:
        done = subprocess.run(
            [sys.executable, __file__, "memory", network], stdout=subprocess.PIPE, check=True
        )
        found[network] = json.loads(done.stdout.splitlines()[-1])
        print(network, found[network], flush=True)
    return found


def tables(found: dict[str, Any]) -> str:
    """Return the tables in Markdown, with the machine."""
    lines = [
        "| network | devices | same batches and spikes | params apart | largest param | "
        "examples per second |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for network, rows in found["devices"].items():
        lines += [
            f"| `{network}` | {name} | {'yes' if row['same_draws'] else 'no'} | "
            f"{row['params_apart']:.1e} | {row['largest_param']:.2f} | {row['per_second']:,} |"
            for name, row in rows.items()
        ]
    lines += ["", found["machine"], ""]
    lines += [
        "| network | params apart, in float64 | largest param |", "| --- | ---: | ---: |",
    ]  # fmt: skip
    lines += [
        f"| `{network}` | {row['params_apart']:.1e} | {row['largest_param']:.2f} |"
        for network, row in found["float64"].items()
    ]
    lines += [
        "",
        "| network | batch | expected | the peak grew by |", "| --- | ---: | ---: | ---: |",
    ]  # fmt: skip
    mega = lambda count: f"{count / 1e6:,.0f} MB"
    lines += [
        f"| `{network}` | {row['batch']} | {mega(row['expected'])} | {mega(row['grew'])} |"
        for network, row in found["memory"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    set_flags()  # as `jaxdigits` sets them
    task, *args = sys.argv[1:] or ("run",)
    if task == "process":
        return one_of_two(*args)
    if task == "memory":
        return memory_of(*args)
    if task == "descent":
        return print(json.dumps(by_plain_descent()))
    found = dict(
        machine=machine(), memory=memories(), float64=in_float64(), devices=on_devices()
    )
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(tables(found))
    return None


if __name__ == "__main__":
    main()
