"""The inside of a network as it reads one picture: spikes, the growing answer, saliency.

Spikes, the growing answer and the operations are in the residual of an ordinary forward pass;
saliency comes from the hand-derived backward pass.  Nothing is hooked.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits import spikes as sp
from jaxdigits.about import children_of
from jaxdigits.layer import Layer, Residual
from jaxdigits.measure.saliency import saliency
from jaxdigits.measure.synops import TABLES, energy, products_of, synops
from jaxdigits.runs.answer import members_of
from jaxdigits.runs.folder import Run
from jaxdigits.train.state import evaluation_keys

ROWS = 56  # neurons of a raster that the eye still tells apart
TABLE = "fp32"


def insides_of(run: Run) -> Callable[[Any], dict[str, Any]]:
    """Return a function of inputs [1, ...] (or a dict of them) to JSON values.

    They are the picture that the network sees, the saliency of the likeliest class, and for a
    spiking network its layers, the answer after each step, and its operations.  A run of
    several networks shows the first.
    """
    params, statistics, key = members_of(run)[0]

    @jax.jit
    def see(params, statistics, key, inputs):
        network = run.config.build()(training=False, statistics=statistics)
        keys = evaluation_keys(key, jnp.arange(1))
        # Bytes and floats draw other spikes: these are the spikes of the answer, from bytes.
        logits, residual = network.forward(params, inputs, keys)
        slope = saliency(network, params, inputs, logits.argmax(-1), keys)
        views: dict[str, Any] = {"saliency": slope}
        traces = sp.traces(residual)
        if not traces:
            return views
        flat = lambda a: a.reshape(len(a), -1)
        views["layers"] = {f"layer {i}": flat(t.spikes[:, 0]) for i, t in enumerate(traces, 1)}
        if (entry := _entry(network, params, residual, len(traces[0].spikes))) is not None:
            views["layers"] = {"pixels": flat(entry)} | views["layers"]
        if (u := _growth(network, residual)) is not None:
            views["growth"] = jax.nn.softmax(u / run.temperature, -1)
        views["operations"] = _operations(network, params, inputs, keys)
        return views

    def look(inputs: Any) -> dict[str, Any]:
        views = jax.tree.map(np.asarray, see(params, statistics, key, inputs))
        return _as_json(run, inputs, views)

    return look


def _entry(network: Layer, params: Any, residual: Residual, steps: int) -> Any:
    """Return the spikes [T, ...] that enter the first weights; None if they are none."""
    try:
        first = next(iter(products_of(network, params, residual))).x
    except (ValueError, StopIteration):
        return None
    timed = first.ndim >= 3 and first.shape[:2] == (steps, 1)
    return first[:, 0] if timed else None


def _growth(network: Layer, residual: Residual) -> Any:
    """Return the logits [T, K] that a leaky readout would give if time ended at each step."""
    children = [child for _, child in children_of(network.about)] if network.about else []
    about: Any = children[-1].about if children else None
    if about is None or about.constructor is not sp.leaky_readout:
        return None
    u = residual[-1][:, 0]
    reduce = about.arguments["reduce"]
    if reduce == "mean":
        return jnp.cumsum(u, 0) / jnp.arange(1, len(u) + 1)[:, None]
    return jax.lax.cummax(u, 0) if reduce == "max" else u


def _operations(network: Layer, params: Any, x: Any, keys: Any) -> Any:
    """Return the effective and all operations, and the energy in nJ; None if not countable."""
    try:
        ops = synops(network, params, x, keys)
    except ValueError:
        return None
    return ops.acs[0], ops.macs[0], ops.dense[0], energy(ops, TABLES[TABLE])[0]


def _as_json(run: Run, inputs: Any, views: dict[str, Any]) -> dict[str, Any]:
    image = lambda tree: tree["image"] if isinstance(tree, Mapping) else tree
    picture, slope = np.asarray(image(inputs))[0], image(views["saliency"])[0]
    largest = np.abs(slope).max()
    small = np.rint(127 * slope / largest) if largest else np.zeros_like(slope)
    shown: dict[str, Any] = {
        "kind": run.config.network,
        "classes": list(run.config.names),
        "height": picture.shape[0],
        "width": picture.shape[1],
        "picture": _in_base64(picture.astype(np.uint8)),
        "saliency": _in_base64(small.astype(np.int8)) if largest else None,
    }
    if layers := views.get("layers"):
        # JAX sorts the names of a dict.
        names = sorted(layers, key=lambda name: (name != "pixels", len(name), name))
        shown["layers"] = [_layer(name, layers[name]) for name in names]
        shown["steps"] = len(layers[names[0]])
    if "growth" in views:
        shown["growth"] = np.round(views["growth"], 6).tolist()
    if ops := views.get("operations"):
        names = ("accumulates", "multiply_accumulates", "dense", "energy_nj")
        shown["operations"] = {n: round(float(o), 2) for n, o in zip(names, ops, strict=True)}
    return shown


def _layer(name: str, spikes: np.ndarray) -> dict[str, Any]:
    """Return a layer of spikes [T, n]: numbers, and the bits of some of its firing neurons."""
    firing = np.flatnonzero(spikes.any(0))
    pick = np.linspace(0, max(0, len(firing) - 1), min(ROWS, len(firing))).round().astype(int)
    rows = spikes[:, firing[pick]] > 0
    return {
        "name": name,
        "neurons": spikes.shape[1],
        "firing": len(firing),
        "rate": round(float(spikes.mean()), 5),
        "rows": rows.shape[1],
        "spikes": _in_base64(np.packbits(rows, axis=None)),
    }


def _in_base64(array: np.ndarray) -> str:
    return b64encode(array.tobytes()).decode()
