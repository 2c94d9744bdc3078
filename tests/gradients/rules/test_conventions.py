"""Every rule with every kind of neuron: exact in its limit, or refused with the reason.

With one hidden layer, and what a rule needs besides (symmetric feedback, a complete set of
directions), all rules but DRTP are backpropagation.
"""

from functools import partial

import jax
import numpy as np
import pytest

from jaxdigits.chain import Parts
from jaxdigits.gradients import by_autodiff, by_hand
from jaxdigits.gradients.rules import (
    RULES,
    direct_feedback,
    eprop,
    forward_gradient,
    ottt,
    rtrl,
)
from jaxdigits.layers import conv2d, dense, dropout, relu
from jaxdigits.losses import cross_entropy
from jaxdigits.models import snn
from jaxdigits.runs import config_for
from jaxdigits.spikes import (
    Convention,
    alif,
    cuba_lif,
    direct,
    firing_rates,
    lif,
    lif_neuron,
)
from jaxdigits.spikes.recurrent import recurrent
from jaxdigits.tree import named_leaves, relative_error

STEPS, NEURONS = 5, 4
X, LABEL = np.random.default_rng(0).random((4, 2, 3)), np.array([0, 1, 2, 1])
FIRE = dict(decay=0.75, threshold=0.25)
CHAINS = {
    "e-prop": eprop(),
    "OTTT": ottt(),
    "feedback": direct_feedback("symmetric"),
    "forward": forward_gradient(tangents=STEPS * NEURONS, orthonormal=True),
    "RTRL": rtrl(),
    "e-prop online": eprop(online=True),
    "OTTT online": ottt(online=True),
}
EXACT = "jax.grad"
STEPPED = ("RTRL", "e-prop online", "OTTT online")
CONVENTIONS = {
    "zero": dict(reset=0.0),
    "value, same step": dict(reset=-0.125, reset_step="same"),
    "several, same step, gains": dict(
        spikes="several", fires="at", reset_step="same", gain=(2.0, 0.5, 1.0, 1.5)
    ),
    "late": dict(spike_from="old"),
    "normalised": dict(normalise=True, gain=4.0),
    "free": dict(differentiate_reset=True),
    "free, zero": dict(differentiate_reset=True, reset=0.0),
}
KINDS = {
    "cuba": (cuba_lif, dict(synapse_decay=0.5)),
    "alif": (alif, dict(adaptation=0.5, adaptation_decay=0.75)),
    "learned": (lif, dict(learn=("decay", "threshold"))),
    "recurrent": (lambda *a, **k: recurrent(lif_neuron(*a, **k)), {}),
}
CUT = "reset='subtract'"
HELD = "differentiate_reset=False"
LATE = "spike_from='new'"
MORE = "one state, as `lif`"
REFUSED = {
    "zero": {"e-prop online": CUT, "OTTT online": CUT},
    "value, same step": {"e-prop online": CUT, "OTTT online": CUT},
    "late": dict.fromkeys(("OTTT", *STEPPED), LATE),
    "free": dict.fromkeys(("OTTT", "e-prop online", "OTTT online"), HELD),
    "free, zero": dict.fromkeys(("OTTT", "e-prop online", "OTTT online"), HELD),
    "cuba": dict.fromkeys(STEPPED, MORE),
    "alif": {"OTTT": "adaptive threshold"} | dict.fromkeys(STEPPED, MORE),
    "learned": dict.fromkeys(("forward", *STEPPED), r"learn=\(\)"),
    "recurrent": dict.fromkeys(
        (rule for rule in CHAINS if rule != "feedback"), "synapses among"
    ),
}


def network(kind, rule=None, hidden=(NEURONS,), **options):
    make, own = KINDS.get(kind, (lif, {}))
    convention = Convention(**CONVENTIONS.get(kind, {}))
    neuron = partial(make, **FIRE | own | options, convention=convention)
    chain = dict(chain=CHAINS[rule]) if rule else {}
    sizes = dict(hidden=hidden, classes=3, steps=STEPS, dropout_rate=0.0)
    return snn(**sizes, encoder=direct, neuron=neuron, **chain)


def gradients(networks):
    """{name: gradients by name} and the reference's residual, all by one program."""
    params, _ = networks[EXACT].init(jax.random.key(0), X.shape[1:])
    rng = np.random.default_rng(3)
    params = jax.tree.map(lambda p: np.asarray(p) + rng.normal(0.1, 0.3, p.shape), params)

    def program(params):
        estimators = dict.fromkeys(CHAINS, by_hand) | {EXACT: by_autodiff}
        return {
            rule: estimators[rule](network, cross_entropy())(
                params, (X, LABEL), jax.random.key(1)
            )[1:]
            for rule, network in networks.items()
        }

    found = jax.jit(program)(params)
    rates = np.asarray(firing_rates(found[EXACT][1]))
    assert (rates > 0.05).all(), "a silent network would pass"
    return {rule: named_leaves(grads) for rule, (grads, _) in found.items()}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", [*CONVENTIONS, *KINDS])
def test_one_hidden_layer_is_backpropagation(kind):
    refused, networks = REFUSED.get(kind, {}), {EXACT: network(kind)}
    for rule in CHAINS:
        if rule in refused:
            with pytest.raises(ValueError, match=refused[rule]):
                network(kind, rule)
        else:
            networks[rule] = network(kind, rule)
    grads = gradients(networks)
    for rule in networks:
        for name, exact in grads[EXACT].items():
            assert np.abs(exact).max() > 1e-6, "nothing learns"
            assert relative_error(grads[rule][name], exact) < 1e-10, (rule, name)


@pytest.mark.parametrize("name", ["cnn", "conv_snn"])
def test_convolutional_networks_are_refused_by_every_rule_but_bptt(name):
    for rule in RULES:
        if rule != "bptt":
            with pytest.raises(ValueError, match=f"{name} learns by backpropagation only"):
                config_for(name, gradient=rule)


@pytest.mark.parametrize("rule", [rule for rule in CHAINS if "online" not in rule])
def test_convolutions_among_the_parts_are_refused(rule):
    block = conv2d(2), relu(), dropout(0.0)
    with pytest.raises(ValueError, match="for dense layers: convolutions learn by"):
        CHAINS[rule](Parts((), (block,), (dense(3),), steps=STEPS))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", ["value, same step", "normalised"])
def test_rtrl_is_backpropagation_through_two_layers(kind):
    deep = dict(hidden=(NEURONS, NEURONS), threshold=0.125)
    grads = gradients({EXACT: network(kind, **deep), "RTRL": network(kind, "RTRL", **deep)})
    for name, exact in grads[EXACT].items():
        assert relative_error(grads["RTRL"][name], exact) < 1e-10, name


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", ["zero", "several, same step, gains", "cuba"])
def test_ottt_is_backpropagation_where_neurons_forget(kind):
    deep = dict(hidden=(NEURONS, NEURONS), decay=0.0)
    deep |= dict(synapse_decay=0.0) if kind == "cuba" else {}
    grads = gradients({EXACT: network(kind, **deep), "OTTT": network(kind, "OTTT", **deep)})
    for name, exact in grads[EXACT].items():
        assert relative_error(grads["OTTT"][name], exact) < 1e-10, name
