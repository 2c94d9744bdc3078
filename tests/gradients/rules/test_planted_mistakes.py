"""Mistakes planted in the learning rules, one line each: the checker finds them all.

What is right is `jax.grad` where a rule is exact, and elsewhere the rule written once more, in
NumPy, going forwards with the traces of its paper.
"""

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.chain import Chain
from jaxdigits.gradients import by_autodiff, by_hand, check_estimator
from jaxdigits.gradients.rules import (
    direct_feedback,
    eprop,
    forward_gradient,
    ottt,
    rtrl,
)
from jaxdigits.losses import cross_entropy
from jaxdigits.models import mlp, snn
from jaxdigits.spikes import direct, lif

feedback = import_module("jaxdigits.gradients.rules.feedback")  # with the mistakes in it
EXAMPLES, STEPS, BETA, THETA, LEAK = 4, 6, 0.75, 0.5, 0.95
LABEL = np.arange(EXAMPLES) % 3
X = np.random.default_rng(0).random((EXAMPLES, 1, 3))
SMALL = dict(hidden=(3, 3), classes=3, dropout_rate=0.0)  # square: a transpose has its shape
FIRE = dict(decay=BETA, threshold=THETA)
spiking = partial(snn, **SMALL, steps=STEPS, encoder=direct, neuron=partial(lif, **FIRE))
plain = partial(mlp, **SMALL)


class Sent(NamedTuple):
    """What a rule may send to the neurons of a step."""

    e: np.ndarray
    """[B, K] the error at the output's currents"""
    target: np.ndarray
    """[B, K] the label in its place"""
    W: list[np.ndarray]
    """the weights of all layers"""
    B: list[np.ndarray]
    """[K, n_l] feedback matrices"""
    slopes: list[np.ndarray]
    """[B, n_l] of the neurons"""


def straight(sent):
    return [sent.e @ sent.W[2].T @ sent.W[1].T, sent.e @ sent.W[2].T]


def through_slopes(sent):
    last = sent.e @ sent.W[2].T
    return [(sent.slopes[1] * last) @ sent.W[1].T, last]


def through_matrices(sent):
    return [sent.e @ B for B in sent.B]


def the_label(sent):
    return [sent.target @ B for B in sent.B]


def drawn(widths=(3, 3)):
    """Random feedback of seed 0, of variance 1/3n."""
    keys = jax.random.split(jax.random.key(0), len(widths))
    draw = lambda k, n: jax.random.uniform(k, (3 * n,), minval=-(n**-0.5), maxval=n**-0.5)
    return [np.asarray(draw(k, n)).reshape(3, n) for k, n in zip(keys, widths, strict=True)]


def error(logits):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    hot = np.eye(3)[LABEL]
    return -np.log((p * hot).sum(1)).mean(), (p - hot) / EXAMPLES, -hot / EXAMPLES


def by_traces(params, signal):
    """(loss, grads) of the spiking network by a rule, going forwards."""
    own = [p for p in params if p]
    W, b = [p["weight"] for p in own], [p["bias"] for p in own]
    B = [p["feedback"] for p in own[:2]] if "feedback" in own[0] else drawn()
    w = [sum(LEAK**k for k in range(STEPS - t)) / STEPS for t in range(STEPS)]
    zeros = lambda: [np.zeros((EXAMPLES, 3)) for _ in range(3)]
    y, grads = np.zeros((EXAMPLES, 3)), jax.tree.map(np.zeros_like, own)
    for learns in (False, True):
        loss, e, target = error(y) if learns else (0, y, y)
        v, z, trace, ones = zeros(), zeros(), zeros(), 0.0
        for w_t in w:
            x, ones, slopes, inputs = X[:, 0], BETA * ones + 1, [], []
            for i in range(2):
                v[i] = BETA * v[i] + x @ W[i] + b[i] - THETA * z[i]
                z[i] = (v[i] > THETA).astype(float)
                slopes.append(1 / (1 + (np.pi * (v[i] - THETA)) ** 2))
                trace[i] = BETA * trace[i] + x
                inputs.append(x)
                x = z[i]
            if not learns:
                y = y + w_t * (x @ W[2] + b[2])
                continue
            sent = Sent(w_t * e, w_t * target, W, B, slopes)
            for i, L in enumerate(signal(sent)):
                grads[i]["weight"] += trace[i].T @ (slopes[i] * L)
                grads[i]["bias"] += ones * (slopes[i] * L).sum(0)
                if "feedback" in grads[i]:
                    grads[i]["feedback"] += sent.e.T @ z[i]
            grads[2]["weight"] += x.T @ sent.e
            grads[2]["bias"] += sent.e.sum(0)
    rest = iter(grads)
    return loss, tuple(next(rest) if p else p for p in params)


