"""Damaged requests, slow connections, and SIGTERM under load, against `jaxdigits page`."""

import random
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from page_server import CONNECTIONS, exchanged, in_threads, page, picture


def fuzz(runs: list[Path], small: bool) -> dict[str, Any]:
    """Send damaged requests from eight threads; count the kinds of answers."""
    count = 80 if small else 10_000
    outcomes: Counter[str] = Counter()
    longest = 0.0
    with page([]) as server:
        seeds = iter(range(count))
        lock = threading.Lock()

        def work() -> None:
            nonlocal longest
            while True:
                with lock:
                    seed = next(seeds, None)
                if seed is None:
                    return
                begin = time.perf_counter()
                outcome = exchanged(server.port, damaged(random.Random(seed)))
                with lock:
                    outcomes[outcome] += 1
                    longest = max(longest, time.perf_counter() - begin)

        in_threads(work, 8)
        alive = server.ask("/predict", picture(2))["answers"][0]["answer"]
        memory = round(server.memory())
    return dict(requests=count, outcomes=dict(outcomes), longest_s=round(longest, 1),
                answer_after=alive, memory_mb=memory)  # fmt: skip


def damaged(rng: random.Random) -> bytes:
    """Return a request with some of its bytes changed, or with a strange body."""
    image = picture(rng.randrange(100), rng.choice((28, 60, 150)))
    path = rng.choice(["/predict", "/read?format=zip", "/read?format=digits:1-3", "/number",
                       "/look", "/", "/health", "/../x", "/predict?max_error=nan",
                       "/read?format=" + "9" * 50, "/predict?run=%00"])  # fmt: skip
    boundary, kind = b"x7", b"image/png"
    body = rng.choice([image, _mutated(rng, image), rng.randbytes(rng.randrange(400)), b""])
    if rng.random() < 0.5:
        kind = b"multipart/form-data; boundary=" + boundary
        parts = [
            b"--" + boundary + b'\r\nContent-Disposition: form-data; name="'
            + rng.choice([b"file", b"image", b"sound", b"\xff"]) + b'"; filename="'
            + rng.choice([b"a.png", b"../../a", b"\xf0\x9f", b""]) + b'"\r\n\r\n' + body
            + b"\r\n"
            for _ in range(rng.randrange(4))
        ]  # fmt: skip
        body = b"".join(parts) + b"--" + boundary + rng.choice([b"--\r\n", b"", b"\r\n"])
    length = rng.choice([len(body)] * 8 + [0, len(body) // 2, 10**12, -1])
    head = b"%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (
        rng.choice([b"POST"] * 6 + [b"GET", b"PUT", b"\x00"]), path.encode(),
        rng.choice([b"127.0.0.1"] * 8 + [b"evil.example", b"["]), kind, length,
    )  # fmt: skip
    message = head + b"Connection: close\r\n\r\n" + body
    return _mutated(rng, message) if rng.random() < 0.3 else message


def _mutated(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(changed) + 1)
        step = rng.randrange(3)
        if step == 0 and place < len(changed):
            changed[place] = rng.randrange(256)
        elif step == 1:
            del changed[place : place + rng.randrange(1, 30)]
        else:
            changed[place:place] = rng.randbytes(rng.randrange(1, 9))
    return bytes(changed)


def slow(runs: list[Path], small: bool) -> dict[str, Any]:
    """Open slow connections, heads and bodies; time answers while they last."""
    count, most = (20, 20) if small else (500, 90)
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n"
    times = []
    with page([]) as server:
        some = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
        for i, one in enumerate(some):
            one.sendall(head + (b"\r\n" if i % 2 else b""))
            one.setblocking(False)
        begin, open_ = time.monotonic(), dict(enumerate(some))
        while open_ and time.monotonic() - begin < most:
            for i, one in list(open_.items()):
                try:
                    one.send(b"x")
                    if one.recv(1 << 12) == b"":
                        del open_[i]
                except BlockingIOError:
                    continue
                except OSError:
                    del open_[i]
            before = time.perf_counter()
            server.ask("/predict", picture(2))
            times.append(time.perf_counter() - before)
            time.sleep(1)
        for one in some:
            one.close()
    return dict(connections=count, closed=count - len(open_), answers=len(times),
                slowest_answer_ms=round(1e3 * max(times)))  # fmt: skip


def stop(runs: list[Path], small: bool) -> dict[str, Any]:
    """Send SIGTERM while 32 threads ask; a request that was sent whole has an answer."""
    outcomes: Counter[str] = Counter()
    ended = threading.Event()
    body = picture(2)
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n" % len(body)
    message = head + b"Connection: close\r\n\r\n" + body
    with page([]) as server:

        def work() -> None:
            while not ended.is_set():
                try:
                    outcome = exchanged(server.port, message)
                except OSError:  # no connection: the port is closed
                    return
                outcomes[outcome] += 1

        threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        time.sleep(1 if small else 5)
        server.process.send_signal(signal.SIGTERM)
        seconds = time.perf_counter()
        server.process.wait(90)
        seconds = time.perf_counter() - seconds
        ended.set()
        for thread in threads:
            thread.join()
    return dict(outcomes=dict(outcomes), seconds_to_end=round(seconds, 2))
