"""Measures: intervals, confusion, corruptions, costs."""

from jaxdigits.measure.confusion import PerClass, confusion_matrix, per_class
from jaxdigits.measure.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from jaxdigits.measure.cost import Cost, cost
from jaxdigits.measure.robustness import robustness
from jaxdigits.measure.saliency import saliency
from jaxdigits.measure.score import Score, Summary, score, summarise, wilson

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "Cost",
    "PerClass",
    "Score",
    "Summary",
    "confusion_matrix",
    "corrupt",
    "cost",
    "per_class",
    "robustness",
    "saliency",
    "score",
    "summarise",
    "wilson",
]
