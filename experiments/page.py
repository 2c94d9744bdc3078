"""The page under a hand, under load, under attack, and at its end.

    JAXDIGITS_DATA=FOLDER python experiments/page.py PART ... [--run RUN ...] [--small]

    start     seconds from the command to the first answer
    latency   milliseconds from a stroke to the answer on the screen, in Chromium
    load      POST /predict under 32 connections by wrk, and the memory of the server
    fuzz      10,000 damaged requests: each has an answer, or a clean close
    slow      500 connections that send a byte a second, and the answers meanwhile
    stop      SIGTERM under load: each accepted request is answered
    sums      sums whose answers 124 unseen writers wrote: right marked wrong, and the reverse

    table     all of these as Markdown

Each part starts `jaxdigits page` as a process of its own.  Writes page.json, a part at a time.
`--small` tries everything in a few seconds.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from core import machine
from page_attacks import fuzz, slow, stop
from page_server import CONNECTIONS, page, picture
from sums import sums

RESULTS = Path(__file__).with_suffix(".json")
LUA = 'wrk.method = "POST"; wrk.body = io.open(os.getenv("BODY"), "rb"):read("*a")\n'


def start(runs: list[Path], small: bool) -> dict[str, Any]:
    """Measure the start three times, compiled programs not kept."""
    seconds = []
    for _ in range(1 if small else 3):
        with page([]) as server:
            seconds.append(round(server.seconds, 2))
    return dict(seconds=seconds)


def latency(runs: list[Path], small: bool) -> dict[str, Any]:
    """Draw in Chromium by pointer events; time each from its event to the painted answer."""
    from selenium import webdriver
    from selenium.webdriver.common.action_chains import ActionChains

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--window-size=1100,900",
    ):  # fmt: skip
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    times: list[float] = []
    try:
        with page(runs) as server:
            driver.get(f"http://127.0.0.1:{server.port}/")
            canvas = driver.find_element("css selector", "#draw-canvas")
            while driver.execute_script("return document.body.dataset.part") != "draw":
                time.sleep(0.05)
            driver.execute_script(WATCH)
            hand = ActionChains(driver, duration=0)
            hand.move_to_element_with_offset(canvas, -60, -80).click_and_hold().perform()
            for i in range(12 if small else 210):
                x, y = round(60 * np.sin(i / 9)), round(90 * np.cos(i / 14))
                before = driver.execute_script("return window.times.length")
                move = ActionChains(driver, duration=0)
                move.move_to_element_with_offset(canvas, x, y).perform()
                end = time.monotonic() + 120
                while driver.execute_script("return window.times.length") == before:
                    assert time.monotonic() < end, "no answer on the screen"
                    time.sleep(0.01)
                time.sleep(0.05)
            times = driver.execute_script("return window.times")[10:]
    finally:
        driver.quit()
    median, p95 = np.percentile(times, [50, 95])
    return dict(strokes=len(times), median_ms=round(median, 1), p95_ms=round(p95, 1))


WATCH = """
window.times = [];
let last = 0;
const canvas = document.getElementById("draw-canvas");
canvas.addEventListener("pointermove", () => (last = performance.now()));
const painted = () => window.times.push(performance.now() - last);
new MutationObserver(() => requestAnimationFrame(painted))
  .observe(document.body, { attributes: true, attributeFilter: ["data-answers"] });
