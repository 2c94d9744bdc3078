"""Rounded weights, and the integer neurons of neuromorphic chips."""

from jaxdigits.quantise.fixed_lif import DynapCnn as DynapCnn
from jaxdigits.quantise.fixed_lif import Loihi as Loihi
from jaxdigits.quantise.fixed_lif import dynapcnn as dynapcnn
from jaxdigits.quantise.fixed_lif import loihi as loihi
from jaxdigits.quantise.fixed_lif import slayer_cuba as slayer_cuba
from jaxdigits.quantise.fixed_xylo import Xylo as Xylo
from jaxdigits.quantise.fixed_xylo import xylo as xylo
from jaxdigits.quantise.weights import MOST as MOST
from jaxdigits.quantise.weights import Quantised as Quantised
from jaxdigits.quantise.weights import quantise as quantise
from jaxdigits.quantise.weights import quantised as quantised
from jaxdigits.quantise.weights import rounded as rounded
