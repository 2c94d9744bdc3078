"""The look: without pyplot, without matplotlib refused, and told apart on grey paper."""

import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from jaxdigits.plots import confusion_figure, lines_figure, raster_figure
from jaxdigits.plots.style import AMOUNT, INK, SIGNED, look, png, svg

SPIKES = {"a": np.eye(4)}


def grey(colour):
    """Its lightness on grey paper."""
    return np.array(to_rgb(colour)) @ (0.2126, 0.7152, 0.0722)


def test_pyplot_is_never_imported():
    code = """if True:
        import sys, numpy
        from jaxdigits.plots import confusion_figure
        from jaxdigits.plots.style import png, svg
        assert "matplotlib" not in sys.modules, "before it is needed"
        figure = confusion_figure(numpy.eye(3, dtype=int))
        png(figure), svg(figure, "a", "b")
        assert "matplotlib.pyplot" not in sys.modules, "it chooses a backend"
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "jaxdigits\[plots\]"'):
        confusion_figure(np.eye(3, dtype=int))


def test_the_look_is_the_same_whatever_the_settings_and_leaves_them_alone():
    draw = lambda: png(raster_figure(SPIKES), dpi=50)
    before = draw()
    with matplotlib.rc_context({"font.size": 30, "text.color": "red"}):
        assert draw() == before
        assert matplotlib.rcParams["font.size"] == 30


def test_a_picture_is_a_png():
    assert png(raster_figure(SPIKES)).startswith(b"\x89PNG")


def test_curves_differ_in_more_than_colour_and_signs_survive_grey():
    marks = [(look(i)["marker"], look(i)["linestyle"]) for i in range(12)]
    assert len(set(marks)) == 12
    for name, direction in ((SIGNED, 1), (AMOUNT, -1)):
        lightness = [grey(c) for c in matplotlib.colormaps[name](np.linspace(0, 1, 20))[:, :3]]
        assert (direction * np.diff(lightness) > 0).all()


def test_an_element_of_a_page_has_the_colour_of_its_text_and_ids_of_its_own():
    figures = {n: lines_figure(np.arange(2), {"q": np.arange(2)}, x_label="x", y_label="y")
               for n in ("one", "two")}  # fmt: skip
    elements = {n: svg(figure, n, 'a "b" & c') for n, figure in figures.items()}
    ids = []
    for name, element in elements.items():
        assert INK not in element
        assert "currentColor" in element
        root = ElementTree.fromstring(element)
        assert (root.get("role"), root.get("aria-label")) == ("img", 'a "b" & c')
        own = {node.get("id") for node in root.iter()} - {None}
        href = "{http://www.w3.org/1999/xlink}href"
        asked = {node.get(href)[1:] for node in root.iter() if node.get(href)}
        assert asked
        assert asked <= own
        assert all(i.startswith(f"{name}-") for i in own)
        ids += own
    assert len(set(ids)) == len(ids)
    assert svg(figures["one"], "one", "again") == elements["one"].replace(
        'aria-label="a &quot;b&quot; &amp; c"', 'aria-label="again"'
    )
