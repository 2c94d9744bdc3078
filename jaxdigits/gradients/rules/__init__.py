"""Learning rules: another `backward`, the same params and the same `forward`.

A rule is a chain, which a builder receives: `snn(chain=eprop())`.  `RULES` has them by name,
each with the estimator that its network wants.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxdigits.chain import Chain, in_series
from jaxdigits.gradients.estimators import Estimator, by_hand
from jaxdigits.gradients.rules.eprop import eprop
from jaxdigits.gradients.rules.feedback import by_target, direct_feedback, direct_target
from jaxdigits.gradients.rules.forward import forward_gradient
from jaxdigits.gradients.rules.ottt import ottt
from jaxdigits.gradients.rules.rtrl import rtrl
from jaxdigits.gradients.rules.stepwise import direct_stream, rate_stream, stepped_lif
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss
from jaxdigits.spikes import latency


class LearningRule(NamedTuple):
    """A rule as training wants it."""

    chain: Chain
    estimator: Callable[[Layer, Loss], Estimator] = by_hand
    parts: Mapping[str, Mapping[str, Callable]] | None = None
    """the encoders and the neuron by name that its networks are built of; None: layers"""


STEPPED = {
    "encoder": {"rate": rate_stream, "direct": direct_stream, "latency": latency},
    "neuron": {"lif": stepped_lif},
}
RULES: dict[str, LearningRule] = {
    "bptt": LearningRule(in_series),
    "eprop": LearningRule(eprop()),
    "eprop_random": LearningRule(eprop("random")),
    "eprop_adaptive": LearningRule(eprop("adaptive")),
    "eprop_online": LearningRule(eprop(online=True), parts=STEPPED),
    "ottt": LearningRule(ottt()),
    "ottt_online": LearningRule(ottt(online=True), parts=STEPPED),
    "feedback": LearningRule(direct_feedback()),
    "drtp": LearningRule(direct_target(), by_target),
    "forward": LearningRule(forward_gradient(tangents=16)),
    "rtrl": LearningRule(rtrl(), parts=STEPPED),
}

__all__ = [
    "RULES",
    "STEPPED",
    "LearningRule",
    "by_target",
    "direct_feedback",
    "direct_stream",
    "direct_target",
    "eprop",
    "forward_gradient",
    "ottt",
    "rate_stream",
    "rtrl",
    "stepped_lif",
]
