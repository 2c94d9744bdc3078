"""Losses, each with its slope by hand."""

from jaxdigits.losses.classification import Loss as Loss
from jaxdigits.losses.classification import cross_entropy as cross_entropy
from jaxdigits.losses.classification import rate_error as rate_error
from jaxdigits.losses.contrastive import contrastive as contrastive
from jaxdigits.losses.ctc import ctc as ctc
from jaxdigits.losses.ctc import frames_of as frames_of
from jaxdigits.losses.ctc import spells as spells
