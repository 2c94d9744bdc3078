"""The figures of one network: its neurons, the pixels that decide, its gradients.

Spikes and potentials come from the residual of an ordinary forward pass; nothing is hooked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.data import Dataset, Senses
from jaxdigits.gradients import ESTIMATORS, check
from jaxdigits.layer import Layer, Params
from jaxdigits.losses import cross_entropy
from jaxdigits.measure import saliency
from jaxdigits.plots.gradients import agreement_figure, cosines_figure
from jaxdigits.plots.images import saliency_figure, weights_figure
from jaxdigits.plots.spikes import (
    membrane_figure,
    raster_figure,
    rates_figure,
    spike_times_figure,
)
from jaxdigits.runs import Run
from jaxdigits.runs.answer import member_keys
from jaxdigits.runs.network_options import IMPORTED
from jaxdigits.spikes import events, traces
from jaxdigits.train.state import evaluation_keys
from jaxdigits.tree import cosine, named_leaves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROBED = 64  # examples, for mean rates and gradients
CHECKED = 4  # examples on which two gradients are compared, in float64


class Drawing(NamedTuple):
    """A figure with its title and caption."""

    name: str
    """of its file"""
    title: str
    text: str
    figure: "Figure"


class Member(NamedTuple):
    """One network of a run, as it is evaluated."""

    network: Layer
    params: Params
    key: jax.Array


def first_member(run: Run) -> Member:
    """Return the first network of the run."""
    params, statistics, key = run.params, run.statistics, jax.random.key(run.config.seed)
    if run.config.seeds > 1:
        pick = lambda tree: jax.tree.map(lambda a: a[0], tree)
        params, statistics, key = pick((params, statistics, member_keys(run.config)))
    return Member(run.config.build()(training=False, statistics=statistics), params, key)


def spikes_of(run: Run, member: Member, test: Dataset) -> list[Drawing]:
    """Draw spikes, potentials and firing rates; nothing for a network that does not spike."""
    rows = jnp.arange(min(PROBED, len(test.label)))
    keys = evaluation_keys(member.key, rows)
    x = test.inputs.take(rows, keys)
    residual = jax.jit(member.network.forward)(member.params, x, keys)[1]
    label = f"while it reads a {run.config.names[int(test.label[0])]}, the first of the test"
    rates_text = f"Means over {len(rows)} test digits. Silent neurons cost nothing."
    if layers := events(residual):
        duration = run.config.options.get("duration", 10.0)
        times = {f"layer {i}": np.asarray(e.times)[:, 0] for i, e in enumerate(layers, 1)}
        rates = {f"layer {i}": np.mean(e.spikes, axis=0) for i, e in enumerate(layers, 1)}
        return [
            Drawing("raster", "Spikes", f"The network {label}.",
                    spike_times_figure(times, duration=duration)),
            Drawing("rates", "Firing rates", rates_text,
                    rates_figure(rates, unit="spikes per digit")),
        ]  # fmt: skip
    layers = [(np.asarray(t.v), np.asarray(t.spikes)) for t in traces(residual)]
    if not layers:
        return []
    flat = lambda a: a.reshape(*a.shape[:2], -1)
    spikes = {f"layer {i}": flat(z)[:, 0] for i, (_, z) in enumerate(layers, 1)}
    rates = {f"layer {i}": flat(z).mean((0, 1)) for i, (_, z) in enumerate(layers, 1)}
    v, z = (flat(a)[:, 0] for a in layers[0])
    sample = _spread(z)
    names = [f"neuron {n}" for n in sample]
    membranes = membrane_figure(v[:, sample], z[:, sample], _threshold(run), names=names)
    return [
        Drawing("raster", "Spikes", f"The network {label}.", raster_figure(spikes)),
        Drawing("membranes", "Membrane potentials",
                f"Neurons of the first layer {label}, before each reset: the busiest on top.",
                membranes),
        Drawing("rates", "Firing rates", rates_text, rates_figure(rates)),
    ]  # fmt: skip


def _spread(spikes: np.ndarray, most: int = 5) -> np.ndarray:
    """Return firing neurons, from the busiest to the quietest."""
    counts = spikes.sum(0)
    order = np.argsort(-counts, kind="stable")[: max(most, np.count_nonzero(counts))]
    return order[np.unique(np.linspace(0, len(order) - 1, most).round().astype(int))]


def _threshold(run: Run) -> float | None:
    """Return the threshold of all neurons, if it is one number."""
    options = run.config.options
    moves = options.get("neuron") == "alif" or "threshold" in options.get("learn", ())
    usual = None if run.config.network == IMPORTED else 1.0
    return None if moves else options.get("threshold", usual)


def weights_of(member: Member) -> list[Drawing]:
    """Draw the first weights on pixels: of neurons, or kernels."""
    for name, leaf in named_leaves(member.params).items():
        weight = np.asarray(leaf)
        if not name.endswith("weight"):
            continue
        if weight.ndim == 2 and len(weight) == 28 * 28:
            images, owner = weight.T.reshape(-1, 28, 28), "neuron"
        elif weight.ndim == 4 and weight.shape[2] == 1:
            images, owner = weight[:, :, 0].transpose(2, 0, 1), "kernel"
        else:
            continue
        text = f"The weight of ink in each place for a {owner}: the largest of {len(images)}."
        return [Drawing("weights", "First weights", text, weights_figure(images))]
    return []


def saliency_of(
    member: Member, digit: np.ndarray, test: Dataset, classes: Sequence[str]
) -> list[Drawing]:
    """Draw saliency for one digit of each of six classes; nothing without a gradient."""
    _, first = np.unique(test.label, return_index=True)
    rows = jnp.asarray(first[:6])
    keys = evaluation_keys(member.key, rows)
    x = test.inputs.take(rows, keys)
    slope = jax.jit(lambda p, x, d, k: saliency(member.network, p, x, d, k))
    gradient = images_of(slope(member.params, x, jnp.asarray(digit[rows]), keys))
    if gradient is None or not np.any(gradient):
        return []
    text = "The gradient of the largest logit by each pixel, through the hand-derived backward "
    text += "pass: light where more ink would speak for the prediction, dark where it would "
    text += "speak against it."
    name = lambda labels, n: classes[int(labels[n])]
    names = [f"{name(test.label, n)}, read {name(digit, n)}" for n in first[:6]]
    figure = saliency_figure(np.asarray(images_of(x)), np.asarray(gradient), names=names)
    return [Drawing("saliency", "The pixels that decide", text, figure)]


def gradients_of(run: Run, member: Member, train: Dataset) -> list[Drawing]:
    """Draw this network's certificate, and the direction of its learning rule, if any."""
    rows = jnp.arange(CHECKED)
    keys = evaluation_keys(member.key, rows)
    x = train.inputs.take(rows, keys)
    report = check(_exact(run).network, _own(member.params), x, keys, differences=None)
    leaves = [row for row in report.rows if row.verdict != "not applicable"]
    errors = {row.leaf.removeprefix("params/"): row.error for row in leaves}
    text = "The hand-derived gradient of this trained network against jax.grad of the same "
    text += f"forward pass, in float64, on {CHECKED} digits, parameter by parameter."
    agreement = Drawing("agreement", "Gradient agreement", text, agreement_figure(errors))
    if run.config.gradient in ESTIMATORS:
        return [agreement]
    text = f"The cosine of the gradient of {run.config.gradient} with backpropagation's, on "
    text += f"{PROBED} training digits: 1 is the same direction, 0 is at a right angle."
    figure = cosines_figure(_alignment(run, member, train))
    return [agreement, Drawing("alignment", "Direction of the learning rule", text, figure)]


