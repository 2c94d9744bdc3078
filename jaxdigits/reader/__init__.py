"""Reading a field: a row of digits whose format is known.

All public names stand in `__init__.pyi`.  Formats need no JAX: the other files are imported at
their first use.
"""

from lazy_loader import attach_stub

from jaxdigits.reader.automaton import Automaton as Automaton
from jaxdigits.reader.automaton import explore as explore
from jaxdigits.reader.automaton import product as product
from jaxdigits.reader.automaton import union as union
from jaxdigits.reader.formats import FORMATS as FORMATS
from jaxdigits.reader.formats import Format as Format
from jaxdigits.reader.formats import make_format as make_format
from jaxdigits.reader.pattern import pattern as pattern

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
