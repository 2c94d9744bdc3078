"""Signatures: whether one hand wrote two of them, with the errors that this decision makes."""

from jaxdigits.verify.decide import Calibration as Calibration
from jaxdigits.verify.decide import Errors as Errors
from jaxdigits.verify.decide import Scores as Scores
from jaxdigits.verify.decide import calibrate as calibrate
from jaxdigits.verify.decide import distances as distances
from jaxdigits.verify.decide import equal_error as equal_error
from jaxdigits.verify.decide import errors_of as errors_of
from jaxdigits.verify.decide import scores_of as scores_of
