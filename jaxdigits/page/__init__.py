"""A page in the browser, and an interface for programs, that read digits on this machine."""

from jaxdigits.page.serve import listen as listen
from jaxdigits.page.serve import require_extra as require_extra
from jaxdigits.page.serve import serve as serve
