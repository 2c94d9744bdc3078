"""A page in the browser, and an interface for programs, that read digits on this machine."""

from jaxdigits.page.server import listen as listen
from jaxdigits.page.server import require_extra as require_extra
from jaxdigits.page.server import serve as serve
