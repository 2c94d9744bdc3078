"""Gradients: estimators with one signature, and checks of one against another."""

from jaxdigits.gradients.adversarial import adversarial as adversarial
from jaxdigits.gradients.check import check as check
from jaxdigits.gradients.check import check_estimator as check_estimator
from jaxdigits.gradients.check import check_function as check_function
from jaxdigits.gradients.check import check_loss as check_loss
from jaxdigits.gradients.check import check_network as check_network
from jaxdigits.gradients.check import check_pair as check_pair
from jaxdigits.gradients.check import check_spiking as check_spiking
from jaxdigits.gradients.differences import Differences as Differences
from jaxdigits.gradients.estimators import ESTIMATORS as ESTIMATORS
from jaxdigits.gradients.estimators import Estimator as Estimator
from jaxdigits.gradients.estimators import by_autodiff as by_autodiff
from jaxdigits.gradients.estimators import by_hand as by_hand
from jaxdigits.gradients.estimators import in_microbatches as in_microbatches
from jaxdigits.gradients.report import BadGradient as BadGradient
from jaxdigits.gradients.report import Report as Report
from jaxdigits.gradients.report import Row as Row
