"""A rule that a network cannot take is refused when the network is built, with the reason."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients.rules import (
    direct_feedback,
    direct_target,
    eprop,
    forward_gradient,
    ottt,
    rtrl,
)
from jaxdigits.spikes import arctan, fast_sigmoid, leaky_readout, sigmoid, triangle

FLOWS = dict(neuron=dict(differentiate_reset=True))
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
    ("rule", "surrogate", "reset"),
    [
        ("e-prop", arctan, "subtract"),
        ("e-prop", fast_sigmoid, "zero"),
        ("OTTT", sigmoid, "subtract"),
        ("OTTT", triangle, "zero"),
    ],
)
def test_a_differentiated_reset(networks, rule, surrogate, reset):
    neuron = dict(reset=reset)
    options = dict(chain=BATCHED[rule], surrogate=surrogate())
    networks.snn(neuron=neuron, **options)
    with refused(f"{rule} holds the reset"):
        networks.snn(neuron=neuron | dict(differentiate_reset=True), **options)


def test_inside_jit_too(networks):
    @jax.jit
    def logits(image):
        network = networks.stepped(chain=eprop(online=True))
        return network.forward(networks.params(network), image, jax.random.key(0))[0]

    assert logits(jnp.ones((2, 4, 4), jnp.uint8)).shape == (2, 3)


@pytest.mark.parametrize("rule", STEPPED)
def test_of_every_rule_that_goes_step_by_step(networks, rule):
    chain = STEPPED[rule]
    with refused(f"{rule} .* neuron=stepped_lif"):
        networks.snn(chain=chain)
    with refused("take the mean or the last"):
        networks.stepped(chain=chain, readout=lambda: leaky_readout(reduce="max"))
    with refused(r"learn=\(\)"):
        networks.stepped(chain=chain, neuron=dict(learn=("decay",)))


@pytest.mark.parametrize("rule", ONLINE)
def test_where_one_trace_per_input_is_not_enough(networks, rule):
    chain = ONLINE[rule]
    with refused("holds the reset"):
        networks.stepped(chain=chain, **FLOWS)
    with refused("reset='subtract'"):
        networks.stepped(chain=chain, neuron=dict(reset="zero"))
    with refused("one decay"):
        networks.stepped(chain=chain, neuron=dict(decay=np.linspace(0.5, 0.9, 6)))


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
    with refused("norm=None"):
        networks.mlp(norm="layer", chain=forward_gradient())
    with refused(r"learn=\(\)"):
        networks.snn(neuron=dict(learn=("decay",)), chain=forward_gradient())
