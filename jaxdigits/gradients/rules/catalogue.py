"""The learning rules by name, for JSON files and the command line."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxdigits.chain import Chain, in_series
from jaxdigits.gradients.estimators import Estimator, by_hand
from jaxdigits.gradients.rules.eprop import eprop
from jaxdigits.gradients.rules.eventprop import eventprop
from jaxdigits.gradients.rules.feedback import by_target, direct_feedback, direct_target
from jaxdigits.gradients.rules.forward import forward_gradient
from jaxdigits.gradients.rules.ottt import ottt
from jaxdigits.gradients.rules.rtrl import rtrl
from jaxdigits.gradients.rules.stepwise import direct_stream, rate_stream
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss
from jaxdigits.spikes import alif_neuron, cuba_lif_neuron, latency, lif_neuron


class LearningRule(NamedTuple):
    """A rule as training wants it."""

    chain: Chain
    estimator: Callable[[Layer, Loss], Estimator] = by_hand
    parts: Mapping[str, Mapping[str, Callable]] | None = None
    """the encoders and the neurons by name that its networks are built of; None: layers"""


STEPPED = {
    "encoder": {"rate": rate_stream, "direct": direct_stream, "latency": latency},
    "neuron": {"lif": lif_neuron, "cuba_lif": cuba_lif_neuron, "alif": alif_neuron},
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
    "eventprop": LearningRule(eventprop()),
}
