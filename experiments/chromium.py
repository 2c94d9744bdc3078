"""A headless Chromium, driven through its debugging pipe: no driver, no port, no library.

    with chromium() as browser:
        browser.open(path)
        browser.value("document.title")

A message is JSON that ends in a zero byte, from file 3 and to file 4 of the browser [1].

[1] https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
START = """
import os, sys
own, theirs, *command = sys.argv[1:]
os.dup2(int(own), 3)
os.dup2(int(theirs), 4)
os.execv(command[0], command)
"""


def find_browser():
    """Return the path of an installed browser, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Browser:
    """One tab of a running browser."""

    def __init__(self, read, write):
        self._read, self._write, self._rest, self._number = read, write, b"", 0
        self._session, self.events = None, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        """Call a method of the protocol, and return its result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = dict(id=self._number, method=method, params=params, **session)
        self._put(message)
        while (answer := self._get()).get("id") != self._number:
            if "method" in answer and self._session:
                self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, path):
        """Open a file, offline, and wait until it is there."""
        self.send("Network.emulateNetworkConditions", offline=True, latency=0,
                  downloadThroughput=-1, uploadThroughput=-1)  # fmt: skip
        self.send("Page.navigate", url=Path(path).resolve().as_uri())
        while self.value("document.readyState") != "complete":
            pass

    def value(self, expression):
        """Return the value of a JavaScript expression; a promise is awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def mouse(self, kind, x, y):
        """Send a real pointer event: "Pressed", "Moved" or "Released" at x, y pixels."""
        buttons = dict(button="left", buttons=1, clickCount=1)
        self.send("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **buttons)

    def key(self, key, code=None):
        """Press and release a key."""
        text = {"text": " "} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, **text)

    def resize(self, width, height, dark=False, scale=1):
        """Give the screen another size, and another colour scheme."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=False)  # fmt: skip
        scheme = dict(name="prefers-color-scheme", value="dark" if dark else "light")
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def choose_file(self, selector, path):
        """Choose a file for an <input type=file>."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(Path(path).resolve())])

    def screenshot(self, path):
        """Write the screen as a PNG file."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(data["data"]))

    def _put(self, message):
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._write, data) :]

    def _get(self):
        parts = [self._rest]
        while b"\0" not in parts[-1]:
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            parts.append(part)
        message, _, self._rest = b"".join(parts).partition(b"\0")
        return json.loads(message)


@contextmanager
def chromium():
    """Start a browser with a tab, and end it at the end."""
    # Away from 3 and 4, which `START` gives to the browser.
    above = lambda pipe: [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipe]
    pipes = os.pipe(), os.pipe()
    (from_us, to_browser), (from_browser, to_us) = map(above, pipes)
    for end in (*pipes[0], *pipes[1]):
        os.close(end)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [find_browser(), *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen(
            [sys.executable, "-c", START, str(from_us), str(to_us), *command],
            pass_fds=(from_us, to_us), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(from_us)
        os.close(to_us)
        try:
            yield Browser(from_browser, to_browser)
        finally:
            os.close(to_browser)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            os.close(from_browser)
