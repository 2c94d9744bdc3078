"""The page in headless Chromium, without a network connection: real events, real answers."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import jaxdigits
from jaxdigits.page.onefile import to_page
from jaxdigits.runs import load_run
from jaxdigits.runs.answer import answerer
from jaxdigits.runs.export import member_of

ROOT = Path(__file__).parents[3]
DRIVER = runpy.run_path(str(ROOT / "experiments" / "chromium.py"))
BOX = Path(jaxdigits.__file__).parent / "box"
SPIKING = dict(network="snn", hidden=(20,), steps=7, threshold=0.25)
STROKES = {
    "1": [[(0.4, 0.3), (0.52, 0.2), (0.52, 0.8)]],
    "4": [[(0.35, 0.2), (0.3, 0.55), (0.7, 0.55)], [(0.6, 0.3), (0.6, 0.85)]],
    "7": [[(0.3, 0.22), (0.7, 0.22), (0.42, 0.82)]],
}


@pytest.fixture(scope="module")
def browser():
    if DRIVER["find_browser"]() is None:
        pytest.skip("needs Chromium, to open the page")
    with DRIVER["chromium"]() as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Files: the page of the box, and that of a small spiking network."""
    run_of = runpy.run_path(str(Path(__file__).with_name("test_onefile.py")))["run_of"]
    folder, files = tmp_path_factory.mktemp("pages"), {}
    for name, run in dict(box=load_run(BOX), spiking=run_of(**SPIKING)).items():
        files[name] = folder / f"{name}.html"
        files[name].write_text(to_page(run, member_of(run)).html)
    return files


@pytest.fixture
def page(browser, pages):
    """The page of the box, just opened."""
    browser.resize(1000, 800)
    browser.open(pages["box"])
    return browser


def text(browser, name):
    return browser.value(f"document.getElementById('{name}').textContent")


def settle(browser):
    """Wait for two frames: in the first the page answers."""
    two = "requestAnimationFrame(() => requestAnimationFrame(done))"
    browser.value(f"new Promise((done) => {two})")


def draw(browser, strokes):
    """Draw with the mouse on paper of side 1."""
    left, top, side = browser.value(
        "(() => { const b = document.getElementById('paper').getBoundingClientRect();"
        "return [b.left, b.top, b.width]; })()"
    )
    at = lambda x, y: (left + x * side, top + y * side)
    for (x, y), *rest in strokes:
        browser.mouse("Pressed", *at(x, y))
        for u, v in rest:
            for share in np.linspace(0.1, 1, 10):
                browser.mouse("Moved", *at(x + share * (u - x), y + share * (v - y)))
            x, y = u, v
        browser.mouse("Released", *at(x, y))
    settle(browser)


def complaints(browser):
    """What the browser logs of errors, among them each breach of the page's policy."""
    kinds = ("Log.entryAdded", "Runtime.exceptionThrown")
    return [event for event in browser.events if event["method"] in kinds]


@pytest.mark.parametrize("digit", STROKES)
def test_strokes_of_the_mouse_are_read(page, digit):
    assert text(page, "word") == ""
    draw(page, STROKES[digit])
    assert text(page, "word") == digit
    assert int(text(page, "note").split()[0]) > 60
    page.value("document.getElementById('clear').click()")
    settle(page)
    assert text(page, "word") == ""
    assert complaints(page) == []


def test_the_keyboard_draws_and_undoes(page):
    page.value("document.getElementById('paper').focus()")
    for key in (*["ArrowUp"] * 10, " ", *["ArrowDown"] * 20, " "):
        page.key(key, code="Space" if key == " " else None)
    settle(page)
    assert text(page, "word") == "1"
    page.value("document.getElementById('undo').click()")
    settle(page)
    assert text(page, "word") == ""


def test_two_digits_are_refused_in_the_words_of_predict(page):
    draw(page, [[(0.2, 0.2), (0.2, 0.8)], [(0.8, 0.2), (0.8, 0.8)]])
    assert text(page, "word") == "–"
    assert text(page, "note") == "2 large pieces stand side by side: cut out one digit."


def test_a_picture_is_read_as_predict_reads_it(page, tmp_path):
    image = Image.new("RGB", (90, 120), (240, 236, 220))
    ImageDraw.Draw(image).line([(25, 25), (65, 25), (40, 100)], (40, 50, 120), 8, "curve")
    turned = image.rotate(90, expand=True)
    turned.getexif()[274] = 6  # a camera on its side
    turned.save(tmp_path / "seven.png", exif=turned.getexif())
    page.choose_file("#file", tmp_path / "seven.png")
    while not text(page, "word"):
        settle(page)
    share = answerer(load_run(BOX))(jaxdigits.data.read_picture(tmp_path / "seven.png")[None])
    assert (text(page, "word"), share[0].argmax()) == ("7", 7)
    assert text(page, "note") == f"{int(100 * share[0, 7])} % sure."


def test_a_file_that_is_no_picture_is_named(page, tmp_path):
    (tmp_path / "notes.png").write_text("not pixels")
    page.choose_file("#file", tmp_path / "notes.png")
    while not text(page, "word"):
        settle(page)
    assert text(page, "note").startswith("notes.png is no picture for this browser")


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scrolling(page, pages, dark):
    page.resize(360, 700, dark)
    page.open(pages["spiking"])
    draw(page, STROKES["7"])
    assert page.value("document.documentElement.scrollWidth") == 360
    colour = page.value("getComputedStyle(document.body).backgroundColor")
    levels = [int(n) for n in colour[4:-1].split(",")]
    assert max(levels) < 60 if dark else min(levels) > 200


def test_spikes_are_shown_step_by_step(page, pages):
    page.open(pages["spiking"])
    hidden = "document.getElementById('spikes').hidden"
    assert page.value(hidden)
    draw(page, STROKES["4"])
    assert not page.value(hidden)
    assert text(page, "at") == "7 of 7"
    assert page.value("document.querySelectorAll('#rasters canvas').length") == 2
    last = text(page, "bars")
    page.value(
        "(() => { const step = document.getElementById('step');"
        "step.value = 1; step.dispatchEvent(new Event('input')); })()"
    )
    assert text(page, "at") == "1 of 7"
    assert text(page, "bars") != last
    points = "document.querySelector('#rasters polyline').getAttribute('points')"
    assert len(page.value(points).split()) == 1
    assert complaints(page) == []