"""


def load(runs: list[Path], small: bool) -> dict[str, Any]:
    """Run wrk again and again until 100,000 requests are answered; note the memory between."""
    wanted, seconds = (300, 3) if small else (100_000, 30)
    with page([]) as server, tempfile.TemporaryDirectory() as folder:
        body, script = Path(folder, "two.png"), Path(folder, "post.lua")
        body.write_bytes(picture(2))
        script.write_text(LUA)
        url = f"http://127.0.0.1:{server.port}/predict"
        command = ["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--latency",
                   "--timeout", "30s", "-s", str(script), url]  # fmt: skip
        environment = os.environ | {"BODY": str(body)}
        subprocess.run([*command[:6], "2s", *command[7:]], env=environment, check=True)
        rows, memory, requests = [], [round(server.memory())], 0
        while requests < wanted:
            out = subprocess.run(
                command, env=environment, capture_output=True, text=True
            ).stdout
            rows.append(_of_wrk(out))
            requests += rows[-1]["requests"]
            memory.append(round(server.memory()))
    rates = [row["rate"] for row in rows]
    return dict(
        requests=requests, rate=round(float(np.median(rates)), 1),
        p99_ms=max(row["p99_ms"] for row in rows), errors=sum(row["errors"] for row in rows),
        memory_mb=memory,
    )  # fmt: skip


def _of_wrk(out: str) -> dict[str, Any]:
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    requests, rate = (
        re.search(r"(\d+) requests in", out),
        re.search(r"Requests/sec:\s+([\d.]+)", out),
    )
    assert p99, out
    assert requests, out
    assert rate, out
    errors = sum(
        int(n) for n in re.findall(r"(?:Non-2xx.*: |connect |read |write |timeout )(\d+)", out)
    )
    return dict(requests=int(requests[1]), rate=float(rate[1]), errors=errors,
                p99_ms=round(float(p99[1]) * unit[p99[2]], 1))  # fmt: skip


def tables(results: dict[str, Any]) -> list[str]:
    """Return the measured parts, and the sums, as Markdown."""
    r = results
    fuzzed, slow_ones, stopped = r["fuzz"], r["slow"], r["stop"]
    clean = sum(n for outcome, n in fuzzed["outcomes"].items() if outcome != "hangs")
    lines = [
        ("from the command to the first answer", f"{max(r['start']['seconds']):.1f} s"),
        ("from a stroke to the answer on the screen",
         f"{r['latency']['median_ms']:.0f} ms, 95 % in {r['latency']['p95_ms']:.0f} ms"),
        (f"`POST /predict`, {CONNECTIONS} connections",
         f"{r['load']['rate']:.0f} pictures a second, 99 % in {r['load']['p99_ms']:.0f} ms"),
        (f"{r['load']['requests']:,} such requests",
         f"{r['load']['errors']} errors; {r['load']['memory_mb'][1]} MB after a fifth, "
         f"{r['load']['memory_mb'][-1]} MB at the end, in three processes"),
        (f"{fuzzed['requests']:,} damaged requests",
         f"{clean:,} answered or closed cleanly, the slowest in {fuzzed['longest_s']:.1f} s"),
        (f"{slow_ones['connections']} slow connections",
         f"{slow_ones['closed']} closed; meanwhile an answer took "
         f"{slow_ones['slowest_answer_ms']} ms at most"),
        ("SIGTERM under load", f"{stopped['outcomes']['200']:,} of "
         f"{sum(stopped['outcomes'].values()):,} requests answered"),
    ]  # fmt: skip
    rows = [f"| {name} | {text} |" for name, text in [("", "measured"), ("---", "---"), *lines]]
    return ["\n".join(rows), _table_of_sums(r["sums"])]


KINDS = ("judged", "right marked wrong", "wrong marked right")


def _table_of_sums(sums: dict[str, Any]) -> str:
    lines = ["| writers | judged | right marked wrong | wrong marked right |",
             "| --- | ---: | ---: | ---: |"]  # fmt: skip
    for name, label in (("valid", "validation"), ("test", "test")):
        cells = [
            f"{100 * row['share']:.2f} % ({100 * row['interval'][0]:.2f} to "
            f"{100 * row['interval'][1]:.2f})"
            for row in (sums[name]["limits"][str(sums[name]["limit"])][kind] for kind in KINDS)
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


PARTS = {part.__name__: part for part in (start, latency, load, fuzz, slow, stop, sums)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "table"])
    parser.add_argument("--run", nargs="+", type=Path, default=[])
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    for part in options.parts:
        if part == "table":
            print(*tables(json.loads(RESULTS.read_text())), sep="\n\n")
            continue
        row = PARTS[part](options.run, options.small)
        print(part, json.dumps(row), flush=True)
        if not options.small:
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            row |= dict(machine=machine(), load=round(os.getloadavg()[0], 1))
            RESULTS.write_text(json.dumps(results | {part: row}, indent=1) + "\n")
