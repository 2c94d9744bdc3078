"""A rule that a network cannot take is refused when the network is built, with the reason."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients.rules import (
    by_target,
    direct_feedback,
    direct_target,
    eprop,
    eventprop,
    forward_gradient,
    ottt,
    rtrl,
)
from jaxdigits.models import event_snn, snn
from jaxdigits.spikes import (
    Convention,
    leaky_readout,
    lif,
    sigmoid,
    triangle,
)

FLOWS = dict(neuron=dict(convention=Convention(differentiate_reset=True)))
BATCHED = {"e-prop": eprop(), "OTTT": ottt()}
ONLINE = {"e-prop": eprop(online=True), "OTTT": ottt(online=True)}
STEPPED = ONLINE | {"RTRL": rtrl()}


def refused(reason):
    return pytest.raises(ValueError, match=reason)


@pytest.mark.parametrize("rule", BATCHED)
def test_of_every_rule_through_time(networks, rule):
    chain = BATCHED[rule]
    with refused(f"{rule} .* no time"):
        networks.mlp(chain=chain)
    with refused("norm=None"):
        networks.snn(chain=chain, norm="layer")
    with refused("this network has none"):
        networks.snn((), chain=chain)


@pytest.mark.parametrize(
    ("surrogate", "threshold", "reset", "step"),
    [
        (sigmoid(), 0.9, "subtract", "next"),
        (sigmoid(), 20.0, "subtract", "same"),
        (triangle(0.1), 0.9, 0.0, "same"),
        (triangle(), 20.0, 0.0, "next"),
    ],
)
def test_a_differentiated_reset(networks, surrogate, threshold, reset, step):
    def neuron(flows):
        convention = Convention(reset=reset, reset_step=step, differentiate_reset=flows)
        return dict(threshold=threshold, convention=convention)

    options = dict(chain=ottt(), surrogate=surrogate)
    networks.snn(neuron=neuron(False), **options)
    with refused("OTTT needs errors that fade .*differentiate_reset=False"):
        networks.snn(neuron=neuron(True), **options)


def test_inside_jit_too(networks):
    @jax.jit
    def logits(image):
        network = networks.snn(chain=eprop(online=True))
        return network.forward(networks.params(network), image, jax.random.key(0))[0]

    assert logits(jnp.ones((2, 4, 4), jnp.uint8)).shape == (2, 3)


@pytest.mark.parametrize("rule", STEPPED)
def test_of_every_rule_that_goes_step_by_step(networks, rule):
    chain = STEPPED[rule]
    with refused(f"{rule} must know the neurons .* over_time"):
        unit = lif()._replace(about=None)
        snn(neuron=lambda surrogate: unit, chain=chain)
    with refused("take the mean or the last"):
        networks.snn(chain=chain, readout=lambda: leaky_readout(reduce="max"))
    with refused(r"learn=\(\)"):
        networks.snn(chain=chain, neuron=dict(learn=("decay",)))


@pytest.mark.parametrize("rule", ONLINE)
def test_where_one_trace_per_input_is_not_enough(networks, rule):
    chain = ONLINE[rule]
    with refused("holds the reset"):
        networks.snn(chain=chain, **FLOWS)
    with refused("reset='subtract'"):
        high = dict(threshold=5.0, convention=Convention(reset=0.0))
        networks.snn(chain=chain, neuron=high)
    with refused("one decay"):
        networks.snn(chain=chain, neuron=dict(decay=np.linspace(0.5, 0.9, 6)))


def test_of_feedback_and_forward_gradients(networks):
    with refused("feedback must be one of"):
        networks.mlp(chain=direct_feedback("asymmetric"))  # pyright: ignore
    with refused("gain must be > 0"):
        networks.mlp(chain=direct_feedback(gain=0.0))
    with refused("hidden layers, and this network has none"):
        networks.mlp((), chain=direct_feedback())
    with refused("take the estimator `by_target`"):
        networks.grads(networks.mlp(chain=direct_target()))
    with refused("perturb must be"):
        forward_gradient("neurons")  # pyright: ignore
    with refused("tangents must be >= 1"):
        forward_gradient(tangents=0)
    with refused("this network has none: take perturb='weights'"):
        networks.mlp((), chain=forward_gradient())
    with refused("norm=None"):
        networks.mlp(norm="layer", chain=forward_gradient())
    with refused(r"learn=\(\)"):
        networks.snn(neuron=dict(learn=("decay",)), chain=forward_gradient())


def test_labels_for_a_network_that_learns_from_errors(networks):
    for network in (networks.mlp(), networks.snn(), networks.mlp(chain=direct_feedback())):
        with refused("of the rule `direct_target`"):
            networks.grads(network, estimator=by_target)


def test_by_its_own_name_where_spikes_are_times():
    with refused("DRTP needs spikes on a time grid"):
        event_snn(chain=direct_target())


@pytest.mark.parametrize("chain", [eprop, ottt, rtrl, direct_target, forward_gradient, "eprop"])
def test_what_is_no_rule(networks, chain):
    for build in (networks.mlp, networks.snn):
        with refused(r"chain must be .*, as eprop\(\), got '?\w+'?$"):
            build(chain=chain)
    with refused("chain must be"):
        event_snn(chain=eventprop)  # pyright: ignore
