"""The gradient certificate: a case of every hand-derived gradient, and their check."""

from jaxdigits.certificate.cases import CASES
from jaxdigits.certificate.certify import certify

__all__ = [
    "CASES",
    "certify",
]
