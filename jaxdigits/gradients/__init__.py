"""Gradients: estimators with one signature, and the check of one against another."""

from jaxdigits.gradients.check import Report, check, check_loss
from jaxdigits.gradients.estimators import ESTIMATORS, Estimator, by_autodiff, by_hand

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "Report",
    "by_autodiff",
    "by_hand",
    "check",
    "check_loss",
]
