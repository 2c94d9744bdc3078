"""Measuring: intervals, confusion, and the certificate of all gradients."""

from jaxdigits.measure.cases import CASES
from jaxdigits.measure.certificate import certify
from jaxdigits.measure.confusion import PerClass, confusion_matrix, per_class
from jaxdigits.measure.intervals import Summary, summarise, wilson
from jaxdigits.measure.score import Score, score

__all__ = [
    "CASES",
    "PerClass",
    "Score",
    "Summary",
    "certify",
    "confusion_matrix",
    "per_class",
    "score",
    "summarise",
    "wilson",
]
