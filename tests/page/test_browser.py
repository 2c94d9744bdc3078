"""The page in a real browser, with the network cut off: pens, keys, files, screens."""

import csv
import shutil
import time
from pathlib import Path

import pytest

from jaxdigits.page.app import make_app
from jaxdigits.page.guard import Rules

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PIXELS = """const canvas = arguments[0], context = canvas.getContext("2d");
const { data } = context.getImageData(0, 0, canvas.width, canvas.height);"""
SECONDS = 120  # a slow machine compiles the first programs


class Screen:
    """A browser on the page, and a hand for it."""

    def __init__(self, driver, address, downloads):
        self.driver, self.address, self.downloads = driver, address, downloads

    def open(self, part, width=1100, height=900, dark=False):
        """Load a part of the page on a screen of so many pixels."""
        size = dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = dict(name="prefers-color-scheme", value="dark" if dark else "light")
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}#{part}")
        self.until(lambda: self.script("return document.body.dataset.part") == part)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def text(self, selector):
        return self.find(selector).text

    def until(self, true):
        end = time.monotonic() + SECONDS
        while not true():
            assert time.monotonic() < end, self.text("body")
            time.sleep(0.05)

    def draw(self, canvas, *digits, left=0.0):
        """Draw strokes by pointer events that the browser itself makes."""
        from selenium.webdriver.common.action_chains import ActionChains

        element = self.find(canvas)
        width, height = element.size["width"], element.size["height"]
        for i, digit in enumerate(digits):
            for stroke in digit:
                hand = ActionChains(self.driver, duration=5)
                for n, (x, y) in enumerate(stroke):
                    across = int((left + 0.62 * i + x) * height - width / 2)
                    hand.move_to_element_with_offset(element, across, int((y - 0.5) * height))
                    if n == 0:
                        hand.click_and_hold()
                hand.release().perform()

    def keys(self, selector, *keys):
        self.find(selector).send_keys(*keys)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    ):  # fmt: skip
        options.add_argument(argument)
    folder = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    driver.downloads = folder
    yield driver
    driver.quit()


@pytest.fixture
def screen(driver, served, app):
    driver.get_log("browser")
    screen = Screen(driver, f"http://127.0.0.1:{served(app)}/", driver.downloads)
    screen.end = served.end
    yield screen
    lines = [line["message"] for line in driver.get_log("browser")]
    driver.get("about:blank")
    # The browser notes each refused file, and a server that is gone; nothing else may go wrong.
    known = "422 (Unprocessable", "ERR_CONNECTION_REFUSED"
    assert [line for line in lines if not any(word in line for word in known)] == []


def words(screen):
    """The answer of each network."""
    cards = "return [...document.querySelectorAll('#draw-networks .word')]"
    return screen.script(f"{cards}.map(word => word.firstChild.data)")


def test_a_drawn_digit_is_read_and_its_spikes_are_shown(screen, strokes):
    screen.open("draw")
    screen.draw("#draw-canvas", strokes["7"])
    screen.until(lambda: words(screen)[:1] == ["7"])
    assert screen.text("#draw-said").startswith("package: 7, 9")
    assert screen.text("#draw-inside").count("which pixels decide") == 2
    assert "pixels:" in screen.text("#draw-inside")
    assert "of 12 fire" in screen.text("#draw-inside")
    screen.keys("#draw-inside section:nth-child(2) input", "\ue012\ue012")  # to the left, twice
    assert screen.text("#draw-inside section:nth-child(2) output").startswith("step 3 of 5")
    for canvas in screen.driver.find_elements("css selector", "#draw-inside canvas"):
        if canvas.is_displayed():
            assert screen.script(f"{PIXELS} return data.some(x => x)", canvas)
    screen.find("#draw-clear").click()
    screen.until(lambda: words(screen) == [])
    screen.draw("#draw-canvas", strokes["1"])
    screen.until(lambda: screen.text("#draw-inside"))
    screen.draw("#draw-canvas", strokes["1"], left=0.3)
    screen.until(lambda: words(screen) == ["no answer"] * 2)  # two pieces, of an earlier one
    assert screen.text("#draw-inside") == ""
    screen.find("#draw-clear").click()
    screen.until(lambda: words(screen) == [])
    screen.draw("#draw-canvas", strokes["a cross"])
    screen.until(lambda: len(words(screen)) == 2)
    unsure = "return document.querySelectorAll('#draw-networks .card.unsure').length"
    screen.until(lambda: screen.script(unsure) > 0)


def test_the_keys_alone_draw_a_digit(screen):
    screen.open("draw", width=360, height=700, dark=True)
    up, down = "\ue013", "\ue015"
    screen.keys("#draw-canvas", *[up] * 16, " ", *[down] * 32, " ")
    screen.until(lambda: words(screen)[:1] == ["1"])
    wide = "return document.documentElement.scrollWidth <= innerWidth"
    for part in ("fields", "sums"):
        assert screen.script(wide)
        screen.open(part, width=360, height=700, dark=True)
    paper = "return getComputedStyle(document.body).backgroundColor"
    red = int(screen.script(paper).split("(")[1].split(",")[0])
    assert red < 60
    screen.open("draw")
    screen.keys("body", "\ue004\ue004")  # tab, over the pad
    assert screen.script("return document.activeElement.id") == "draw-undo"


