"""Mistakes planted in the library's own derivations, one line each: the checker finds them all.

A row names a function of the library, a piece of its source and what the mistake makes of it.
"""

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients import by_autodiff, check, check_estimator, check_loss, check_spiking
from jaxdigits.layers import dense, tanh
from jaxdigits.losses import cross_entropy
from jaxdigits.spikes import Convention, lif, lif_neuron, over_time

EXAMPLES, STEPS = 3, 8
FIRE = dict(decay=0.9, threshold=0.75)


class Case(NamedTuple):
    """What is checked: `build` of a function of the library."""

    module: str
    entry: str
    build: Callable[[Any], Any] = lambda entry: entry()
    features: tuple[int, ...] = (4,)
    time: bool = False


def neurons(options: dict[str, Any], **convention: Any) -> Callable:
    """A builder of spiking layers of some convention."""
    return lambda lif: lif(convention=Convention(**convention), **options)


_spiking = partial(Case, "spikes.lif", "lif", time=True)
LEARN = FIRE | dict(learn=("decay", "threshold"))
_alif = FIRE | dict(adaptation=0.5, adaptation_decay=0.7,
                    learn=("adaptation", "adaptation_decay"))  # fmt: skip
_cuba = FIRE | dict(synapse_decay=0.6)
CASES = {
    "dense": Case("layers.dense", "dense", lambda dense: dense(4)),
    "wide": Case("layers.dense", "dense", lambda dense: dense(65)),
    "conv": Case("layers.conv", "conv2d", lambda conv: conv(3), (4, 5, 3)),
    "even": Case("layers.conv", "conv2d", lambda conv: conv(3, (2, 4)), (5, 4, 3)),
    "stride": Case("layers.conv", "conv2d", lambda conv: conv(3, stride=2), (5, 6, 3)),
    "max": Case("layers.pool", "max_pool", features=(4, 5, 2)),
    "average": Case("layers.pool", "average_pool", features=(4, 5, 2)),
    "leaky": Case("layers.activation", "leaky_relu", lambda leaky: leaky(0.1)),
    "gelu": Case("layers.activation", "gelu"),
    "tanh": Case("layers.activation", "tanh"),
    "dropout": Case("layers.dropout", "dropout", lambda dropout: dropout(0.5)),
    "batch": Case("layers.norm", "batch_norm"),
    "remembered": Case(
        "layers.norm", "batch_norm", lambda norm: norm((jnp.zeros(4), 4 * jnp.ones(4)))
    ),
    "group": Case("layers.norm", "group_norm", lambda norm: norm(2, 1)),
    "flatten": Case("layers.reshape", "flatten", lambda flatten: flatten(3), (2, 3, 2)),
    "standardise": Case("layers.reshape", "standardise", lambda layer: layer(0.5, 0.25)),
    "serial": Case("layer", "serial", lambda serial: serial(dense(4), tanh(), dense(4))),
    "residual": Case("layer", "residual", lambda residual: residual(tanh())),
    "concatenate": Case(
        "layer", "parallel", lambda parallel: parallel({"a": dense(2), "b": dense(2)})
    ),
    "direct": Case("spikes.encoders", "direct", lambda direct: direct(STEPS)),
    "rate": Case("spikes.encoders", "rate", lambda rate: rate(STEPS)),
    "mean": Case("spikes.readout", "leaky_readout", time=True),
    "last": Case("spikes.readout", "leaky_readout", lambda r: r(reduce="last"), time=True),
    "largest": Case("spikes.readout", "leaky_readout", lambda r: r(reduce="max"), time=True),
    "count": Case("spikes.readout", "spike_count", lambda count: count(mean=True), time=True),
    "held": _spiking(neurons(LEARN)),
    "free": _spiking(neurons(LEARN, differentiate_reset=True)),
    "zero": _spiking(neurons(LEARN, reset=0.0, differentiate_reset=True)),
    "same step": _spiking(neurons(LEARN, reset_step="same", differentiate_reset=True)),
    "gain": _spiking(neurons(FIRE, gain=2.0)),
    "normalised": _spiking(neurons(LEARN | dict(threshold=0.1), normalise=True)),
    "late": _spiking(neurons(FIRE, spike_from="old")),
    "alif": Case("spikes.adaptive", "alif_neuron", lambda alif: over_time(alif(**_alif)),
                 time=True),
    "cuba": Case("spikes.synapse", "cuba_lif",
                 neurons(_cuba | dict(learn=("synapse_decay",))), time=True),
    "recurrent": Case("spikes.recurrent", "recurrent",
                      lambda recurrent: recurrent(lif_neuron(**FIRE)), time=True),
    "entropy": Case("losses", "cross_entropy", lambda loss: loss(0.1)),
    "rates": Case("losses", "rate_error", lambda loss: loss(0.9, 0.1)),
    "by hand": Case("gradients.estimators", "by_hand", lambda by_hand: by_hand),
    **{name: Case("spikes.surrogates", name) for name in ("fast_sigmoid", "arctan", "sigmoid")},
    "triangle": Case("spikes.surrogates", "triangle", lambda triangle: triangle(1.0, 0.5)),
}  # fmt: skip

