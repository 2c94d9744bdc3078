"""Learning rules: another `backward`, the same params and the same `forward`.

A rule is a chain, which a builder receives: `snn(chain=eprop())`.  `RULES` has them by name,
each with the estimator of its networks.
"""

from jaxdigits import about as _about
from jaxdigits.gradients.rules.eprop import eprop as eprop
from jaxdigits.gradients.rules.eventprop import eventprop as eventprop
from jaxdigits.gradients.rules.feedback import by_target as by_target
from jaxdigits.gradients.rules.feedback import direct_feedback as direct_feedback
from jaxdigits.gradients.rules.feedback import direct_target as direct_target
from jaxdigits.gradients.rules.forward import forward_gradient as forward_gradient
from jaxdigits.gradients.rules.ottt import ottt as ottt
from jaxdigits.gradients.rules.rtrl import rtrl as rtrl
from jaxdigits.gradients.rules.rule import LearningRule as LearningRule

RULES: dict[str, LearningRule] = _about.gather_tables(globals(), "RULES")
"""rules by name; each file has its own"""
