"""Search: a good network for some data, by trials in the lanes of one compiled program."""

from jaxdigits.search.finals import Claim as Claim
from jaxdigits.search.importance import importances as importances
from jaxdigits.search.pareto import front_ranks as front_ranks
from jaxdigits.search.session import Found as Found
from jaxdigits.search.session import search as search
from jaxdigits.search.space import Choice as Choice
from jaxdigits.search.space import Real as Real
from jaxdigits.search.space import Space as Space
from jaxdigits.search.space import Whole as Whole
