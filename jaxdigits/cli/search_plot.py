"""The report of a search: `jaxdigits plot SEARCH`."""

from pathlib import Path
from typing import Any

from jaxdigits.cli.report import say


def plot_search(folder: Path, out: Path | None, *, json_wanted: bool) -> dict[str, Any]:
    """Draw a search, and write its report; return the names of figures, and its path.

    Raises:
      RunError: for a journal that cannot be used.
      ImportError: without matplotlib or jinja2, saying how to install it.
    """
    from jaxdigits.plots.of_search import search_drawings
    from jaxdigits.plots.search_page import search_page
    from jaxdigits.plots.style import png
    from jaxdigits.runs.folder import load_config
    from jaxdigits.search.folder import finished, read_times
    from jaxdigits.search.head import plan_of
    from jaxdigits.search.journal import read_journal
    from jaxdigits.search.records import trials_of
    from jaxdigits.search.words import command_of

    head, records = read_journal(folder)
    plan, _ = plan_of(folder, head)
    say(f"drawing {folder}", json_wanted=json_wanted)
    figures = search_drawings(plan.space, records, read_times(folder))
    result = finished(folder)
    command = command_of(load_config(folder / "best")) if result else ""
    home = out or folder / "plots"
    home.mkdir(parents=True, exist_ok=True)
    for drawing in figures:
        (home / f"{drawing.name}.png").write_bytes(png(drawing.figure))
    trials = list(trials_of(records).values())
    title = f"A search on {Path(plan.facts.data).name}"
    page = search_page(title, str(folder), plan.space, trials, figures, result, command)
    report = home / "report.html"
    report.write_text(page, encoding="utf-8")
    say(f"{len(figures)} figures in {home}\nreport in {report}", json_wanted=json_wanted)
    return dict(figures=[d.name for d in figures], report=str(report))
