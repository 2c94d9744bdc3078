"""Trouble inside a network while it trains, and the layer that has it.

After each epoch the training network makes one pass over a few training examples.  The result
is a function of the state alone, so a run that was stopped and resumed has the same.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxdigits.about import children_of
from jaxdigits.data import as_inputs
from jaxdigits.data.inputs import select
from jaxdigits.layer import Layer, Params
from jaxdigits.spikes import events, traces
from jaxdigits.train.members import each_member, take_turns
from jaxdigits.train.sharding import everywhere, place
from jaxdigits.train.state import TrainState, evaluation_keys
from jaxdigits.tree import named_leaves

EXAMPLES = 256
SILENT = 0.001  # spikes per neuron and time step, or per neuron where spikes are times
SATURATED = 0.9  # spikes per neuron and time step
DEAD = 0.9  # share of a layer's units that are 0 for each of the examples
EXPLODING = 100.0  # |output| of a layer per |input|, for an input that is independent of it


class Health(NamedTuple):
    """Statistics of one forward pass; for a population every array has a leading axis [P]."""

    infinite: dict[str, Array]
    """for each array of params, whether one of its numbers is not finite"""
    gain: dict[str, Array]
    """for each weight, the root of its mean square times the number of its inputs"""
    rate: dict[str, Array]
    """for each spiking layer"""
    full: dict[str, Array]
    """for each spiking layer with time steps, the share of them in which a neuron fires"""
    dead: dict[str, Array]
    """for each layer in front of weights, which of its units are 0 for all examples; from
    `watcher` their share"""


def watcher(
    network: Layer,
    inputs: Any,
    *,
    members: int = 1,
    batch: int = EXAMPLES,
    mesh: Mesh | None = None,
) -> Callable[[TrainState], dict[str, Any]]:
    """Return a function of the state that returns {"warnings": {kind: line}}, or {} if healthy.

    Args:
      network: the training network.
      inputs: the training inputs, as for `logits_of`; the first `EXAMPLES` are used.
      members: the number of networks in the state.
      batch: the most examples at a time.
      mesh: the devices of the state; None: one.
    """
    inputs = as_inputs(inputs)
    most = min(EXAMPLES, inputs.size)
    rows = jnp.arange(most // min(batch, most) * min(batch, most))

    def of_state(state, inputs):
        def of_batch(rows):
            keys = evaluation_keys(state.key, rows)
            return examine(network, state.params, inputs.take(rows, keys), keys)

        batches = jax.lax.map(of_batch, rows.reshape(-1, min(batch, most)))
        mean = jax.tree.map(lambda a: a.mean(0), batches)  # a share, where it was true or false
        dead = {name: units.all(0).mean() for name, units in batches.dead.items()}
        infinite = jax.tree.map(lambda a: a[0], batches.infinite)
        return mean._replace(infinite=infinite, dead=dead)

    few = place(select(inputs, np.arange(len(rows))), everywhere(mesh))
    turns = take_turns(None, network)
    of_all = of_state if members == 1 else each_member(of_state, whole=1, turns=turns)
    program = jax.jit(of_all, out_shardings=everywhere(mesh))

    def watch(state: TrainState) -> dict[str, Any]:
        health = jax.tree.map(np.atleast_1d, jax.device_get(program(state, few)))
        lines = warnings(health)
        return {"warnings": lines} if lines else {}

    return watch


def examine(network: Layer, params: Params, inputs: Any, keys: Array) -> Health:
    """Return the statistics of one pass over the examples.  Traceable."""
    _, residual = network.forward(params, inputs, keys)
    leaves = named_leaves(params)
    weights = {name: leaf for name, leaf in leaves.items() if jnp.ndim(leaf) > 1}
    gain = lambda w: jnp.sqrt((w**2).mean() * np.prod(w.shape[:-1]))
    mean = lambda of: {f"spiking layer {i}": spikes.mean() for i, spikes in enumerate(of, 1)}
    steps, times = ([t.spikes for t in of(residual)] for of in (traces, events))
    dead = lambda x: (x == 0).all(tuple(range(x.ndim - 1)))
    return Health(
        {name: ~jnp.isfinite(leaf).all() for name, leaf in leaves.items()},
        {name: gain(leaf) for name, leaf in weights.items()},
        mean(steps) | mean(times),
        mean(spikes > 0 for spikes in steps),
        {f"the units before {name}": dead(x) for name, x in _inputs(network, params, residual)},
    )


def warnings(health: Health) -> dict[str, str]:
    """Return one line for each kind of trouble, which names the layers.

    Args:
      health: every array is [P].
    """
    layers = {
        "not finite": _layers(health.infinite, lambda v: v),
        "exploding": _layers(health.gain, lambda v: v > EXPLODING),
        "silent": _layers(health.rate, lambda v: v < SILENT),
        "saturated": _layers(health.full, lambda v: v > SATURATED),
        "dead": _layers(health.dead, lambda v: v > DEAD),
    }
    advice = {
        "not finite": "not finite: {}; lower the learning rate",
        "exploding": "weights explode: {}; lower the learning rate",
        "silent": "nearly no spikes: {}; lower the threshold or raise the gain",
        "saturated": "spikes in nearly every step: {}; raise the threshold or lower the gain",
        "dead": "nearly all units are 0 for every image: {}; lower the learning rate",
    }
    return {kind: advice[kind].format(names) for kind, names in layers.items() if names}


def _layers(values: Mapping[str, Array], bad: Callable[[np.ndarray], np.ndarray]) -> str:
    """Return the names of bad values, and in how many networks they are bad if not in all."""
    flags = {name: np.asarray(bad(np.asarray(v))) for name, v in values.items()}
    count = lambda b: "" if b.all() else f" (in {b.sum()} of {len(b)} networks)"
    return ", ".join(f"{name}{count(b)}" for name, b in flags.items() if b.any())


def _inputs(network: Layer, params: Any, residual: Any) -> Iterator[tuple[str, Array]]:
    """Yield (name, input) for each layer with weights behind another one.

    The layers are those of the network's `about`; the residual of a layer with weights is its
    input.  Other residuals (of a learning rule, of a recomputed layer) are passed over.
    """
    learnt = False
    for path, layer, p, x in _leaves(network, params, residual):
        has_weights = isinstance(p, Mapping) and "weight" in p
        floats = isinstance(x, Array) and jnp.issubdtype(x.dtype, jnp.floating)
        if has_weights and learnt and floats:
            yield f"{layer.about.name} {path}" if layer.about else f"layer {path}", x
        learnt |= bool(jax.tree.leaves(p))


def _leaves(network: Layer, params: Any, residual: Any, path: str = "") -> Iterator[tuple]:
    """Yield (path, layer, params, residual) for each layer in a network's combinators."""
    children = dict(children_of(network.about)) if network.about else {}
    side_by_side = isinstance(params, Mapping)
    if side_by_side and isinstance(residual, tuple) and residual:
        residual = residual[0]  # that of `parallel` has facts beside its branches
    kind = Mapping if side_by_side else tuple
    if not children or not isinstance(residual, kind) or len(residual) != len(children):
        yield path, network, params, residual
        return
    for i, (name, layer) in enumerate(children.items()):
        at: Any = name if side_by_side else i
        yield from _leaves(layer, params[at], residual[at], f"{path}/{name}".lstrip("/"))
