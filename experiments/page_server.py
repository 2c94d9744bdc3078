"""A page in a process of its own, for experiments that draw on it, load it and attack it."""

import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxdigits.data import digits

COMMAND = "from jaxdigits.cli import main; main()"
CONNECTIONS = 32


class Server:
    """A page in a process of its own."""

    def __init__(self, process: Any, port: int, seconds: float):
        self.process, self.port, self.seconds = process, port, seconds

    def ask(self, path: str, body: bytes | None = None) -> Any:
        """Return the JSON answer to one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=150)
        connection.request("GET" if body is None else "POST", path, body)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def memory(self) -> float:
        """Return the resident memory of the page and the processes that it started, in MB."""
        total = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                facts = dict(line.split(":\t", 1) for line in status.open() if ":\t" in line)
            except OSError:  # it has ended
                continue
            if str(self.process.pid) in (facts["Pid"].strip(), facts["PPid"].strip()):
                total += int(facts.get("VmRSS", "0 kB").split()[0])
        return total / 1024


@contextmanager
def page(runs: list[Path]) -> Iterator[Server]:
    """Yield a server that has answered once; it ends by SIGTERM, with the exit code 0."""
    more = ["--run", *map(str, runs)] if runs else []
    command = [sys.executable, "-c", COMMAND, "page", "--port", "0", *more]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    address = re.search(r":(\d+)/", process.stdout.readline())
    assert address, "the page did not start"
    server = Server(process, int(address[1]), 0.0)
    try:
        server.ask("/predict", picture(0))
        server.seconds = time.perf_counter() - begin
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        code = process.wait(90)
    assert code == 0, f"the page ended with {code}"


def picture(n: int, side: int = 28) -> bytes:
    """Return a built-in digit, dark on white, as a PNG."""
    file = io.BytesIO()
    image = Image.fromarray(255 - np.asarray(digits()[0].inputs[n : n + 1])[0])
    image.resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def exchanged(port: int, message: bytes) -> str:
    """Send a message and half-close; return the status, or how the connection ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=150) as connection:
        try:
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
            reply = b""
            while chunk := connection.recv(1 << 16):
                reply += chunk
        except TimeoutError:
            return "hangs"
        except OSError:
            return "closed"
    return reply[9:12].decode("latin-1") if reply.startswith(b"HTTP/1.1 ") else "closed"


def in_threads(work: Callable[[], object], count: int) -> None:
    """Call `work` in that many threads, and wait for all."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
