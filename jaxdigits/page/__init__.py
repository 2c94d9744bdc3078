"""Pages for a browser: a run as one file that needs no server."""

from jaxdigits.page.onefile import export_page as export_page
