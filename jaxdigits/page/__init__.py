"""Pages for a browser: a server that reads on this machine, and a run as one file."""

from jaxdigits.page.onefile import export_page as export_page
from jaxdigits.page.server import listen as listen
from jaxdigits.page.server import outward as outward
from jaxdigits.page.server import require_extra as require_extra
from jaxdigits.page.server import serve as serve
