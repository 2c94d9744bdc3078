"""Direct feedback alignment (DFA) and direct random target projection (DRTP).

With a_l = x_{l−1} W_l + b_l, x_l = f(a_l), and e = ∂L/∂a_out the error at the output [1]:

    backpropagation      δa_l = (δa_{l+1} W_{l+1}ᵀ) ⊙ f′(a_l)
    DFA                  δa_l = (e B_l) ⊙ f′(a_l)            B_l [K, n_l] random and fixed
    DRTP                 δa_l = (−y* B_l / B) ⊙ f′(a_l)      y* the label, one-hot
    all three            W̄_l = x_{l−1}ᵀ δa_l

DRTP puts −y* in the place of e, since the sign of e is known in advance: negative for the
label's class, positive for the others [2].  So hidden layers need no output at all.  The 1/B
comes from the mean over the batch.

For spiking units, e and y* are sent as the readout's `backward` spreads them over the steps,
and ⊙ f′ is the neurons' own `backward` through time: the error skips layers, not time.

The approximation: B_l stands for all weights and slopes above.  DFA with B_L = W_outᵀ
("symmetric") is exact for one hidden layer; for several, only the gradients of the last one
and of the output are exact, unless the units are linear.  DRTP is exact for the output only.

[1] Nøkland, NeurIPS 2016, arXiv:1609.01596.
[2] Frenkel, Lefebvre & Bol, Front. Neurosci. 15, 2021, arXiv:1909.01311.
"""

from typing import Any, NamedTuple

import jax
from jax import Array

from jaxdigits.chain import Chain, Parts, grouped
from jaxdigits.gradients.estimators import Estimator
from jaxdigits.gradients.rules.broadcast import Feedback, at_output, broadcast
from jaxdigits.gradients.rules.rule import LearningRule
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss


def direct_feedback(
    feedback: Feedback = "random", *, seed: int = 0, gain: float = 1 / 3
) -> Chain:
    """Direct feedback alignment, for networks of dense layers, spiking or not.

    Args:
      feedback: "random" is Nøkland's; "symmetric" and "adaptive" as in `rules.broadcast`.
      seed: of the random matrices, the same for every network.
      gain: B_l is uniform with variance gain / n_l.

    Raises:
      ValueError: by the chain, for a network that it cannot take.
    """
    return lambda parts: broadcast(parts, feedback, seed, gain)


class Targets(NamedTuple):
    """The error of DRTP: the slope for the output's weights, the target for the others."""

    slope: Array  # ∂L/∂logits [B, K]
    target: Array  # −y*/B [B, K]


def direct_target(*, seed: int = 0, gain: float = 1 / 3) -> Chain:
    """Direct random target projection; its estimator is `by_target`.

    Raises:
      ValueError: in `backward`, for a ∂L/∂logits without targets: it does not have the label.
    """

    def chain(parts: Parts) -> Layer:
        network = broadcast(parts, "random", seed, gain, "DRTP")

        def backward(params, residuals, bars: Any):
            if not isinstance(bars, Targets):
                raise ValueError("DRTP sends labels back: take the estimator `by_target`")
            grads, x_bar = network.backward(params, residuals, bars.target)
            p, r = grouped(parts, params), grouped(parts, residuals)
            _, exit_bars, _ = at_output(parts, p, r, bars.slope)
            return (*grads[: -len(exit_bars)], *exit_bars), x_bar

        return network._replace(backward=backward)

    return chain


def by_target(network: Layer, loss: Loss) -> Estimator:
    """The estimator of a network by `direct_target`: it sends the labels themselves back.

    Raises:
      ValueError: in the estimator, for a network of another rule.
    """

    def estimate(params: Any, batch: Any, key: Array | None):
        x, label = batch
        logits, residual = network.forward(params, x, key)
        hot = jax.nn.one_hot(label, logits.shape[-1], dtype=logits.dtype)
        bars: Any = Targets(loss.slope(logits, label), -hot / len(logits))
        try:
            grads, _ = network.backward(params, residual, bars)
        except AttributeError as error:  # of a `backward` that takes the labels for an array
            if not isinstance(error.obj, Targets):
                raise
            raise ValueError("by_target is for a network of the rule `direct_target`: build "
                             "it with chain=direct_target()") from error  # fmt: skip
        return loss.value(logits, label), grads, residual

    return estimate


RULES = {"feedback": LearningRule(direct_feedback()),
         "drtp": LearningRule(direct_target(), by_target)}  # fmt: skip
