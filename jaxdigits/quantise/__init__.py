"""Rounded weights, and the integer neurons of neuromorphic chips."""

from jaxdigits.quantise.chips import CHIPS as CHIPS
from jaxdigits.quantise.chips import to_dynapcnn as to_dynapcnn
from jaxdigits.quantise.chips import to_integers as to_integers
from jaxdigits.quantise.chips import to_loihi as to_loihi
from jaxdigits.quantise.chips import to_xylo as to_xylo
from jaxdigits.quantise.fixed_lif import DynapCnn as DynapCnn
from jaxdigits.quantise.fixed_lif import Loihi as Loihi
from jaxdigits.quantise.fixed_lif import dynapcnn as dynapcnn
from jaxdigits.quantise.fixed_lif import loihi as loihi
from jaxdigits.quantise.fixed_lif import slayer_cuba as slayer_cuba
from jaxdigits.quantise.fixed_xylo import Xylo as Xylo
from jaxdigits.quantise.fixed_xylo import xylo as xylo
from jaxdigits.quantise.integer_lif import IntegerLif as IntegerLif
from jaxdigits.quantise.integer_lif import integer_lif as integer_lif
from jaxdigits.quantise.twin import LayerReport as LayerReport
from jaxdigits.quantise.twin import Twin as Twin
from jaxdigits.quantise.weights import MOST as MOST
from jaxdigits.quantise.weights import Quantised as Quantised
from jaxdigits.quantise.weights import quantise as quantise
from jaxdigits.quantise.weights import quantised as quantised
from jaxdigits.quantise.weights import rounded as rounded
