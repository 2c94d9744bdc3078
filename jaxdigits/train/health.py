"""What goes wrong inside a network while it trains, and in which layer.

A look is one pass of the training network over a few training images, after each epoch.  It is
a function of the state alone, so a run that was stopped and resumed sees the same.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxdigits.about import children_of
from jaxdigits.data.inputs import Inputs, count, parted, take
from jaxdigits.layer import Layer, Params
from jaxdigits.spikes import events, traces
from jaxdigits.train.evaluate import evaluation_keys
from jaxdigits.train.sharding import everywhere, place
from jaxdigits.train.state import TrainState
from jaxdigits.tree import named_leaves

IMAGES = 256
SILENT = 0.001  # spikes per neuron and step, or per neuron where spikes are times
SATURATED = 0.9  # spikes per neuron and step
DEAD = 0.9  # share of a layer's units that are 0 for each of the images
EXPLODING = 100.0  # |output| of a layer per |input|, for an input that knows no weight


class Look(NamedTuple):
    """What a pass shows; of a population, every array has a leading axis [P]."""

    infinite: dict[str, Array]
    """of each array of params, whether one of its numbers is not finite"""
    gain: dict[str, Array]
    """of each weight, the root of its mean square times that of its inputs' number"""
    rate: dict[str, Array]
    """of each spiking layer"""
    full: dict[str, Array]
    """of each that has time steps, in how many of them a neuron fires: a share of them"""
    dead: dict[str, Array]
    """of each layer that weights follow, which of its units are 0 for all images; of `watcher`
    the share of them"""


def watcher(
    network: Layer,
    image: Inputs,
    *,
    members: int = 1,
    batch: int = IMAGES,
    mesh: Mesh | None = None,
) -> Callable[[TrainState], dict[str, Any]]:
    """A function of the state that gives {"warnings": {kind: line}}; {} if all is well.

    Args:
      network: the training network.
      image: the training images, of which the first `IMAGES` are looked at.
      members: how many networks the state is of.
      batch: how many images are looked at at a time, at most.
      mesh: the devices that it is on; None: one.
    """
    most = min(IMAGES, count(image))
    rows = jnp.arange(most // min(batch, most) * min(batch, most))

    def of_state(state, image):
        def of_part(rows):
            keys = evaluation_keys(state.key, rows)
            return look(network, state.params, take(image, rows, keys), keys)

        parts = jax.lax.map(of_part, rows.reshape(-1, min(batch, most)))
        every = jax.tree.map(lambda a: a.mean(0), parts)  # and what is a truth, a share
        dead = {name: of.all(0).mean() for name, of in parts.dead.items()}
        return every._replace(infinite=jax.tree.map(lambda a: a[0], parts.infinite), dead=dead)

    few = place(parted(image, [np.arange(len(rows))], seed=0)[0], everywhere(mesh))
    of_all = of_state if members == 1 else jax.vmap(of_state, (0, None))
    program = jax.jit(of_all, out_shardings=everywhere(mesh))

    def watch(state: TrainState) -> dict[str, Any]:
        said = warnings(jax.tree.map(np.atleast_1d, jax.device_get(program(state, few))))
        return {"warnings": said} if said else {}

    return watch


def look(network: Layer, params: Params, image: Inputs, keys: Array) -> Look:
    """What one pass over the images shows.  Traceable."""
    _, residual = network.forward(params, image, keys)
    leaves = named_leaves(params)
    weights = {name: leaf for name, leaf in leaves.items() if jnp.ndim(leaf) > 1}
    gain = lambda w: jnp.sqrt((w**2).mean() * np.prod(w.shape[:-1]))
    mean = lambda of: {f"spiking layer {i}": spikes.mean() for i, spikes in enumerate(of, 1)}
    steps, times = ([t.spikes for t in of(residual)] for of in (traces, events))
    dead = lambda x: (x == 0).all(tuple(range(x.ndim - 1)))
    return Look(
        {name: ~jnp.isfinite(leaf).all() for name, leaf in leaves.items()},
        {name: gain(leaf) for name, leaf in weights.items()},
        mean(steps) | mean(times),
        mean(spikes > 0 for spikes in steps),
        {f"the units before {name}": dead(x) for name, x in _inputs(network, params, residual)},
    )


def warnings(seen: Look) -> dict[str, str]:
    """One line for each kind of trouble, which names the layers.

    Args:
      seen: every array is [P].
    """
    found = {
        "not finite": _where(seen.infinite, lambda v: v),
        "exploding": _where(seen.gain, lambda v: v > EXPLODING),
        "silent": _where(seen.rate, lambda v: v < SILENT),
        "saturated": _where(seen.full, lambda v: v > SATURATED),
        "dead": _where(seen.dead, lambda v: v > DEAD),
    }
    advice = {
        "not finite": "not finite: {}; lower the learning rate",
        "exploding": "weights explode: {}; lower the learning rate",
        "silent": "nearly no spikes: {}; lower the threshold or raise the gain",
        "saturated": "spikes in nearly every step: {}; raise the threshold or lower the gain",
        "dead": "nearly all units are 0 for every image: {}; lower the learning rate",
    }
    return {kind: advice[kind].format(where) for kind, where in found.items() if where}


def _where(values: Mapping[str, Array], bad: Callable[[np.ndarray], np.ndarray]) -> str:
    """The names of what is bad, and of how many networks if not of all."""
    many = {name: np.asarray(bad(np.asarray(v))) for name, v in values.items()}
    said = lambda b: "" if b.all() else f" (in {b.sum()} of {len(b)} networks)"
    return ", ".join(f"{name}{said(b)}" for name, b in many.items() if b.any())


def _inputs(network: Layer, params: Any, residual: Any) -> Iterator[tuple[str, Array]]:
    """Yield (name, input) of each layer with weights that has another before it.

    The layers are those of the network's `about`; a layer with weights keeps its input.  The
    residual of a learning rule, or of a layer that computes again, is passed over.
    """
    learnt = False
    for path, layer, p, kept in _leaves(network, params, residual):
        has_weights = isinstance(p, Mapping) and "weight" in p
        floats = isinstance(kept, Array) and jnp.issubdtype(kept.dtype, jnp.floating)
        if has_weights and learnt and floats:
            yield f"{layer.about.name} {path}" if layer.about else f"layer {path}", kept
        learnt |= bool(jax.tree.leaves(p))


def _leaves(network: Layer, params: Any, residual: Any, path: str = "") -> Iterator[tuple]:
    """Yield (path, layer, params, residual) of each layer in the combinators of a network."""
    children = list(children_of(network.about)) if network.about else []
    of = lambda tree: tree.items() if isinstance(tree, Mapping) else enumerate(tree)
    side_by_side = isinstance(params, Mapping)
    kept = (
        residual[0] if side_by_side and isinstance(residual, tuple) and residual else residual
    )
    shaped = isinstance(kept, Mapping if side_by_side else tuple) and len(kept) == len(children)
    if not children or not shaped or len(params) != len(children):
        yield path, network, params, residual
        return
    ps, rs = dict(of(params)), dict(of(kept))
    for name, layer in children:
        key = name if side_by_side else int(name)
        yield from _leaves(layer, ps[key], rs[key], f"{path}/{name}".lstrip("/"))
