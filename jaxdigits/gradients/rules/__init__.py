"""Learning rules: another `backward`, the same params and the same `forward`.

A rule is a chain, which a builder receives: `snn(chain=eprop())`.  `RULES` has them by name,
each with the estimator that its network wants.
"""

from jaxdigits.gradients.rules.catalogue import RULES, STEPPED, LearningRule
from jaxdigits.gradients.rules.eprop import eprop
from jaxdigits.gradients.rules.eventprop import eventprop
from jaxdigits.gradients.rules.feedback import by_target, direct_feedback, direct_target
from jaxdigits.gradients.rules.forward import forward_gradient
from jaxdigits.gradients.rules.ottt import ottt
from jaxdigits.gradients.rules.rtrl import rtrl
from jaxdigits.gradients.rules.stepwise import direct_stream, rate_stream

__all__ = [
    "RULES",
    "STEPPED",
    "LearningRule",
    "by_target",
    "direct_feedback",
    "direct_stream",
    "direct_target",
    "eprop",
    "eventprop",
    "forward_gradient",
    "ottt",
    "rate_stream",
    "rtrl",
]
