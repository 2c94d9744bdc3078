"""Other processes read pictures as this one does, and end when it ends."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import parent_process

import numpy as np
import pytest
from PIL import Image

from jaxdigits import workers
from jaxdigits.data import DataError, digits, read_picture

# `jaxdigits` that starts other processes after its first picture.
PROGRAM = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
os.sched_getaffinity = lambda _: {0, 1}
from jaxdigits.cli import main
from jaxdigits import workers
workers.START = 1e-6
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty digits and two files that are none."""
    folder = tmp_path_factory.mktemp("many")
    for i, image in enumerate(digits()[0].inputs[:60]):
        Image.fromarray(255 - image).save(folder / f"{i:02}.png")
    (folder / "00.png").write_text("no picture")
    (folder / "33.png").write_text("no picture")
    return folder


def test_pictures_and_errors_are_those_of_one_process_in_order(folder, monkeypatch):
    paths = sorted(folder.iterdir())
    alone = list(workers.read_each(read_picture, paths))  # too few for other processes
    monkeypatch.setattr(workers, "START", 1e-6)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    made = []
    pool = workers.ProcessPoolExecutor
    monkeypatch.setattr(
        workers, "ProcessPoolExecutor", lambda *args: made.append(args) or pool(*args)
    )
    together = list(workers.read_each(read_picture, paths))
    assert len(made) == 1
    for a, b in zip(alone, together, strict=True):
        assert type(a) is type(b)
        assert str(a) == str(b) if isinstance(a, DataError) else np.array_equal(a, b)
    assert [i for i, row in enumerate(together) if isinstance(row, DataError)] == [0, 33]


def read_unless_elsewhere(path):
    if parent_process() is not None:
        os._exit(9)  # as a process that the system killed
    return read_picture(path)


@pytest.mark.parametrize("lost", ["a process", "all", "the pool"])
def test_what_other_processes_cannot_read_this_one_reads(folder, monkeypatch, lost):
    monkeypatch.setattr(workers, "START", 1e-6)
    monkeypatch.setattr(workers, "PORTION", 1e-6)
    monkeypatch.setattr(workers, "processors", lambda: 3)

    def fail(*args, **kwargs):
        raise OSError("no more processes")

    if lost != "a process":
        whole = lost == "the pool"
        monkeypatch.setattr(workers if whole else workers.ProcessPoolExecutor,
                            "make_pool" if whole else "submit", fail)  # fmt: skip
    paths = sorted(folder.iterdir())
    rows = list(workers.read_each(read_unless_elsewhere, paths))
    assert len(rows) == len(paths)
    assert [i for i, row in enumerate(rows) if isinstance(row, DataError)] == [0, 33]
    for path, row in zip(paths, rows, strict=True):
        if not isinstance(row, DataError):
            np.testing.assert_array_equal(row, read_picture(path))


@pytest.fixture
def started(folder):
    """`jaxdigits predict` on many pictures, after its first line."""
    args = [sys.executable, "-c", PROGRAM, "predict", folder / "01.png", *[folder] * 60]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    with subprocess.Popen(args, **pipes) as process:
        try:
            assert process.stdout.readline().startswith(str(folder).encode())
            yield process
        finally:
            process.kill()


def alive(group):
    """The processes of a group that have not ended."""
    lines = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True).stdout
    rows = map(str.split, lines.splitlines())
    return sum(of == str(group) and not state.startswith("Z") for of, state in rows)


def require_no_process(group):
    """Wait for the tracker of shared memory, which ends last."""
    end = time.monotonic() + 20
    while alive(group) and time.monotonic() < end:
        time.sleep(0.1)
    assert alive(group) == 0


def test_an_interrupt_is_one_line_and_ends_all(started):
    assert alive(started.pid) >= 3
    os.killpg(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=60)
    lines = [line for line in said.decode().splitlines() if "not a PNG" not in line]
    assert (started.returncode, lines) == (130, ["jaxdigits: interrupted"])
    require_no_process(started.pid)


def test_a_closed_pipe_is_silent_and_ends_all(started):
    started.stdout.close()
    said = started.stderr.read().decode().splitlines()
    assert started.wait(60) == 141
    assert [line for line in said if "not a PNG" not in line] == []
    require_no_process(started.pid)
