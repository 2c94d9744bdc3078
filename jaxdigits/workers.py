"""Many files, read by all processors, in order.

The steps from a small picture to a digit are short calls, which Python makes one at a time: two
threads are as fast as one.  So other processes read, too, if that saves more than their start.
They are started anew (`spawn`), as a fork of a process with JAX's threads may hang.
"""

import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from jaxdigits.errors import DataError

START = 1.0  # seconds that a process needs to start
MOST = 8  # processes: each may hold a picture of 64 megapixels
PORTION = 0.05  # seconds of reading that a process gets at once
AHEAD = 3  # portions that wait for a process or are in it


def read_each(read: Callable[[Path], Any], paths: Sequence[Path]) -> Generator[Any, None, None]:
    """Yield `read(path)` for each path, in order, or the DataError that it raised.

    Args:
      read: a function of a module, or a `partial` of one, with arguments that can be pickled.
    """
    count, spent = processors(), 0.0
    for i, path in enumerate(paths):
        if count > 1 and spent > START / 2 and spent * (len(paths) / i - 1) > 2 * START:
            break
        begin = time.perf_counter()
        row = _attempt(read, path)
        spent += time.perf_counter() - begin
        yield row
    else:
        return
    portion = max(1, min(64, round(PORTION * i / spent)))
    portions = [paths[k : k + portion] for k in range(i, len(paths), portion)]
    pool = None
    with suppress(OSError, RuntimeError):  # as where semaphores are missing
        pool = make_pool(count - 1)
    try:
        yield from _together(pool, AHEAD * (count - 1), portions, read)
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _together(
    pool: ProcessPoolExecutor | None,
    most: int,
    portions: Sequence[Sequence[Path]],
    read: Callable[[Path], Any],
) -> Generator[Any, None, None]:
    """Yield the results of portions in order.

    The pool has `most` portions at a time.  This process reads others while it waits, and all
    that are left if the pool cannot start or loses a process.
    """
    own, theirs, free = {}, {}, 0
    for i, portion in enumerate(portions):
        while i not in own:
            while pool and free < len(portions) and _unread(theirs) < most:
                try:
                    with without_interrupts():
                        theirs[free] = pool.submit(_attempts, read, portions[free])
                except (OSError, RuntimeError):
                    pool = None
                else:
                    free += 1
            if i in theirs and (theirs[i].done() or free == len(portions)):
                try:
                    own[i] = theirs.pop(i).result()
                except BrokenExecutor:
                    pool, own[i] = None, _attempts(read, portion)
            else:
                own[free] = _attempts(read, portions[free])
                free += 1
        yield from own.pop(i)


def _unread(tasks: dict[int, Future]) -> int:
    return sum(not task.done() for task in tasks.values())


def processors() -> int:
    """Return the processors that this process may use, `MOST` at most."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, MOST)


def make_pool(count: int) -> ProcessPoolExecutor:
    """Return a pool of processes that ignore Ctrl-C, and end with this one.

    A call that starts some of them belongs inside `without_interrupts`.
    """
    return ProcessPoolExecutor(count, get_context("spawn"), _begin)


def _attempt(read: Callable[[Path], Any], path: Path) -> Any:
    try:
        return read(path)
    except DataError as error:
        return error


def _attempts(read: Callable[[Path], Any], paths: Sequence[Path]) -> list[Any]:
    return [_attempt(read, path) for path in paths]


class without_interrupts:
    """Block Ctrl-C in this thread, and so in the processes that it starts."""

    def __enter__(self):
        if hasattr(signal, "pthread_sigmask"):
            self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def __exit__(self, *_):
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)


def _begin() -> None:
    """Ignore Ctrl-C, and end with the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def watch():
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
