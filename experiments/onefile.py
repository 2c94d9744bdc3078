"""The one-file page beside `predict`, in headless Chromium without a network connection.

    JAXDIGITS_DATA=FOLDER python experiments/onefile.py NAME RUN
    python experiments/onefile.py latency NAME RUN
    python experiments/onefile.py table

FOLDER has MNIST and `pictures`, the 50 that people took.  Each row of onefile.json is a run
that was exported with `jaxdigits export RUN --to html`:

* answers: to MNIST's first 1,000 test digits as they are, and to the same digits as pictures,
  dark on light, which the page prepares; `predict` answers both in Python;
* pictures: the 50 files, opened in the page as a person opens them: the answer that it shows,
  and the digit's 784 pixels beside those of `read_picture`;
* latency: from a pointer event to the answer in the page, of strokes drawn with a mouse, and
  the part of it in which a processor works for the page.  Other programs lengthen the rest, so
  the machine's load average stands beside it.
"""

import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from chromium import Browser, chromium
from core import machine

from jaxdigits.data import mnist, read_picture
from jaxdigits.data.ink import to_mnist_geometry
from jaxdigits.errors import DataError
from jaxdigits.page.onefile import export_page, to_page
from jaxdigits.runs import load_run
from jaxdigits.runs.answer import answerer
from jaxdigits.runs.export import member_of

RESULTS = Path(__file__).with_suffix(".json")
COUNT, CHUNK = 1000, 100
STROKES = {  # on paper of side 1
    "1": [[(0.4, 0.3), (0.52, 0.2), (0.52, 0.8)]],
    "4": [[(0.35, 0.2), (0.3, 0.55), (0.7, 0.55)], [(0.6, 0.3), (0.6, 0.85)]],
    "7": [[(0.3, 0.22), (0.7, 0.22), (0.42, 0.82)]],
}
POINTS = 25  # pointer events of a stroke's line

ANSWERS = """(async (text, prepared) => {
  const net = network.read(JSON.parse(document.getElementById("network").textContent));
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), out = [];
  for (let i = 0; i < bytes.length; i += 784) {
    let digit = bytes.slice(i, i + 784);
    if (prepared) digit = prepare.toMnistGeometry(
      {h: 28, w: 28, a: Float32Array.from(digit, (v) => 255 - v)});
    out.push([Array.from(digit), network.predict(net, digit).probabilities]);
  }
  return out;
})"""
SHOWN = """(() => {
  const seen = document.getElementById("seen");
  const data = seen.getContext("2d").getImageData(0, 0, 28, 28).data;
  const best = [...document.querySelectorAll("#bars li")].map((li) => li.className);
  return [best.indexOf("best"), [...data].filter((_, i) => i % 4 === 0).map((v) => 255 - v),
          document.getElementById("note").textContent];
})()"""


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Return the row of a run."""
    run, test = load_run(folder), mnist()[1]
    images = np.asarray(test.inputs.array[:COUNT])
    read = answerer(run)
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        page = Path(place, "page.html")
        compared = export_page(run, page, test)
        browser.open(page)
        row = dict(
            name=name, network=run.config.network, bytes=page.stat().st_size,
            bits=json.loads(Path(f"{page}.json").read_text())["bits"],
            weights=compared._asdict(), machine=machine(),
        )  # fmt: skip
        row["digits"] = _answers(browser, images, read(images), prepared=False)
        ready = np.stack([to_mnist_geometry(255 - image) for image in images])
        row["as_pictures"] = _answers(browser, images, read(ready), prepared=True, pixels=ready)
        row["pictures"] = _pictures(browser, read)
        row["milliseconds"] = _latency(browser)
    return row


def measure_latency(folder: Path) -> dict[str, Any]:
    """Return the times of the page of a run alone."""
    run = load_run(folder)
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        page = Path(place, "page.html")
        page.write_text(to_page(run, member_of(run)).html)
        browser.open(page)
        return _latency(browser)


def _answers(
    browser: Browser, images: np.ndarray, shares: np.ndarray, *, prepared: bool,
    pixels: np.ndarray | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Compare the page's probabilities with `predict`'s, and its pixels with Python's."""
    own, digits = [], []
    for start in range(0, len(images), CHUNK):
        text = base64.b64encode(images[start : start + CHUNK].tobytes()).decode()
        answers = browser.value(f"{ANSWERS}('{text}', {str(prepared).lower()})")
        digits += [digit for digit, _ in answers]
        own += [share for _, share in answers]
    own_shares = np.array(own)
    differ = (own_shares.argmax(1) != shares.argmax(1)).sum()
    row = dict(examples=len(images), answers_differ=int(differ),
               probability_differs=float(np.abs(own_shares - shares).max()))  # fmt: skip
    if pixels is not None:
        row["pixel_differs"] = int(np.abs(np.array(digits) - pixels.reshape(-1, 784)).max())
    return row