def aligned(params):
    """(loss, grads) of the multilayer perceptron by direct feedback alignment."""
    own, B = [p for p in params if p], drawn()
    xs = [(X[:, 0] - 0.1307) / 0.3081]
    for p in own:
        a = xs[-1] @ p["weight"] + p["bias"]
        xs.append(np.maximum(a, 0))
    loss, e, _ = error(a)
    bars = [(e @ B_l) * (x > 0) for B_l, x in zip(B, xs[1:], strict=False)] + [e]
    grads = [
        dict(weight=x.T @ a_bar, bias=a_bar.sum(0)) for x, a_bar in zip(xs, bars, strict=False)
    ]
    rest = iter(grads)
    return loss, tuple(next(rest) if p else p for p in params)


class Case(NamedTuple):
    """A rule, and what is right: (params) -> (loss, grads), or None for `jax.grad`."""

    chain: Callable[[], Chain]
    right: Callable[[Any], Any] | None = None
    build: Callable[..., Any] = spiking
    estimator: Callable = by_hand


def traced(chain, signal, build=spiking, estimator=by_hand):
    return Case(chain, partial(by_traces, signal=signal), build, estimator)


def complete(tangents, **options):
    return lambda: forward_gradient(tangents=tangents, **options)


one = partial(plain, hidden=(1,))  # there one sign is a complete set
CASES = {
    "eprop": traced(eprop, straight),
    "eprop limit": Case(eprop, build=partial(spiking, hidden=(3,))),
    "eprop random": traced(lambda: eprop("random"), through_matrices),
    "eprop adaptive": traced(lambda: eprop("adaptive"), through_matrices),
    "eprop online": traced(lambda: eprop(online=True), straight, spiking),
    "eprop adaptive online": traced(
        lambda: eprop("adaptive", online=True), through_matrices, spiking),
    "ottt": traced(ottt, through_slopes),
    "ottt online": traced(lambda: ottt(online=True), through_slopes, spiking),
    "feedback": Case(direct_feedback, aligned, plain),
    "feedback limit": Case(lambda: direct_feedback("symmetric"),
                           build=partial(plain, hidden=(3,))),
    "drtp": traced(lambda: feedback.direct_target(), the_label,
                   estimator=lambda *a: feedback.by_target(*a)),
    "forward": Case(complete(6, orthonormal=True), build=plain),
    "forward signs": Case(complete(4), build=one),
    "forward weights": Case(complete(36, perturb="weights", orthonormal=True), build=plain),
    "rtrl": Case(rtrl, build=spiking),
}  # fmt: skip

