"""One look for every figure, with colours for the colour-blind and for grey print.

Curves differ in both colour and marker.  Amounts are dark where they are large; signed numbers
go from dark over grey to light, so that grey paper keeps the sign.

[1] Okabe & Ito, "Color Universal Design", 2008: the colours of the curves.
"""

import html
import io
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f2328"
"""of text and axes; a web page puts its own text colour in its place"""
BLUE, RED, GREEN, PINK, ORANGE, SKY = COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
)  # fmt: skip
MARKERS = "os^Dvx"
LINES = ("-", "--", "-.", ":")
AMOUNT = "Oranges"
"""colour map of amounts >= 0: light to dark"""
SIGNED = "cividis"
"""colour map of signed numbers: dark blue, grey, light yellow"""

WIDTH = 5.6
"""inches; a figure of this width can be read on a phone too"""

P = ParamSpec("P")


def with_style(make: "Callable[P, Figure]") -> "Callable[P, Figure]":
    """Give figures of `make` the look of this file, whatever matplotlib's settings are."""

    @wraps(make)
    def figure_of(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        try:
            import matplotlib
            from matplotlib.figure import Figure  # noqa: F401  (fails without matplotlib, too)
        except ImportError as error:
            raise ImportError(
                'figures need matplotlib: pip install "jaxdigits[plots]"'
            ) from error
        with matplotlib.rc_context(_settings()):
            figure = make(*args, **kwargs)
        _keep_ticks(figure)
        return figure

    return figure_of


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of that size in inches, without a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def look(i: int) -> dict[str, Any]:
    """Return the i-th curve's colour, marker and line."""
    return dict(
        color=COLOURS[i % len(COLOURS)],
        marker=MARKERS[i % len(MARKERS)],
        linestyle=LINES[i // len(COLOURS) % len(LINES)],
    )


def bare(axes: Any) -> None:
    """Take the frame and the ticks from axes that hold a picture."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def png(figure: "Figure", *, dpi: int = 150) -> bytes:
    """Return the figure as PNG on white paper."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def svg(figure: "Figure", name: str, text: str) -> str:
    """Return the figure as an element of a web page, in the page's own colour of text.

    Args:
      name: prefix of each id in it, so that the figures of a page do not mix.
      text: description for screen readers.
    """
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):  # else ids differ each time
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    element = file.getvalue()
    element = element[element.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", element)
    element = element.replace(INK, "currentColor").replace(INK.lower(), "currentColor")
    label = html.escape(text, quote=True)
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _keep_ticks(figure: "Figure") -> None:
    """Fix the look of ticks, which matplotlib makes by its settings when a figure is saved."""
    grid: dict[str, Any] = dict(grid_color=INK, grid_alpha=0.15, grid_linewidth=0.6)
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        for which in ("major", "minor"):
            size = {"labelsize": 9} | axis.get_tick_params(which=which)
            axis.set_tick_params(which=which, color=INK, labelcolor=INK,
                                 labelsize=size["labelsize"], **grid)  # fmt: skip


def _settings() -> Any:
    return {
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), INK),
        "font.family": "sans-serif", "font.size": 10, "axes.titlesize": 10,
        "axes.labelsize": 10,
        "legend.fontsize": 9, "legend.frameon": False, "legend.labelcolor": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
        "axes.axisbelow": True,
        "lines.linewidth": 1.6, "lines.markersize": 4, "image.interpolation": "nearest",
        "figure.facecolor": "white", "axes.facecolor": "none",
    }  # fmt: skip
