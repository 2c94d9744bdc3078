"""`jaxdigits page`: it fails in one line, and ends well."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PICTURE = b"no picture, but a request"


def test_a_port_in_use_is_one_line(one_line):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, line = one_line("page", "--port", port)
    assert code == 1
    assert line.startswith(f"cannot listen on 127.0.0.1, port {port} (")
    assert line.endswith("--port 0 for a free one")


def test_other_mistakes_are_one_line(one_line, tmp_path, monkeypatch):
    assert one_line("page", "--run", tmp_path)[0] == 1
    assert one_line("page", "--port", 99999) == (2, "port must be in 0..65535, got 99999")
    assert one_line("page", "--host", "no.such.host.example", "--port", 0)[0] == 1
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert one_line("page") == (1, 'the page needs more: pip install "jaxdigits[page]"')


@pytest.fixture
def started():
    """A function that starts a page, and gives the process and its address."""
    processes = []

    def start(*args):
        command = [sys.executable, "-c", "from jaxdigits.cli import main; main()", "page"]
        process = subprocess.Popen(
            [*command, "--port", "0", *args], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONWARNINGS": "error"}, cwd=Path(__file__).parent,
        )  # fmt: skip
        processes.append(process)
        return process, process.stdout.readline().split()[1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_answers_all_that_it_has_and_ends_well(started):
    process, address = started()
    port = int(re.search(r":(\d+)/$", address)[1])
    with urllib.request.urlopen(address + "health") as reply:
        assert [run["name"] for run in json.load(reply)["digits"]] == ["package"]
    codes, sent = [], threading.Barrier(9)

    def ask():
        head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue"
        head += f"\r\nContent-Length: {len(PICTURE)}"
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it is accepted
            sent.wait(60)
            connection.sendall(PICTURE)
            codes.append(connection.recv(100)[9:12])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    sent.wait(60)
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(60)
    assert codes == [b"422"] * 8
    assert process.wait(60) == 0
    assert process.stdout.read().splitlines()[-1] == "stopped"


def test_beyond_this_machine_it_prints_a_token(started):
    _, address = started("--host", "0.0.0.0")
    plain, _, token = address.partition("?token=")
    plain = plain.replace("0.0.0.0", "127.0.0.1")
    assert len(token) >= 32
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{plain}health")
    request = urllib.request.Request(
        f"{plain}health", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 200
