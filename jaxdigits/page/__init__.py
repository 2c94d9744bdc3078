"""Pages for a browser: a server that reads on this machine, and a run as one file."""

from jaxdigits.page.onefile import export_page as export_page
from jaxdigits.page.serve import listen as listen
from jaxdigits.page.serve import require_extra as require_extra
from jaxdigits.page.serve import serve as serve