# (the mistake, the case, the function, a piece of its source, what becomes of it)
MISTAKES = [
    ("sign of the bias", "dense", "dense", "sum_of_rows(rows_bar)", "-sum_of_rows(rows_bar)"),
    ("bias of one example", "dense", "dense", "sum_of_rows(rows_bar)", "rows_bar[0]"),
    ("bias averaged", "dense", "dense", "sum_of_rows(rows_bar)", "rows_bar.mean(0)"),
    ("sign of what goes back", "dense", "dense", "by_transpose(rows_bar",
     "by_transpose(-rows_bar"),
    ("weight not transposed", "dense", "dense", "by_transpose(rows_bar", "product(rows_bar"),
    ("gradient transposed", "dense", "dense", "transpose_by(rows, rows_bar",
     "transpose_by(rows_bar, rows"),
    ("narrow gradient transposed", "dense", "transpose_multiply",
     "jnp.matmul(b.T, a, preferred_element_type=dtype).T",
     "jnp.matmul(b.T, a, preferred_element_type=dtype)"),
    ("mean over the rows", "wide", "dense", "transpose_by(rows, rows_bar",
     "transpose_by(rows / len(rows), rows_bar"),
    ("first example only", "wide", "dense", "transpose_by(rows, rows_bar",
     "transpose_by(rows[:1], rows_bar[:1]"),
    ("kernel not flipped", "stride", "conv2d", "[::-1, ::-1]", "[:, :]"),
    ("kernel flipped one way", "stride", "conv2d", "[::-1, ::-1]", "[::-1]"),
    ("channels not exchanged", "stride", "conv2d", ".swapaxes(2, 3)", ""),
    ("bias only of the first row", "conv", "conv2d", "outs.reshape(-1, channels)",
     "outs[:, 0].reshape(-1, channels)"),
    ("padding on the wrong side", "stride", "conv2d", "[(f - 1 - p, n - span + p)",
     "[(n - span + p, f - 1 - p)"),
    ("kernel padded on the wrong side", "even", "conv2d", "[(p, f - 1 + span - n - p)",
     "[(f - 1 + span - n - p, p)"),
    ("one row too high", "even", "_by_bands", "top : top + h", "top + 1 : top + 1 + h"),
    ("padding off by one", "stride", "conv2d", "[(f - 1 - p, n - span + p)",
     "[(f - p, n - span + p - 1)"),
    ("padding of VALID", "stride", "conv2d", "[(f - 1 - p, n - span + p)",
     "[(f - 1, n - span)"),
    ("rows for columns", "stride", "conv2d", "layout=EXCHANGED",
     'layout=("CHWN", "IHWO", "WHNC")'),
    ("a row too low", "conv", "conv2d", "x_bar.reshape(x.shape)",
     "jnp.roll(x_bar, 1, 1).reshape(x.shape)"),
    ("the last takes it", "max", "max_pool", "spread(winner) == position",
     "spread(winner) == position[..., ::-1, :, :, :]"),
    ("every input takes it", "max", "max_pool",
     "jnp.where(spread(winner) == position, spread(y_bar), 0)",
     "jnp.where(spread(winner) == position, spread(y_bar), spread(y_bar))"),
    ("not divided by the window", "average", "average_pool", "(y_bar / window**2)", "y_bar"),
    ("divided by one side", "average", "average_pool", "(y_bar / window**2)",
     "(y_bar / window)"),
    ("slope on the wrong side", "leaky", "leaky_relu",
     "jnp.where(x > 0, jnp.ones_like(x), slope)", "jnp.where(x < 0, jnp.ones_like(x), slope)"),
    ("product rule forgotten", "gelu", "gelu", "Phi(x) + x * phi(x)", "Phi(x)"),
    ("density of another width", "gelu", "gelu", "jnp.exp(-0.5 * x**2)", "jnp.exp(-(x**2))"),
    ("slope of relu", "gelu", "gelu", "Phi(x) + x * phi(x)", "(x > 0).astype(x.dtype)"),
    ("square forgotten", "tanh", "tanh", "1 - jnp.tanh(x) ** 2", "1 - jnp.tanh(x)"),
    ("slope at x", "tanh", "tanh", "1 - jnp.tanh(x) ** 2", "1 - x**2"),
    ("unscaled mask", "dropout", "dropout", "lambda mask, y_bar: scaled(y_bar, mask)",
     "lambda mask, y_bar: jnp.where(mask, y_bar, 0)"),
    ("no mask", "dropout", "dropout", "lambda mask, y_bar: scaled(y_bar, mask)",
     "lambda mask, y_bar: y_bar"),
    ("the other ones absent", "dropout", "dropout",
     "lambda mask, y_bar: scaled(y_bar, mask)", "lambda mask, y_bar: scaled(y_bar, ~mask)"),
    ("forgotten batch mean", "batch", "_x_bar", "g - mean(g) -", "g -"),
    ("forgotten batch variance", "batch", "_x_bar", " - x_hat * mean(g * x_hat)", ""),
    ("not divided by the deviation", "group", "_x_bar", ") / sigma", ")"),
    ("scale left out", "batch", "batch_norm", "g = scale * y_bar", "g = y_bar"),
    ("scale's own gradient", "group", "_scale_and_shift_bar", "(y_bar * x_hat).sum(leading)",
     "y_bar.sum(leading)"),
    ("mean over the images", "group", "_scale_and_shift_bar", "y_bar.sum(leading)",
     "y_bar.mean(leading)"),
    ("scale left out", "group", "group_norm", "grouped(scale * y_bar)",
     "grouped(y_bar)"),
    ("constants differentiated", "remembered", "batch_norm",
     "g / sigma if statistics else ", ""),
    ("statistics held", "batch", "batch_norm", "g / sigma if statistics else",
     "g / sigma if True else"),
    ("multiplied", "standardise", "standardise", "y_bar / std", "y_bar * std"),
    ("scale forgotten", "standardise", "standardise", "y_bar / std", "y_bar"),
    ("columns first", "flatten", "flatten", "y_bar.reshape(*y_bar.shape[:-1], *features.value)",
     "y_bar.reshape(*y_bar.shape[:-1], 3, 2, 2).swapaxes(-3, -2)"),
    ("gradients in reverse order", "serial", "serial", "tuple(reversed(grads))",
     "tuple(grads)"),
    ("skip forgotten", "residual", "residual", "y_bar + x_bar", "x_bar"),
    ("branches exchanged", "concatenate", "parallel",
     "jnp.split(y_bar, np.cumsum(widths)[:-1], -1)",
     "jnp.split(y_bar, np.cumsum(widths)[:-1], -1)[::-1]"),
    ("one branch forgotten", "concatenate", "_add", "sum(slopes[1:], start=slopes[0])",
     "slopes[0]"),
    ("mean over time", "direct", "direct", "i_bar.sum(0)", "i_bar.mean(0)"),
    ("only the last step", "direct", "direct", "i_bar.sum(0)", "i_bar[-1]"),
    ("mean over time", "rate", "rate", "s_bar.sum(0)", "s_bar.mean(0)"),
    ("only the last step", "rate", "rate", "s_bar.sum(0)", "s_bar[-1]"),
    ("leak forgotten", "mean", "leaky_readout",
     "elementwise_scan(leak, k, jnp.zeros_like(y_bar), g, reverse=True)[1]",
     "jnp.cumsum(g[::-1], 0)[::-1]"),
    ("memory forgotten", "mean", "leaky_readout",
     "elementwise_scan(leak, k, jnp.zeros_like(y_bar), g, reverse=True)[1]", "g"),
    ("mean forgotten", "mean", "leaky_readout", "y_bar / len(u)", "y_bar"),
    ("off by one in time", "last", "leaky_readout", "len(u) - 1", "len(u) - 2"),
    ("another maximum", "largest", "leaky_readout", "step = jnp.argmax(u, 0)",
     "step = jnp.argmin(u, 0)"),
    ("the last for the largest", "largest", "leaky_readout",
     'jnp.argmax(u, 0) if reduce == "max" else len(u) - 1', "len(u) - 1"),
    ("rate or count", "count", "spike_count", "y_bar / steps.value", "y_bar"),
    ("leak forgotten", "held", "make_membrane", "else beta * r_mu + m_bar",
     "else r_mu + m_bar"),
    ("leak applied twice", "held", "make_membrane", "else beta * r_mu", "else beta**2 * r_mu"),
    ("sign of the slope", "held", "make_membrane", "+ h * e", "- h * e"),
    ("wrong surrogate scale", "held", "make_membrane", ", surrogate.slope(v - theta)",
     ", 2 * surrogate.slope(v - theta)"),
    ("slope of the wrong potential", "held", "make_membrane", ", surrogate.slope(v - theta)",
     ", surrogate.slope(v)"),
    ("slope of the potential after reset", "held", "make_membrane",
     ", surrogate.slope(v - theta)",
     ", surrogate.slope(v - theta - theta * resets(v, theta))"),
    ("the other reset", "held", "make_membrane", "r_mu = mu if subtract else", "r_mu ="),
    ("sign of the threshold", "held", "make_membrane", "-h * e - (w", "h * e + (w"),
    ("held reset differentiated", "held", "make_membrane",
     " if convention.differentiate_reset else z_bar", ""),
    ("missing reset term", "free", "make_membrane", "z_bar - d * mu if", "z_bar if"),
    ("sign of the reset", "free", "make_membrane", "z_bar - d * mu", "z_bar + d * mu"),
    ("threshold without its reset", "held", "make_membrane",
     "-h * e - (w * mu if subtract else 0)", "-h * e"),
    ("spike does not clear", "zero", "make_membrane", "r_mu = mu if subtract else (1 - w) * mu",
     "r_mu = mu"),
    ("reset distance unleaked", "zero", "make_membrane", "(v if same else beta * v) - V",
     "v - V"),
    ("reset after the leak", "same step", "make_membrane", "m_bar + beta * lam_tp1 if same",
     "m_bar + lam_tp1 if same"),
    ("decay from another step", "same step", "make_membrane", "lam_tp1 * end(v, theta)",
     "lam_tp1 * v"),
    ("gain forgotten", "gain", "make_membrane", "return lam, gain(beta, lam)",
     "return lam, lam"),
    ("decay's part in the input", "normalised", "make_membrane", "rho_bar - beta *",
     "rho_bar + beta *"),
    ("stored as it is", "held", "through_bounds", "value_bar * (",
     "value_bar * (1 if name else "),
    ("off by one in time", "late", "shift_slopes",
     "jnp.concatenate([y_bar[1:], jnp.zeros_like(y_bar[:1])])", "y_bar"),
    ("forwards in time", "held", "over_time", "reverse=True", "reverse=False"),
    ("only one step's gradient", "held", "over_time", "add_grads(grads, grads_t)", "grads_t"),
    ("a step too late", "held", "over_time", "shift_slopes(neuron, y_bar, emit)",
     "jnp.roll(y_bar, 1, 0)"),
    ("adaptation not differentiated", "alif", "alif_neuron", "z_bar_t + (1 - rho) * a_bar_tp1",
     "z_bar_t"),
    ("adaptation's size forgotten", "alif", "alif_neuron", "+ b * A_bar_t", "+ A_bar_t"),
    ("adaptation forgets", "alif", "alif_neuron", "rho * a_bar_tp1 + b", "b"),
    ("current forgets", "cuba", "current_based", "q_t + alpha * j_bar_tp1", "q_t"),
    ("membrane's decay for the current's", "cuba", "current_based", "q_t + alpha * j_bar_tp1",
     'q_t + k["decay"] * j_bar_tp1'),
    ("weight not transposed", "recurrent", "recurrent", "i_bar_tp1 @ weight.T",
     "i_bar_tp1 @ weight"),
    ("recurrence forgotten", "recurrent", "recurrent", "z_bar_t + i_bar_tp1 @ weight.T",
     "z_bar_t"),
    ("off by one in time", "recurrent", "recurrent", "[:-1]).T @ rows(i_bar[1:])",
     "[1:]).T @ rows(i_bar[1:])"),
    ("batch mean forgotten", "entropy", "cross_entropy", ") / len(logits)", ")"),
    ("without a softmax", "entropy", "cross_entropy", "jax.nn.softmax(logits)", "logits"),
    ("smoothing forgotten", "entropy", "cross_entropy",
     "jax.nn.softmax(logits), target(logits, label)",
     "jax.nn.softmax(logits), jax.nn.one_hot(label, logits.shape[-1])"),
    ("factor of the square", "rates", "rate_error", "2 * (rates", "(rates"),
    ("mean over examples only", "rates", "rate_error", "/ rates.size", "/ len(rates)"),
    ("targets forgotten", "rates", "rate_error", "target(rates, label)) / rates.size",
     "jax.nn.one_hot(label, rates.shape[-1])) / rates.size"),
    ("slope left out", "by hand", "passes_by_hand", "loss.slope(logits, label)", "logits"),
    ("gradient of the next label", "by hand", "passes_by_hand", "loss.slope(logits, label)",
     "loss.slope(logits, label + 1)"),
    ("not the primitive's slope", "fast_sigmoid", "fast_sigmoid", ") ** -2", ") ** -1"),
    ("not the primitive's slope", "arctan", "arctan", "alpha / 2 / (1", "alpha / (1"),
    ("not the primitive's slope", "triangle", "triangle", "height * jnp.maximum",
     "jnp.maximum"),
    ("not the primitive's slope", "sigmoid", "sigmoid", "alpha * sigma *", "sigma *"),
]  # fmt: skip