def _exact(run: Run) -> Member:
    """Return the first network in full precision: rounding is no part of a gradient."""
    options = {k: v for k, v in run.config.options.items() if k != "precision"}
    return first_member(run._replace(config=replace(run.config, options=options)))


def _own(params: Any) -> Any:
    """Return the network's params without those of a learning rule, which have no gradient."""
    if isinstance(params, tuple):
        return tuple(map(_own, params))
    if isinstance(params, Mapping):
        return {name: _own(p) for name, p in params.items() if name != "feedback"}
    return params


def _alignment(run: Run, member: Member, train: Dataset) -> dict[str, float]:
    """Return the cosine of the rule's gradient with backpropagation's, by params."""
    rows = jnp.arange(min(PROBED, len(train.label)))
    keys = evaluation_keys(member.key, rows)
    batch = train.inputs.take(rows, keys), jnp.asarray(train.label)[rows]

    def gradient(config) -> dict[str, Any]:
        estimator: Callable = config.estimator()
        network = config.build()(training=True)
        estimate = estimator(network, cross_entropy(config.smoothing))
        return named_leaves(jax.jit(estimate)(member.params, batch, keys)[1])

    rule, true = gradient(run.config), gradient(replace(run.config, gradient="by_hand"))
    return {name: cosine(np.asarray(rule[name]), np.asarray(true[name])) for name in true}


def images_of(inputs: Any) -> Any:
    """Return the images as an array, of a batch or of a data set that may have sounds too."""
    images = inputs["image"] if isinstance(inputs, Mapping | Senses) else inputs
    return getattr(images, "array", images)