def rows(screen):
    """The cells of the table, with the text of each input."""
    cells = "return [...document.querySelectorAll('#fields-table tbody tr')].map(tr =>"
    return screen.script(
        f"{cells} [...tr.cells].map(td => (td.querySelector('input')?.value ?? td.innerText)))"
    )


def test_files_become_a_table_to_correct_and_save(screen, tmp_path, png):
    names = {"a.png": ("2", "7", "5"), "b.png": ("1", "4", "2"), "blank.png": ()}
    for name, digits in names.items():
        (tmp_path / name).write_bytes(png(*(digits or "2"), blank=not digits))
    (tmp_path / "notes.txt").write_text("no picture")
    screen.open("fields")
    screen.script("document.getElementById('fields-error').value = ''")
    files = [str(tmp_path / name) for name in (*names, "notes.txt")]
    screen.find("#fields-files").send_keys("\n".join(files))
    screen.until(lambda: "3 read, 1 to look at; 1 could" in screen.text("#fields-said"))
    table = {row[0]: row for row in rows(screen)}
    assert {row[0] for row in rows(screen)[:2]} == {"notes.txt", "blank.png"}
    assert (table["a.png"][1], table["b.png"][1]) == ("275", "142")
    assert "nothing stands out" in table["blank.png"][4]
    assert table["notes.txt"][4].startswith("not a PNG")
    screen.find("tbody tr:nth-child(3) button").click()
    canvas = screen.find("#fields-canvas")
    blue = "return data.filter((x, i) => i % 4 === 2 && x > data[i - 2] + 60).length"
    screen.until(lambda: screen.script(f"{PIXELS} {blue}", canvas) > 300)  # the boxes
    screen.end()  # the server is gone: corrections and files stay
    first = screen.find("tbody tr:first-child input")
    first.send_keys("=12")
    assert screen.text("tbody tr:first-child td:nth-child(3)") == "corrected"
    screen.find("tbody tr:nth-child(3) input").send_keys("0")
    screen.find("#fields-save").click()
    file = Path(screen.downloads, "readings.csv")
    screen.until(file.exists)
    head, *saved = csv.reader(file.read_text().splitlines())
    file.unlink()
    assert head[:3] == ["file", "text", "probability"]
    assert [row[0] for row in saved] == [row[0] for row in rows(screen)]
    assert (saved[0][1], saved[0][-1], saved[3][-1]) == ("'=12", "yes", "")
    assert (saved[2][2], saved[2][-1], bool(saved[3][2])) == ("", "yes", True)


def test_a_lost_server_is_a_visible_message(screen, strokes):
    screen.open("draw")
    screen.end()
    screen.draw("#draw-canvas", strokes["7"])
    screen.until(lambda: "still running" in screen.text("#notice"))
    assert screen.find("#notice").is_displayed()


def test_sums_are_judged_right_wrong_or_again(screen, strokes):
    screen.open("sums")
    screen.script("Math.random = () => 0.35")  # 7 + 5
    plus = screen.find("#sums-start [name=kind]")
    plus.click()
    screen.find("#sums-start button").click()
    assert "at least one kind" in screen.text("#notice")
    plus.click()
    screen.find("#sums-start button").click()
    assert screen.text("#sums-sum") == "7 + 5 ="
    count = lambda: screen.text("#sums-count")
    screen.draw("#sums-canvas", strokes["1"], strokes["2"], left=0.2)
    screen.find("#sums-check").click()
    screen.until(lambda: count() == "1 right, 0 wrong, 0 written again")
    assert screen.text("#sums-said") == "Right: 7 + 5 = 12"
    screen.draw("#sums-canvas", strokes["1"], strokes["1"], left=0.2)
    screen.keys("#sums-canvas", "\ue007")  # Enter
    screen.until(lambda: count() == "1 right, 1 wrong, 0 written again")
    assert screen.text("#sums-said") == "Wrong: 7 + 5 = 12, not 11"
    screen.draw("#sums-canvas", strokes["a cross"], left=0.2)
    screen.find("#sums-check").click()
    screen.until(lambda: count() == "1 right, 1 wrong, 1 written again")
    assert "Please write it again" in screen.text("#sums-said")
    screen.find("#sums-end").click()
    report = screen.text("#sums-report")
    assert "numbers up to 20: 1 right, 1 wrong, 1 written again." in report
    assert report.count("7 + 5 = 12") == 3


def test_a_recording_and_a_drawing_are_heard_and_seen_together(screen, strokes, served, beside):
    small = dict(
        image_hidden=[8], sound_channels=[2], sound_hidden=[8], steps=3, threshold=0.05
    )
    hearing = beside("multimodal", "digits+fsdd", **small)
    screen.address = f"http://127.0.0.1:{served(make_app(hearing, Rules()))}/"
    screen.open("draw")
    screen.find('nav a[href="#hear"]').click()
    screen.until(lambda: screen.script("return document.body.dataset.part") == "hear")
    shares = lambda: screen.script(
        "return [...document.querySelectorAll('#hear-network progress')].map(bar => bar.value)"
    )
    screen.find("#hear-record").click()  # two seconds of Chromium's own microphone, which beeps
    screen.until(lambda: len(shares()) == 10)
    heard = shares()
    assert screen.script(f"{PIXELS} return data.some(x => x)", screen.find("#hear-wave"))
    screen.draw("#hear-canvas", strokes["7"])
    screen.until(lambda: shares() != heard)
    screen.find("#hear-clear").click()
    screen.until(lambda: shares() == [])
