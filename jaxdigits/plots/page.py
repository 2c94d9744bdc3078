"""A run as one web page: figures, metrics, configuration and environment, nothing to fetch.

The page is a single file without scripts.  Its figures are drawn in the page's own colours, so
that they are at home in a light and in a dark browser, on paper and on a phone.
"""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxdigits.plots.of_network import Drawing
from jaxdigits.plots.style import svg

STYLE = Path(__file__).with_name("page.css")


def page(
    title: str,
    summary: str,
    facts: Mapping[str, str],
    drawings: Sequence[Drawing],
    tables: Mapping[str, Sequence[Sequence[Any]]],
) -> str:
    """The whole page as text.

    Args:
      title: a line.
      summary: a sentence below it.
      facts: what matters most, a few words each, by name.
      drawings: figures in their order.
      tables: by title, rows of cells; the first row is the head.
    """
    parts = [
        f"<header><h1>{html.escape(title)}</h1><p>{html.escape(summary)}</p></header>",
        f"<dl class=facts>{''.join(_fact(*fact) for fact in facts.items())}</dl>",
        *(_figure(drawing) for drawing in drawings),
        *(_table(name, rows) for name, rows in tables.items()),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE.read_text()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"


def _figure(drawing: Drawing) -> str:
    title, text = html.escape(drawing.title), html.escape(drawing.text)
    picture = svg(drawing.figure, drawing.name, drawing.title)
    return (
        f'<section id="{drawing.name}"><h2>{title}</h2>\n<figure><div class=scroll>{picture}'
        f"</div>\n<figcaption>{text}</figcaption></figure></section>"
    )


def _table(title: str, rows: Sequence[Sequence[Any]]) -> str:
    """Rows that open with a click, as they are there to be looked up."""
    line = lambda row, cell: "".join(f"<{cell}>{html.escape(str(c))}</{cell}>" for c in row)
    head, *body = rows
    lines = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in body)
    return (
        f"<details><summary>{html.escape(title)}</summary><div class=scroll><table>\n"
        f"<thead><tr>{line(head, 'th')}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
        "</details>"
    )
