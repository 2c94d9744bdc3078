"""The limits in which a rule that approximates is exact: there it is backpropagation.

Each also has the case beside its limit, where it must differ, or the limit says nothing.
"""

from functools import partial

import jax
import numpy as np
import pytest

from jaxdigits.gradients import by_autodiff, by_hand
from jaxdigits.gradients.rules import RULES, direct_feedback, eprop, ottt, rtrl
from jaxdigits.gradients.rules.feedback import by_target, direct_target
from jaxdigits.layers import leaky_relu
from jaxdigits.losses import Loss
from jaxdigits.spikes import Convention, direct, leaky_readout

MAXIMUM = partial(leaky_readout, reduce="max")
DEEP = (6, 7)
DEEPER = (6, 7, 8)  # for what passes through a layer between
OUTPUT, LAST, FIRST = ("8/",), ("5/",), ("2/",)  # layers of a network of two hidden ones


@pytest.mark.parametrize("chain", [eprop(), ottt(), direct_feedback("symmetric")])
@pytest.mark.parametrize("options", [{}, dict(encoder=direct, readout=MAXIMUM)])
def test_one_hidden_layer_is_bptt(networks, chain, options):
    loss, exact, residual = networks.result(networks.snn(**options))
    networks.assert_lively(residual)
    got = networks.result(networks.snn(chain=chain, **options))
    assert got[0] == loss
    assert networks.error(got[1], exact) < 1e-10


@pytest.mark.parametrize("chain", [eprop(), ottt(), direct_feedback("symmetric")])
def test_the_output_and_the_last_hidden_layer_are_exact_and_the_first_is_not(networks, chain):
    exact = networks.grads(networks.snn(DEEP))
    got = networks.grads(networks.snn(DEEP, chain=chain))
    assert networks.error(got, exact, OUTPUT + LAST) < 1e-10
    assert networks.error(got, exact, FIRST) > 1e-2


def test_ottt_is_bptt_where_neurons_forget(networks):
    forgetful = dict(neuron=dict(decay=0.0, threshold=0.25))
    _, exact, residual = networks.result(networks.snn(DEEP, **forgetful))
    networks.assert_lively(residual)
    got = networks.grads(networks.snn(DEEP, chain=ottt(), **forgetful))
    assert networks.error(got, exact) < 1e-10


@pytest.mark.parametrize("reset", ["subtract", 0.0])
@pytest.mark.parametrize("flows", [False, True])
def test_rtrl_is_bptt_for_any_reset_and_depth(networks, reset, flows):
    neuron = dict(convention=Convention(reset=reset, differentiate_reset=flows))
    loss, exact, residual = networks.result(networks.snn(DEEPER, neuron))
    networks.assert_lively(residual)
    got = networks.result(networks.snn(DEEPER, neuron, chain=rtrl()))
    assert got[0] == pytest.approx(loss, rel=1e-12)
    assert networks.error(got[1], exact) < 1e-10


def test_a_differentiated_reset_makes_a_difference_that_rtrl_sees(networks):
    neuron = dict(convention=Convention(differentiate_reset=True))
    flows = networks.grads(networks.snn(neuron=neuron, chain=rtrl()))
    assert networks.error(flows, networks.grads(networks.snn())) > 1e-3


@pytest.mark.parametrize("flows", [False, True])
def test_bptt_by_hand_is_jax_grad(networks, flows):
    neuron = dict(convention=Convention(differentiate_reset=flows))
    network = networks.snn(DEEP, neuron, chain=RULES["bptt"].chain)
    assert networks.error(networks.grads(network),
                          networks.grads(network, estimator=by_autodiff)) < 1e-10  # fmt: skip


@pytest.mark.parametrize("norm", [None, "layer", "batch"])
def test_symmetric_feedback_in_an_mlp_is_backpropagation(networks, norm):
    exact = networks.grads(networks.mlp(norm=norm))
    symmetric = networks.grads(networks.mlp(norm=norm, chain=direct_feedback("symmetric")))
    assert networks.error(symmetric, exact) < 1e-10


def test_symmetric_feedback_past_linear_units_is_backpropagation(networks):
    options = dict(hidden=(5, 4), dropout_rate=0.0)
    linear = dict(activation=lambda: leaky_relu(1.0))
    symmetric = dict(chain=direct_feedback("symmetric"))
    grads = lambda **more: networks.grads(networks.mlp(**options, **more))
    assert networks.error(grads(**linear, **symmetric), grads(**linear)) < 1e-10
    assert networks.error(grads(**symmetric), grads()) > 1e-2


@pytest.mark.parametrize("chain", [eprop("random"), direct_feedback(), eprop("adaptive")])
def test_random_feedback_leaves_the_output_exact_and_the_rest_not(networks, chain):
    exact, got = (networks.grads(networks.snn(chain=c)) for c in (RULES["bptt"].chain, chain))
    assert networks.error(got, exact, ("5/",)) < 1e-10
    assert networks.error(got, exact, ("2/",)) > 1e-2


def test_random_feedback_is_that_of_its_seed(networks):
    grads = [networks.grads(networks.snn(chain=eprop("random", seed=s))) for s in (0, 0, 1)]
    assert networks.error(grads[1], grads[0]) == 0
    assert networks.error(grads[2], grads[0], ("2/",)) > 1e-2


def test_random_feedback_of_the_output_weights_is_symmetric(networks):
    """The adaptive network's matrices are params, so they can be set."""
    network = networks.snn(DEEP, chain=eprop("adaptive"))
    params = list(networks.params(network))
    params[5] = params[5] | {"feedback": params[8]["weight"].T}
    params[2] = params[2] | {"feedback": params[8]["weight"].T @ params[5]["weight"].T}
    got = networks.grads(network, params=tuple(params))
    assert networks.error(got, networks.grads(networks.snn(DEEP, chain=eprop()))) < 1e-12


@pytest.mark.parametrize("make", ["mlp", "snn"])
def test_adaptive_feedback_learns_as_the_output_weights_do(networks, make):
    network = getattr(networks, make)(DEEP, chain=direct_feedback("adaptive"))
    grads = networks.grads(network)
    np.testing.assert_allclose(grads["5/feedback"], grads["8/weight"].T, rtol=1e-12)
    names = [name for name in grads if name.endswith("feedback")]
    assert len(names) == 2
    assert all(np.abs(grads[name]).max() > 0 for name in names)


@pytest.mark.parametrize("make", ["mlp", "snn"])
def test_drtp_sends_the_label_and_the_output_is_exact(networks, make):
    build = getattr(networks, make)
    exact = networks.grads(build())
    got = networks.grads(build(chain=direct_target()), estimator=by_target)
    last = max(exact, key=lambda name: int(name.split("/")[0])).split("/")[0]
    assert networks.error(got, exact, (f"{last}/",)) < 1e-10
    assert networks.error(got, exact, ("2/",)) > 1e-2


def test_drtp_is_feedback_alignment_to_a_loss_that_only_knows_the_label(networks):
    def slope(logits, label):
        return -jax.nn.one_hot(label, logits.shape[-1], dtype=logits.dtype) / len(logits)

    label_only = Loss(lambda logits, label: logits.sum(), slope)
    aligned = lambda network, loss: by_hand(network, label_only)
    got = networks.grads(networks.snn(DEEP, chain=direct_target()), estimator=by_target)
    wanted = networks.grads(networks.snn(DEEP, chain=direct_feedback()), estimator=aligned)
    assert networks.error(got, wanted, FIRST + LAST) < 1e-12
