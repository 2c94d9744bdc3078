"""Reading a field: a row of digits whose format is known."""

from jaxdigits.reader.automaton import Automaton as Automaton
from jaxdigits.reader.automaton import explore as explore
from jaxdigits.reader.automaton import product as product
from jaxdigits.reader.automaton import union as union
from jaxdigits.reader.formats import FORMATS as FORMATS
from jaxdigits.reader.formats import Format as Format
from jaxdigits.reader.formats import make_format as make_format
from jaxdigits.reader.lattice import Strings as Strings
from jaxdigits.reader.lattice import best_alignment as best_alignment
from jaxdigits.reader.lattice import log_partition as log_partition
from jaxdigits.reader.lattice import marginals as marginals
from jaxdigits.reader.lattice import search as search
from jaxdigits.reader.pattern import pattern as pattern
