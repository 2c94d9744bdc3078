"""Measuring: intervals, confusion, corruptions, costs."""

from jaxdigits.measure.confusion import PerClass, confusion_matrix, per_class
from jaxdigits.measure.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from jaxdigits.measure.cost import Cost, cost
from jaxdigits.measure.intervals import Summary, summarise, wilson
from jaxdigits.measure.pairs import area_under_curve, bootstrap_of_pairs, mcnemar
from jaxdigits.measure.robustness import robustness
from jaxdigits.measure.saliency import saliency
from jaxdigits.measure.score import Score, score

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "Cost",
    "PerClass",
    "Score",
    "Summary",
    "area_under_curve",
    "bootstrap_of_pairs",
    "confusion_matrix",
    "corrupt",
    "cost",
    "mcnemar",
    "per_class",
    "robustness",
    "saliency",
    "score",
    "summarise",
    "wilson",
]
