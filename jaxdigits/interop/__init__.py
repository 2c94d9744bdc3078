"""Networks for other programs, and from them: StableHLO, ONNX."""

from jaxdigits.interop.artefact import load_exported as load_exported
from jaxdigits.interop.artefact import read_artefact as read_artefact
from jaxdigits.interop.artefact import write_artefact as write_artefact
from jaxdigits.interop.onnx import to_onnx as to_onnx
from jaxdigits.interop.stablehlo import to_stablehlo as to_stablehlo
