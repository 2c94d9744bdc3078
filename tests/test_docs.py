"""The documents: their code runs, their links lead somewhere, their limits are true."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from jaxdigits.reader import FORMATS

ROOT = Path(__file__).parent.parent
PAGES = [
    "docs/layers.md",
    "docs/write-a-learning-rule.md",
    "docs/your-own-data.md",
    "docs/search.md",
    "docs/check-your-gradient.md",
    "docs/conventions.md",
    "docs/neuromorphic.md",
    "docs/learning-rules.md",
    "docs/augmentation.md",
    "docs/pictures.md",
    "docs/fields.md",
    "docs/multimodal.md",
    "docs/untrusted-files.md",
    "docs/command-line.md",
    "docs/many-devices.md",
    "docs/resuming.md",
    "docs/exporting.md",
    "docs/coming-from.md",
    "docs/quantisation.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks(page)


def run_blocks(page):
    """Run the Python blocks of a page in a row; their own asserts decide."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "page"})


def test_the_formats_are_those_of_the_reader():
    page = (ROOT / "docs" / "fields.md").read_text()
    for kind in FORMATS.values():
        assert f"| `{kind.example}` | {kind.text} | {kind.blind} |" in page


def test_the_limits_of_files_are_those_of_the_readers():
    page = (ROOT / "docs" / "untrusted-files.md").read_text().split("## Spoiled")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    of = lambda name, *limits: [getattr(import_module(f"jaxdigits.{name}"), m) for m in limits]
    limits = {
        "IDX": of("data.idx", "MAX_BYTES"),
        "scikit-learn": of("data.digits", "LARGEST"),
        "PNG": of("data.picture", "MAX_BYTES")
        + of("data.segments", "MAX_PIXELS", "MAX_LENGTH", "SCANS", "MAX_SEGMENTS", "MAX_EXIF"),
        "WAV": of("data.sound", "MAX_BYTES", "MAX_SAMPLES"),
        "N-MNIST": of("data.nmnist", "MAX_FILE", "MAX_FILES"),
        "SHD": of("data.shd", "MAX_FILE", "MAX_RECORDINGS", "MAX_EVENTS"),
        "NIR graph": of("interop.files", "MAX_FILE", "MAX_BYTES")
        + of("interop.graph", "MAX_NODES", "MAX_DEPTH"),
        "`.npz`": of("data.own_files", "MAX_BYTES"),
        "`config.json`": of("runs.plain_files", "LARGEST_JSON") + of("options", "LAYERS"),
        "`params.npz`": of("runs.folder", "LARGEST_PARAMS"),
    }
    assert len(rows) == 2 + len(limits)
    for row, (name, values) in zip(rows[2:], limits.items(), strict=True):
        assert row.startswith(f"| {name}")
        assert all(f"{value:,}" in row for value in values), row


def test_everything_that_a_page_links_to_is_there():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]
    assert {ROOT / page for page in PAGES} < set(pages)
    for page in pages:
        # What Sphinx builds is copied below docs/, from here.
        folder = lambda path: ROOT if path.startswith("notebooks/") else page.parent
        for path, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text()):
            target = folder(path) / path if path else page
            assert target.exists(), f"{page} links to {path}"
            assert not anchor or anchor in _anchors(target), f"{page} links to {path}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """The names that GitHub and the site give to a page's headings."""
    titles = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# The last test of this file: it trains for longer than it compiles.
@pytest.mark.usefixtures("optimised")
def test_the_readmes_program_trains_and_checks(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks("README.md")
    printed = capsys.readouterr().out
    assert "ok: True" in printed
    assert float(re.search(r"test accuracy ([\d.]+)%", printed)[1]) > 90