def _pictures(browser: Browser, read: Any) -> dict[str, Any]:
    """Open every picture in the page, and compare the answer that it shows."""
    files = sorted(Path(os.environ["JAXDIGITS_DATA"], "pictures", "images").iterdir())
    row = dict(files=len(files), answers_differ=0, pixels_differ=0, pixel_differs=0, refused=0)
    for file in files:
        browser.value("document.getElementById('clear').click()")
        browser.value("new Promise((done) => setTimeout(done, 100))")
        browser.choose_file("#file", file)
        best, pixels, note = _settled(browser)
        try:
            digit = read_picture(file)
        except DataError as error:
            row["refused"] += 1
            row["answers_differ"] += note.lower()[:-1] not in str(error)
            continue
        difference = np.abs(np.array(pixels) - digit.ravel())
        row["answers_differ"] += int(best != read(digit[None])[0].argmax())
        row["pixels_differ"] += int((difference > 0).sum())
        row["pixel_differs"] = max(row["pixel_differs"], int(difference.max()))
    return row


def _settled(browser: Browser) -> tuple[int, list[int], str]:
    """Return (the best class, the pixels, the note) of the page once there is an answer."""
    while True:
        best, pixels, note = browser.value(SHOWN)
        if best >= 0 or not note.startswith("The answer appears"):
            return best, pixels, note


def _latency(browser: Browser) -> dict[str, Any]:
    """Draw digits with the mouse, and return the time from an event to its answer."""
    browser.value(
        """window.times = []; new PerformanceObserver((list) => window.times.push(
        ...list.getEntries().map((e) => e.duration))).observe({type: "measure"})"""
    )
    left, top, side = browser.value(
        """(() => { const box = document.getElementById("paper").getBoundingClientRect();
        return [box.left, box.top, box.width]; })()"""
    )
    browser.value("new Promise((done) => setTimeout(done, 2000))")  # its rehearsals are over
    answers, before = {}, _processor_time(browser)
    for digit, strokes in STROKES.items():
        browser.value("document.getElementById('clear').click()")
        for stroke in strokes:
            line = _points(stroke) * side + (left, top)
            browser.mouse("Pressed", *line[0])
            for x, y in line[1:]:
                browser.mouse("Moved", x, y)
            browser.mouse("Released", *line[-1])
        browser.value("new Promise((done) => setTimeout(done, 300))")
        answers[digit] = browser.value("document.getElementById('word').textContent")
    spent = _processor_time(browser) - before
    times = np.array(browser.value("window.times"))
    low, high = np.quantile(times, [0.5, 0.95])
    own = dict(events=len(times), median=round(low, 1), p95=round(high, 1),
               processor=round(spent / len(times), 1))  # fmt: skip
    return own | dict(load=round(os.getloadavg()[0], 1), answers=answers)


def _processor_time(browser: Browser) -> float:
    """Return the milliseconds that the page's thread has had a processor."""
    browser.send("Performance.enable", timeDomain="threadTicks")
    metrics = browser.send("Performance.getMetrics")["metrics"]
    return 1000 * next(m["value"] for m in metrics if m["name"] == "TaskDuration")


def _points(corners: list[tuple[float, float]]) -> np.ndarray:
    """Return points [n, 2] along a line through the corners."""
    at = np.linspace(0, len(corners) - 1, POINTS)
    axes = np.array(corners).T
    return np.stack([np.interp(at, np.arange(len(corners)), axis) for axis in axes], 1)


def main(arguments: list[str]) -> None:
    """Measure a run, or print the table."""
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    if arguments != ["table"]:
        *again, name, folder = arguments
        row = next((row for row in rows if row["name"] == name), {})
        if again:
            row["milliseconds"] = measure_latency(Path(folder))
        else:
            row = measure(name, Path(folder))
        rows = [other for other in rows if other["name"] != name] + [row]
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    columns = "run", "bytes", "bits", "1,000 digits", "as pictures", "50 pictures"
    print("|", " | ".join(columns), "| ms: median, 95 %, processor (load) |")
    print("| ---", "| ---: " * len(columns), "|", sep="")
    for row in rows:
        equal = [n - row[kind]["answers_differ"] for kind, n in
                 (("digits", COUNT), ("as_pictures", COUNT), ("pictures", 50))]  # fmt: skip
        time = row["milliseconds"]
        cells = [row["name"], f"{row['bytes']:,}", row["bits"], *map("{:,}".format, equal)]
        spent = ", ".join(str(time[name]) for name in ("median", "p95", "processor"))
        print("|", *(f"{cell} |" for cell in cells), f"{spent} ({time['load']}) |")


if __name__ == "__main__":
    main(sys.argv[1:])
