"""Networks for other programs and chips, and from them: NIR graphs, ONNX, StableHLO."""

from jaxdigits.interop.artefact import load_exported as load_exported
from jaxdigits.interop.artefact import read_artefact as read_artefact
from jaxdigits.interop.artefact import write_artefact as write_artefact
from jaxdigits.interop.discretise import PEERS as PEERS
from jaxdigits.interop.discretise import Discretisation as Discretisation
from jaxdigits.interop.exporting import to_graph as to_graph
from jaxdigits.interop.files import read_graph as read_graph
from jaxdigits.interop.files import write_graph as write_graph
from jaxdigits.interop.graph import Graph as Graph
from jaxdigits.interop.graph import Node as Node
from jaxdigits.interop.images import image_graph as image_graph
from jaxdigits.interop.importing import fitting as fitting
from jaxdigits.interop.importing import from_graph as from_graph
from jaxdigits.interop.importing import nir_network as nir_network
from jaxdigits.interop.importing import node_potentials as node_potentials
from jaxdigits.interop.importing import node_spikes as node_spikes
from jaxdigits.interop.onnx import to_onnx as to_onnx
from jaxdigits.interop.stablehlo import to_stablehlo as to_stablehlo