# (the mistake, the case, its module in rules, the function, a piece of its source, what
# becomes of it)
MISTAKES = [
    ("sign of the error", "eprop limit", "broadcast", "broadcast", "[e @ B", "[-e @ B"),
    ("feedback not transposed", "eprop", "broadcast", "matrices",
     'params.exit[0]["weight"].T', 'params.exit[0]["weight"]'),
    ("through another layer's weights", "eprop", "broadcast", "matrices",
     "params.hidden[1:]", "params.hidden[:-1]"),
    ("layers exchanged", "eprop", "broadcast", "broadcast", "r.hidden, s_bars",
     "r.hidden, s_bars[::-1]"),
    ("one matrix for all layers", "eprop random", "broadcast", "matrices",
     "jax.random.split(jax.random.key(seed), len(widths))",
     "[jax.random.key(seed)] * len(widths)"),
    ("matrices of another scale", "eprop random", "broadcast", "matrices", "n), gain / n",
     "n), gain"),
    ("matrices learn transposed", "eprop adaptive", "broadcast", "with_feedback",
     "rows(e).T @ rows(x_l)", "rows(x_l).T @ rows(e)"),
    ("what comes in for what goes out", "eprop adaptive", "broadcast", "broadcast",
     "r.hidden[1:]] + [r.exit[0]]", "r.hidden]"),
    ("sign of the error", "eprop adaptive online", "eprop", "_online", "e @ B", "-e @ B"),
    ("what comes in for what goes out", "eprop adaptive online", "online", "_backward",
     "[s.y for s in layers]", "[s.x for s in layers]"),
    ("the trace forgets", "eprop online", "online", "_backward",
     "beta * trace.of_input + s.x", "s.x"),
    ("the trace does not fade", "eprop online", "online", "_backward",
     "beta * trace.of_input + s.x", "trace.of_input + s.x"),
    ("the bias remembers nothing", "eprop online", "online", "_backward",
     "beta * trace.of_one + 1", "0 * trace.of_one + 1"),
    ("off by one in time", "eprop online", "online", "_backward",
     "beta * trace.of_input + s.x", "beta * trace.of_input + beta * s.x"),
    ("all steps weigh alike", "eprop online", "online", "_backward", "w_t * y_bar",
     "y_bar / parts.steps"),
    ("only the last step", "ottt online", "online", "_backward",
     "jax.tree.map(jnp.add, grads, grads_t)", "grads_t"),
    ("slopes above forgotten", "ottt online", "ottt", "_send",
     "e = back(i, e @ weights[i + 1].T)\n            g.insert(0, e)",
     "e = e @ weights[i + 1].T\n            g.insert(0, back(i, e))"),
    ("another layer's weights", "ottt online", "ottt", "_send", "weights[i + 1]",
     "weights[i]"),
    ("weight not transposed", "ottt online", "ottt", "_send", "weights[i + 1].T",
     "weights[i + 1]"),
    ("memory of the neurons above", "ottt", "ottt", "_block",
     "weights.backward(params[0], residuals[0], g)",
     "weights.backward(params[0], residuals[0], lam)"),
    ("its own memory forgotten", "ottt", "ottt", "_block",
     "weights.backward(params[0], residuals[0], lam)",
     "weights.backward(params[0], residuals[0], at_each_step(unit, (), residuals[1], s_bar))"),
    ("slope of the unit forgotten", "feedback", "broadcast", "broadcast",
     "serial(*block).backward(p_l, r_l, s_bar)",
     "((block[0].backward(p_l[0], r_l[0], s_bar)[0], *p_l[1:]), s_bar)"),
    ("from the layer above", "feedback", "broadcast", "broadcast",
     "backward(p_l, r_l, s_bar)",
     "backward(p_l, r_l, s_bar if block is parts.hidden[-1] else x_bar)"),
    ("logits for the error", "feedback limit", "broadcast", "at_output",
     "residuals.exit[1:], y_bar)[1]", "residuals.exit[1:], 2 * y_bar)[1]"),
    ("sign of the target", "drtp", "feedback", "by_target", "-hot / len", "hot / len"),
    ("not the mean over the batch", "drtp", "feedback", "by_target", "-hot / len(logits)",
     "-hot"),
    ("the target for the error", "drtp", "feedback", "direct_target", "r, bars.slope",
     "r, bars.target"),
    ("one slope for the batch", "forward", "forward", "of_activities",
     '"nbk,bk->nb", y_dot, y_bar)', '"nbk,ck->nb", y_dot, y_bar)'),
    ("sign of the slope", "forward", "forward", "of_activities", "weighted(slopes",
     "weighted(-slopes"),
    ("layers exchanged", "forward", "forward", "of_activities",
     "r.hidden, a_bars", "r.hidden, a_bars[::-1]"),
    ("length of the directions", "forward signs", "forward", "as_floats",
     "signs / tangents**0.5", "signs / tangents"),
    ("zeros for a sign", "forward signs", "forward", "as_floats", "1 - 2 * bits", "0 + bits"),
    ("directions not weighted", "forward weights", "forward", "weighted", "a + slope * d",
     "a + d"),
    ("slope of one example", "forward weights", "forward", "of_weights",
     "y_dot, y_bar)", "y_dot[:, :1], y_bar[:1])"),
    ("the leak forgotten", "rtrl", "rtrl", "_neurons_dot", "r * c_dot + g_r", "c_dot + g_r"),
    ("the past forgotten", "rtrl", "rtrl", "_neurons_dot", "psi * c_dot + g_psi", "g_psi"),
    ("wrong surrogate scale", "rtrl", "rtrl", "_neurons_dot", "psi * c_dot + g_psi",
     "psi * c_dot + 2 * g_psi"),
    ("no influence from below", "rtrl", "rtrl", "_current_dot",
     'jnp.einsum("ibj', '0 * jnp.einsum("ibj'),
    ("weight transposed", "rtrl", "rtrl", "_current_dot", "ibj,jk->ijbk", "ibj,kj->ijbk"),
    ("bias forgotten", "rtrl", "rtrl", "_own", "jnp.ones_like", "jnp.zeros_like"),
]  # fmt: skip


