"""The page: one file that fetches nothing, whatever is written in it."""

from html.parser import HTMLParser

import numpy as np
import pytest

from jaxdigits.plots import raster_figure
from jaxdigits.plots.of_network import Drawing
from jaxdigits.plots.page import page

EVIL = '<script>alert("x")</script>&'
VOID = {"meta", "br", "img", "link"}


class Seen(HTMLParser):
    """Tags, attributes and text of a page, whose tags must close in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def seen():
    drawing = Drawing("raster", f"Spikes {EVIL}", EVIL, raster_figure({"a": np.eye(3)}))
    tables = {EVIL: [["what", "value"], ["a", EVIL], [EVIL, 3]]}
    return Seen(page(EVIL, EVIL, {EVIL: EVIL}, [drawing], tables))


def test_what_is_written_in_it_is_text(seen):
    assert "script" not in seen.tags
    assert seen.text.count(EVIL) == 10
    assert seen.tags.count("svg") == 1


def test_it_fetches_nothing(seen):
    assert not {"link", "img", "iframe", "object"} & set(seen.tags)
    for name, value in seen.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:"))
    assert "url(" not in seen.text
    assert "@import" not in seen.text


def test_it_is_made_for_phones_and_for_dark_rooms(seen):
    assert ("content", "width=device-width, initial-scale=1") in seen.attributes
    assert "prefers-color-scheme: dark" in seen.text
    assert ("lang", "en") in seen.attributes