def find(case, tolerance=1e-10, **options):
    """The report on a case, on params and input that are always the same."""
    made = case.build(getattr(import_module(f"jaxdigits.{case.module}"), case.entry))
    options |= dict(tolerance=tolerance)
    rng, label = np.random.default_rng(1), jnp.arange(EXAMPLES)
    x = rng.random((EXAMPLES, *case.features))
    if case.module not in ("spikes.encoders", "losses"):
        x = rng.standard_normal(x.shape)
    if case.time:
        x = rng.normal(0.4, 0.8, (STEPS, *x.shape))  # spikes neither rare nor constant
    if case.module == "losses":
        return check_loss(made, jnp.asarray(x), label, **options)
    if case.module == "spikes.surrogates":
        return check_spiking(partial(lif, **FIRE), made, {}, x, **options)
    network = dense(4) if case.entry == "by_hand" else made
    params, _ = network.init(jax.random.key(0), case.features)
    noisy = lambda leaf: np.asarray(leaf) + 0.1 * rng.standard_normal(leaf.shape)
    params = jax.tree.map(noisy, params)
    if case.entry == "by_hand":
        loss = cross_entropy()
        pair = made(network, loss), by_autodiff(network, loss)
        return check_estimator(*pair, params, (x, label), **options)
    keys = jax.random.split(jax.random.key(1), EXAMPLES)
    return check(network, params, x, keys, **options)


def module_of(case, function):
    """Where a case has that function, or else where its neurons or products have it."""
    modules = CASES[case].module, "spikes.unroll", "fast.products"
    has = lambda module: hasattr(import_module(f"jaxdigits.{module}"), function)
    return next(filter(has, modules))


@cache
def of_the_library(name):
    return find(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_the_library_passes(name):
    of_the_library(name).raise_if_bad()


@pytest.mark.parametrize(
    ("case", "function", "old", "new"),
    [row[1:] for row in MISTAKES],
    ids=[f"{row[1]}: {row[0]}" for row in MISTAKES],
)
def test_a_planted_mistake_is_found(plant, case, function, old, new):
    plant(module_of(case, function), function, old, new)
    report = find(CASES[case])
    assert not report.ok
    assert report.worst in report.reason
    assert report.firing_rates == of_the_library(case).firing_rates  # the forward is the same


def test_a_checker_that_asks_nobody_finds_nothing(plant):
    plant("layers.dense", "dense", "sum_of_rows(rows_bar)", "-sum_of_rows(rows_bar)")
    assert find(CASES["dense"], tolerance=np.inf, differences=None).ok
