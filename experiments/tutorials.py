"""The tutorials of other libraries, with their networks, losses and optimizers, over seeds.

    JAXDIGITS_DATA=FOLDER python experiments/tutorials.py run [NAME ...]
    python experiments/tutorials.py table

A tutorial prints the accuracy of one run.  Here eight networks with different seeds do the same
work in one compiled program: MNIST's 60,000 training images, no validation, the tutorial's
number of epochs.  The final networks read the test set once.

    snnTorch        tutorial 5: 784-1000-10, `Leaky` with decay 0.95 and arctan slope, the image
                    itself as current, T = 25, the cross-entropies of the output potentials of
                    all steps added up, Adam 5e-4, batch 128, 1 epoch; read by spike counts
    SpikingJelly    `lif_fc_mnist`: 784-10 without bias, `LIFNode` with τ = 2 and arctan slope,
                    Bernoulli spikes, T = 100, squared error of rates, Adam 1e-3, batch 64, 10
                    of its 100 epochs
    Rockpool        `hello_MNIST`: 784-64-10 without biases, `LIFTorch` with τ = 100 ms for the
                    membrane and 50 ms for the synapse, a spike for every threshold that a
                    potential holds, Bernoulli spikes with a hundredth of the pixel's value,
                    T = 100 of 10 ms, squared error of the output's spikes to 1 or 0 at every
                    step, Adam 1e-3, batch 256, 3 epochs; read by spike counts

Weights (and snnTorch's biases) start as PyTorch's do, uniform in ±1/√m; Rockpool's in ±√(6/m).
Each result joins tutorials.json when it is ready.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from core import machine

from jaxdigits import Layer, serial
from jaxdigits.fast.flags import set_flags
from jaxdigits.keys import uniform
from jaxdigits.layers import dense, flatten, standardise
from jaxdigits.losses import Loss, cross_entropy, rate_error
from jaxdigits.measure import summarise
from jaxdigits.spikes import (
    Convention,
    arctan,
    cuba_lif,
    exact_decay,
    lif,
    lif_neuron,
    over_time,
    rate,
    snntorch_leaky,
    spike_count,
    spikingjelly_lif,
    triangle,
)
from jaxdigits.spikes import at_each_step as repeated

RESULTS = Path(__file__).with_suffix(".json")
SEEDS = 8


class Tutorial(NamedTuple):
    """The settings of a tutorial, and its printed accuracy."""

    build: Callable[..., Layer]
    """(training) -> network"""
    loss: Loss
    learning_rate: float
    batch: int
    epochs: int
    printed: float
    """its accuracy, in percent"""


def snntorch(*, training: bool = True, statistics=()) -> Layer:
    """Potentials [T, B, 10] in training, spike counts [B, 10] in use."""
    options = snntorch_leaky(0.95)
    output = over_time(lif_neuron(**options), emit="potential")
    if not training:
        output = output._replace(forward=counted(lif(**options)).forward)
    return serial(
        standardise(), flatten(), repeated(as_in_torch(1000), 25), lif(**options),
        as_in_torch(10), output,
    )  # fmt: skip


def spikingjelly(*, training: bool = True, statistics=()) -> Layer:
    """Firing rates [B, 10]."""
    options = spikingjelly_lif(2.0, surrogate_function=arctan(2.0))
    weights = dense(10, bias=False, gain=1 / 3)
    return serial(rate(100), flatten(), weights, lif(**options), spike_count(mean=True))


def rockpool(*, training: bool = True, statistics=()) -> Layer:
    """Spikes [T, B, 10] in training, spike counts [B, 10] in use."""
    # The slope is 1 from half a threshold below it on, however far above.
    ramp = triangle()._replace(
        slope=lambda u: (u >= -0.5).astype(u.dtype), primitive=lambda u: jax.nn.relu(u + 0.5)
    )
    synapse = exact_decay(50.0, 10.0)
    convention = Convention(
        fires="at", spikes="several", differentiate_reset=True, gain=synapse.item()
    )
    decay = exact_decay(100.0, 10.0)
    neurons = cuba_lif(ramp, synapse_decay=synapse, decay=decay, convention=convention)
    dim = standardise(0.0, 100.0)
    weights = [dense(n, bias=False, gain=2.0) for n in (64, 10)]
    output = neurons if training else counted(neurons)
    return serial(dim, rate(100), flatten(), weights[0], neurons, weights[1], output)


def counted(neurons: Layer) -> Layer:
    """Return the neurons as a layer of the same params that counts their spikes."""

    def forward(params, current, key):
        spikes, kept = neurons.forward(params, current, key)
        return spikes.sum(0), kept

    return neurons._replace(forward=forward)


def as_in_torch(n: int) -> Layer:
    """A dense layer whose biases start uniform in ±1/√m, as its weights."""
    layer = dense(n, gain=1 / 3)

    def init(key, shape):
        params, out = layer.init(key, shape)
        bias = uniform(jax.random.fold_in(key, 1), (n,), 1 / (3 * shape[0]))
        return params | {"bias": bias}, out

    return layer._replace(init=init)


def at_each_step(plain: Loss, weight: float) -> Loss:
    """Return `plain` of the outputs at each step [T, B, K], added up times a weight.

    The output of networks in use [B, K] counts as one step.
    """
    each = lambda f, z, label: f(z, label) if z.ndim == 2 else jax.vmap(f, (0, None))(z, label)
    value = lambda z, label: (weight * each(plain.value, z, label)).sum()
    return Loss(value, lambda z, label: weight * each(plain.slope, z, label))


TUTORIALS = {
    "snnTorch": Tutorial(snntorch, at_each_step(cross_entropy(), 1.0), 5e-4, 128, 1, 93.87),
    "SpikingJelly": Tutorial(spikingjelly, rate_error(), 1e-3, 64, 10, 92.9),
    "Rockpool": Tutorial(rockpool, at_each_step(rate_error(), 1 / 100), 1e-3, 256, 3, 86.2),
}


def run(name: str) -> dict[str, Any]:
    """Train eight networks, and read the test set."""
    from jaxdigits.data import mnist
    from jaxdigits.train import Hooks, Recipe, fit_population, logits_of

    of = TUTORIALS[name]
    train, test = mnist()
    keys = jax.vmap(jax.random.key)(np.arange(SEEDS, dtype=np.uint32))
    clock, last = time.perf_counter(), []

    def watch(state):
        last[:] = [jax.tree.map(jnp.copy, state.params)]
        return {}

    # Nothing is chosen: the validation images are some of those that it learns from.
    recipe = Recipe(
        of.build, lambda _: optax.adam(of.learning_rate), epochs=of.epochs, batch=of.batch,
        loss=of.loss,
    )  # fmt: skip
    report = lambda row: print(name, row["epoch"], row["loss"], row["seconds"], flush=True)
    fit_population(recipe, train, train[:1000], keys, hooks=Hooks(report=report, watch=watch))
    predict = jax.jit(partial(logits_of, of.build(training=False)))
    accuracies = []
    for i in range(SEEDS):
        params = jax.tree.map(lambda a, i=i: a[i], last[0])
        logits, _ = predict(params, test.inputs, keys[i])
        accuracies.append(float((logits.argmax(-1) == test.label).mean()))
    return dict(test=accuracies, seconds=time.perf_counter() - clock, machine=machine())


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| tutorial | it prints | here: mean, 95 % interval | deviation | epochs | minutes |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, of in TUTORIALS.items():
        if name not in results:
            continue
        r, sample = results[name], summarise(results[name]["test"])
        lines.append(
            f"| {name} | {of.printed} % | {100 * sample.mean:.2f} % "
            f"[{100 * sample.low:.2f}, {100 * sample.high:.2f}] "
            f"| {100 * sample.std:.2f} | {of.epochs} | {r['seconds'] / 60:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    todo, *names = sys.argv[1:] or [""]
    if todo == "table":
        print(table(results))
    elif todo == "run" and set(names) <= set(TUTORIALS):
        set_flags()  # as `jaxdigits` sets them
        for name in names or TUTORIALS:
            results[name] = run(name)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(table(results))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
