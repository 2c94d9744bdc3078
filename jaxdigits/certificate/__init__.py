"""The gradient certificate: a case of every hand-derived gradient, and their check."""

from jaxdigits.certificate.certify import CASES as CASES
from jaxdigits.certificate.certify import KINDS as KINDS
from jaxdigits.certificate.certify import certify as certify
