"""Gradients: estimators with one signature, and checks of one against another."""

from jaxdigits.gradients.adversarial import adversarial
from jaxdigits.gradients.check import (
    check,
    check_estimator,
    check_function,
    check_loss,
    check_network,
    check_pair,
    check_spiking,
)
from jaxdigits.gradients.estimators import (
    ESTIMATORS,
    Estimator,
    by_autodiff,
    by_hand,
    in_microbatches,
)
from jaxdigits.gradients.probes import Differences
from jaxdigits.gradients.report import BadGradient, Report, Row

__all__ = [
    "ESTIMATORS",
    "BadGradient",
    "Differences",
    "Estimator",
    "Report",
    "Row",
    "adversarial",
    "by_autodiff",
    "by_hand",
    "check",
    "check_estimator",
    "check_function",
    "check_loss",
    "check_network",
    "check_pair",
    "check_spiking",
    "in_microbatches",
]
