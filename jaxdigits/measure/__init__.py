"""Measures: intervals, confusion, corruptions, costs."""

from jaxdigits.measure.calibration import Doubt as Doubt
from jaxdigits.measure.calibration import Reliability as Reliability
from jaxdigits.measure.calibration import calibration_error as calibration_error
from jaxdigits.measure.calibration import error_bound as error_bound
from jaxdigits.measure.calibration import error_bounds as error_bounds
from jaxdigits.measure.calibration import fit_temperature as fit_temperature
from jaxdigits.measure.calibration import learn_doubt as learn_doubt
from jaxdigits.measure.calibration import probabilities as probabilities
from jaxdigits.measure.calibration import reliability as reliability
from jaxdigits.measure.calibration import risk_coverage as risk_coverage
from jaxdigits.measure.calibration import threshold as threshold
from jaxdigits.measure.confusion import PerClass as PerClass
from jaxdigits.measure.confusion import confusion_matrix as confusion_matrix
from jaxdigits.measure.confusion import per_class as per_class
from jaxdigits.measure.corruptions import CORRUPTIONS as CORRUPTIONS
from jaxdigits.measure.corruptions import SEVERITIES as SEVERITIES
from jaxdigits.measure.corruptions import corrupt as corrupt
from jaxdigits.measure.cost import Cost as Cost
from jaxdigits.measure.cost import cost as cost
from jaxdigits.measure.robustness import robustness as robustness
from jaxdigits.measure.saliency import saliency as saliency
from jaxdigits.measure.score import Score as Score
from jaxdigits.measure.score import Summary as Summary
from jaxdigits.measure.score import score as score
from jaxdigits.measure.score import summarise as summarise
from jaxdigits.measure.score import wilson as wilson
