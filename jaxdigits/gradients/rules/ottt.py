"""OTTT: online training through time [1].

Backpropagation sends an error through space (layers) and through time (each neuron's
memory).  OTTT sends it through space only, at each step independently, and lets each synapse
remember its own inputs.  With ψ_t = h(v_t − θ), e_t the error at the output's currents and
x^l_t the output of layer l:

    presynaptic trace     â_t = β â_{t−1} + x^{l−1}_t
    spatial gradient      g^L_t = ψ^L_t (e_t W_outᵀ)          g^l_t = ψ^l_t (g^{l+1}_t Wᵀ_{l+1})
    gradient              W̄_l = Σ_t â_tᵀ g^l_t

Put back in the order of time, Σ_t â_t g_t = Σ_t x_t λ_t with λ_t = β λ_{t+1} + g_t.  So the
batched form calls the neurons' own `backward` twice: over all steps, for the layer's own
weights; and on every step alone, as if nothing came after, for the error of the layer below.
The online form (`online=True`, in `rules.online`) stores â_t only.

The error e_t: [1] has a loss at each step of an output without memory.  Here the loss is of the
logits, linear in the output's currents, and e_t = w_t ∂L/∂logits with w_t known in advance
(see `rules.eprop`); with `leaky_readout(0)`, w_t = 1/T as there.

The approximations: the memory of the neurons above (β λ_{t+1} in their λ) is left out, and the
reset is held constant.  With one hidden layer nothing is lost: it is surrogate BPTT exactly,
and e-prop with symmetric feedback.  The same holds for β = 0, with any number of layers.

The batched form takes any neurons whose errors fade at a constant rate until they fire: with a
reset to a value, too, or a synaptic current, whose trace of an input is the sum of two.

[1] Xiao, Meng, Zhang, He & Lin, NeurIPS 2022, arXiv:2210.04195.
"""

from typing import Any

import jax
from jax import Array

from jaxdigits.chain import Chain, Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.broadcast import at_output
from jaxdigits.gradients.rules.online import online_network
from jaxdigits.gradients.rules.rule import LearningRule, require_fading, require_spiking
from jaxdigits.layer import Layer, serial


def ottt(*, online: bool = False) -> Chain:
    """OTTT for spiking networks of dense layers without norms.

    Args:
      online: in memory that does not grow with the number of steps.

    Raises:
      ValueError: by the chain, for a network that it cannot take, with the reason.
    """

    def chain(parts: Parts) -> Layer:
        require_spiking(parts, "OTTT")
        if online:
            return online_network(parts, "OTTT", _send)
        for _, unit, _ in parts.hidden:
            require_fading(unit, "OTTT")
        return in_series(parts)._replace(backward=_backward(parts))

    return chain


def _send(params: Parts):
    """Make (e, back) -> g_l of one step: down through the weights and slopes of this step."""
    weights = [block[0]["weight"] for block in params.hidden] + [params.exit[0]["weight"]]

    def send(e, back):
        g = []
        for i in reversed(range(len(params.hidden))):
            e = back(i, e @ weights[i + 1].T)
            g.insert(0, e)
        return g

    return send


def _backward(parts: Parts):
    def backward(params, residuals, y_bar):
        p, r = grouped(parts, params), grouped(parts, residuals)
        _, exit_bars, x_bar = at_output(parts, p, r, y_bar)
        hidden_bars = []
        blocks = zip(parts.hidden, p.hidden, r.hidden, strict=True)
        for block, p_l, r_l in reversed(list(blocks)):
            grads, x_bar = _block(block, p_l, r_l, x_bar)
            hidden_bars.insert(0, grads)
        entry_bars, x_bar = serial(*parts.entry).backward(p.entry, r.entry, x_bar)
        return flat(Parts(entry_bars, hidden_bars, exit_bars)), x_bar

    return backward


def _block(block, params, residuals, y_bar: Array):
    """Return the gradients of a block's params, and the error of the block below."""
    weights, unit, dropout = block
    dropout_bar, s_bar = dropout.backward(params[2], residuals[2], y_bar)
    unit_bar, lam = unit.backward(params[1], residuals[1], s_bar)
    weights_bar, _ = weights.backward(params[0], residuals[0], lam)
    g = at_each_step(unit, params[1], residuals[1], s_bar)
    _, x_bar = weights.backward(params[0], residuals[0], g)
    return (weights_bar, unit_bar, dropout_bar), x_bar


def at_each_step(unit: Layer, params: Any, residual: Any, s_bar: Array) -> Array:
    """Return g [T, ..., n], the error behind each step as if it were the only one."""
    back = lambda residual_t, s_bar_t: unit.backward(params, residual_t, s_bar_t)[1]
    alone = jax.tree.map(lambda a: a[:, None], (residual, s_bar))
    return jax.vmap(back)(*alone)[:, 0]


RULES = {"ottt": LearningRule(ottt()), "ottt_online": LearningRule(ottt(online=True))}
