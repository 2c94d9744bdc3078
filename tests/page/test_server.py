"""The server: slow connections, its end, and the example in the documentation."""

import errno
import http.client
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from jaxdigits.page import guard, server
from jaxdigits.page.guard import Guard, Rules

DOCS = Path(__file__).parent.parent.parent / "docs"
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"


async def echo(request):
    return PlainTextResponse(await request.body())


APP = Guard(Starlette(routes=[Route("/", echo, methods=["POST"])]), Rules())


def left_to_itself(port, sent):
    """What a connection that stops sending receives, and the seconds until its end."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        reply = b""
        while chunk := connection.recv(1000):
            reply += chunk
    return reply, time.monotonic() - begin


def test_a_slow_head_is_closed_and_a_slow_body_has_an_answer(served, monkeypatch):
    monkeypatch.setattr(server, "HEAD", 0.5)
    monkeypatch.setattr(server, "IDLE", 0.5)
    monkeypatch.setattr(guard, "SECONDS", 0.5)
    port = served(APP)
    for sent in (b"", b"POST / HTT", HEAD):
        reply, seconds = left_to_itself(port, sent)
        assert (reply, 0.4 < seconds < 10) == (b"", True)
    reply, _ = left_to_itself(port, HEAD + b"\r\nab")
    assert reply.startswith(b"HTTP/1.1 408 ")
    whole = HEAD + b"\r\nabcd"
    reply, _ = left_to_itself(port, whole + whole + HEAD)
    assert reply.count(b"HTTP/1.1 200 ") == 2
    assert reply.endswith(b"abcd")


def test_a_request_on_its_way_is_answered_at_the_end(served):
    port = served(APP)
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    kept.request("POST", "/", b"one")
    assert kept.getresponse().read() == b"one"
    end = threading.Thread(target=served.end)
    end.start()
    time.sleep(0.15)  # the server stops, and the connection is idle
    kept.request("POST", "/", b"two")
    assert kept.getresponse().read() == b"two"
    end.join(20)
    kept.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


def test_a_connection_that_waits_in_the_queue_is_answered_at_the_end():
    listening = server.listen("127.0.0.1", 0)
    ending = server.make_server(APP, lambda: None)
    with socket.socket() as client:

        async def main_loop():
            client.connect(listening.getsockname())
            client.sendall(HEAD + b"\r\nabcd")

        ending.main_loop = main_loop
        ending.run(sockets=[listening])
        client.settimeout(20)
        with client.makefile("rb") as reply:
            assert reply.read().endswith(b"abcd")


def test_it_ends_well_without_free_file_descriptors(monkeypatch):
    listening = server.listen("127.0.0.1", 0)
    ending = server.make_server(APP, lambda: None)

    def full(_):
        raise OSError(errno.EMFILE, "Too many open files")

    async def main_loop():
        monkeypatch.setattr(socket.socket, "accept", full)

    ending.main_loop = main_loop
    ending.run(sockets=[listening])
    assert listening.fileno() == -1, "it returned, and closed its port"


def test_a_second_signal_does_not_cut_an_answer_off(served):
    port = served(APP)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"\r\nab")
        time.sleep(0.2)
        for _ in range(2):
            served.server.handle_exit(signal.SIGINT, None)
        time.sleep(0.5)
        connection.sendall(b"cd")
        with connection.makefile("rb") as reply:
            assert reply.read().endswith(b"abcd")


def test_a_client_that_half_closes_has_its_answer(served):
    port = served(APP)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"\r\nabcd")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as reply:
            assert reply.read().endswith(b"abcd")


def test_damaged_heads_have_an_answer_or_a_clean_close(served, monkeypatch):
    monkeypatch.setattr(server, "HEAD", 0.5)
    port = served(APP)
    for sent in (b"\0\r\n\r\n", b"GET / HTTP/9\r\n\r\n", HEAD + b"X" * 40_000, b"\xff" * 99):
        reply, _ = left_to_itself(port, sent)
        assert reply == b"" or reply.startswith(b"HTTP/1.1 4")


def test_the_example_in_the_documentation_runs(served, app, png, tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "page.md").read_text(), re.DOTALL)
    (tmp_path / "seven.png").write_bytes(png("7"))
    monkeypatch.chdir(tmp_path)
    port = served(app)
    exec(compile(code.replace(":8000", f":{port}"), "page.md", "exec"), {})
    assert capsys.readouterr().out.startswith("7 0.9")
