"""The site: `sphinx-build -W --keep-going -b html docs docs/_build`.

The pages are Markdown. The reference and the derivations are the docstrings of the package,
which are written to be read as text: this file only tells Sphinx where their equations stand.
"""

import re
import shutil
from importlib.metadata import metadata
from pathlib import Path

# Configurations read signatures before autodoc rewrites them.
import jaxdigits
from jaxdigits.page.onefile import to_page
from jaxdigits.runs import load_run
from jaxdigits.runs.export import member_of

HERE = Path(__file__).parent
SECTIONS = {"Args:", "Raises:", "Returns:", "Yields:", "Attributes:"}

project = "jaxdigits"
author = "the jaxdigits authors"
copyright = f"{author}, Apache-2.0"
release = metadata("jaxdigits")["Version"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "jupyter_execute"]
nitpicky = True
# Types of other libraries, and shapes in the place of types, have no page here to link to.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = "jaxdigits"
html_show_sourcelink = False

smartquotes = False  # H' is not H’, nor ... an ellipsis, where a docstring means an array
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are shown as they lie there; a test runs them

autodoc_member_order = "groupwise"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_param = False  # arguments that share a line share an entry
default_role = "code"


def equations(app, what, name, obj, options, lines):
    """A docstring's indented blocks as literal text, its prose without markup but `code`."""
    shown, section, block = [], False, False
    # Names of arguments that go on in the next line are one line to napoleon.
    text = re.sub(r"(?m)^(  \S[^:\n]*,)\n +", r"\1 ", "\n".join(lines))
    for line in text.split("\n"):
        indented = line.startswith("    ") and not section
        if line.strip() and indented != block:
            shown += ["", ".. code-block:: text", ""] if indented else [""]
            block = indented
        if line and not line.startswith(" "):
            section = line in SECTIONS
        if re.match(r"\[\d+\] ", line):  # each source is a paragraph
            shown.append("")
        shown.append(line if block else without_markup(line))
    # Napoleon would take what stands before a colon for an attribute's type.
    lines[:] = ["..", "", *shown] if what == "attribute" else shown


def paragraphs(app, what, name, obj, options, lines):
    """A blank line wherever prose follows fields, which napoleon forgets between sections."""
    for i in reversed(range(1, len(lines))):
        before, line = lines[i - 1], lines[i]
        if before.startswith((" ", ":")) and line and not line.startswith((" ", ":", "..")):
            lines.insert(i, "")


def without_markup(line):
    """A line in which `*`, `|` and a trailing `_` are letters, outside of `code`."""
    bullet = "* " if line.startswith("* ") else ""
    parts = re.split(r"(`[^`]*`)", line.removeprefix(bullet))
    parts[::2] = [re.sub(r"[*|]|_(?!\w)", r"\\\g<0>", text) for text in parts[::2]]
    return bullet + "".join(parts)


def copy_notebooks(app):
    """Sphinx reads below `docs/` only."""
    shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", dirs_exist_ok=True)


def write_page(app, exception):
    """The first page shows the network that comes with the package."""
    if exception is None and app.builder.format == "html":
        run = load_run(Path(jaxdigits.__file__).parent / "box")
        path = Path(app.outdir, "_static", "draw.html")
        path.write_text(to_page(run, member_of(run)).html, "utf-8")


def of_others(app, what, name, obj, skip, options):
    """Skip the names that a folder imports from other libraries."""
    ours = getattr(obj, "__module__", None) or "jaxdigits"
    return True if what == "module" and not ours.startswith("jaxdigits") else None


def setup(app):
    app.connect("builder-inited", copy_notebooks)
    app.connect("build-finished", write_page)
    app.connect("autodoc-skip-member", of_others)
    app.connect("autodoc-process-docstring", equations, priority=400)  # napoleon has 500
    app.connect("autodoc-process-docstring", paragraphs, priority=600)