def params_of(case):
    params, _ = case.build(chain=case.chain()).init(jax.random.key(0), X.shape[1:])
    rng = np.random.default_rng(1)  # biases start at zero, where mistakes can hide
    return jax.tree.map(lambda p: np.asarray(p) + rng.normal(0.1, 0.3, p.shape), params)


@cache
def reference(name):
    """(params, (loss, grads)) of a case, computed once."""
    case = CASES[name]
    params = params_of(case)
    with jax.enable_x64(True):
        if case.right:
            return params, case.right(params)
        ordinary = case.build
        estimate = by_autodiff(ordinary(), cross_entropy())
        return params, jax.jit(estimate)(params, (X, LABEL), None)[:2]


def find(name):
    """The report on a case."""
    case, (params, right) = CASES[name], reference(name)
    network = case.build(chain=case.chain())
    known = lambda params, batch, key: (*jax.tree.map(jnp.asarray, right), ())
    estimate = case.estimator(network, cross_entropy())
    return check_estimator(estimate, known, params, (X, LABEL), jax.random.key(3))


@cache
def of_the_library(name):
    return find(name)


@pytest.mark.parametrize("name", CASES)
def test_the_rule_passes(name):
    report = of_the_library(name)
    report.raise_if_bad()
    assert all(0.05 < rate < 0.95 for rate in report.firing_rates)


@pytest.mark.parametrize(
    ("name", "module", "function", "old", "new"),
    [row[1:] for row in MISTAKES],
    ids=[f"{row[1]}: {row[0]}" for row in MISTAKES],
)
def test_a_planted_mistake_is_found(plant, name, module, function, old, new):
    reference(name)
    plant(f"gradients.rules.{module}", function, old, new)
    report = find(name)
    assert not report.ok
    assert report.worst in report.reason
    assert report.worst != "output", "the forward pass is the same"


def test_every_rule_has_two_mistakes():
    for name in {name.removesuffix(" limit") for name in CASES}:
        rows = [row for row in MISTAKES if row[1].removesuffix(" limit") == name]
        assert len(rows) >= 2, name
