"""A learning rule by name: the table `RULES` of each file holds its own."""

from collections.abc import Callable
from typing import NamedTuple

from jaxdigits.chain import Chain, in_series
from jaxdigits.gradients.estimators import Estimator, by_hand
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss


class LearningRule(NamedTuple):
    """A rule as training takes it."""

    chain: Chain
    estimator: Callable[[Layer, Loss], Estimator] = by_hand


RULES = {"bptt": LearningRule(in_series)}
