"""The site: each page has its place, each derivation is shown, and docstrings survive."""

import re
import runpy
from pathlib import Path
from pkgutil import walk_packages

import pytest

import jaxdigits
from jaxdigits.layer import Layer

DOCS = Path(__file__).parent.parent / "docs"
CONF = runpy.run_path(str(DOCS / "conf.py"))
GENERATED = {"_build", "jupyter_execute", "notebooks"}


def automodules(folder):
    """The modules whose docstrings a folder's pages show."""
    texts = [page.read_text() for page in (DOCS / folder).glob("*.md")]
    return re.findall(r"automodule:: (\S+)", "\n".join(texts))


def test_every_page_has_its_place_in_the_index():
    index = (DOCS / "index.md").read_text()
    listed = re.findall(r"(?m)^([a-z][\w/-]*)$", "".join(index.split("```{toctree}")[1:]))
    pages = {page.relative_to(DOCS).with_suffix("") for page in DOCS.glob("**/*.md")}
    pages = {str(page) for page in pages if page.parts[0] not in GENERATED}
    assert {*listed, "index"} == pages
    assert len(set(listed)) == len(listed) > 20


def test_every_module_with_a_derivation_is_among_the_derivations():
    shown = automodules("derivations")
    assert len(set(shown)) == len(shown)
    derived = set()
    for module in walk_packages(jaxdigits.__path__, "jaxdigits."):
        unit = module.name.split(".")[1]
        if unit in ("layer", "layers", "spikes", "losses", "gradients") and not module.ispkg:
            doc = __import__(module.name, fromlist=["_"]).__doc__ or ""
            if re.search(r"(?m)^    .*(∂L|x̄|ȳ|λ|W̄).*$", doc):
                derived.add(module.name)
    assert {"jaxdigits.spikes.lif", "jaxdigits.layers.conv"} < derived
    assert derived - set(shown) == set()


def test_every_folder_is_in_the_reference():
    shown = set(automodules("reference"))
    folders = [m.name for m in walk_packages(jaxdigits.__path__, "jaxdigits.") if m.ispkg]
    assert {*folders, "jaxdigits.layer", "jaxdigits.losses"} - {"jaxdigits.cli"} <= shown


@pytest.mark.parametrize(
    ("doc", "shown"),
    [
        ("So:\n\n    x̄ = |ȳ|\n\nand", "So:\n\n\n.. code-block:: text\n\n    x̄ = |ȳ|\n\n\nand"),
        ("|a| of `a|b` and x_", r"\|a\| of `a|b` and x\_"),
        ("* a * b", r"* a \* b"),
        ("[1] One, 2019.\n[2] Two, 2021.", "[1] One, 2019.\n\n[2] Two, 2021."),
        ("Args:\n  a, b,\n    c: three.\n    More.", "Args:\n  a, b, c: three.\n    More."),
    ],
)  # fmt: skip
def test_a_docstring_becomes_what_sphinx_reads(doc, shown):
    lines = doc.split("\n")
    CONF["equations"](None, "module", "name", Layer, None, lines)
    assert shown in "\n".join(lines)


def test_prose_after_the_arguments_stands_for_itself():
    lines = [":Parameters: **x** -- one", "             or two", "A member that diverges."]
    CONF["paragraphs"](None, "function", "name", Layer, None, lines)
    assert lines[2:] == ["", "A member that diverges."]


def test_every_script_that_a_page_names_is_there():
    pages = [DOCS.parent / "README.md", *DOCS.glob("*.md")]
    for page in pages:
        for path in re.findall(r"experiments/[\w/]+\.\w+", page.read_text()):
            assert (DOCS.parent / path).exists(), f"{page.name} names {path}"
