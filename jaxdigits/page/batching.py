"""Requests that arrive together are answered together, by one thread.

JAX's programs run in one thread, so a program is compiled once and never waits for another.
While it runs, further requests come in; all of one kind that wait are its next batch.
Preparing a picture needs no JAX: another thread does that, and other processes as soon as
many wait (`Pools.prepare`), since Python runs one thread at a time.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException

from jaxdigits.workers import make_pool, processors, without_interrupts

MOST = 64  # inputs of a batch
WAITING = 1024  # inputs that may wait, of all requests
THREADS = 1  # that prepare, until other processes do
MANY = 16  # inputs that wait before other processes start: these cost memory
SECONDS = 120.0  # that a request waits for its answer, with the compilation of a first one

Batch = Callable[[list], list]


class _Job(NamedTuple):
    """An input that waits for its answer."""

    batch: Batch
    item: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future


class Pools:
    """The threads of a page: one prepares, or processes in its place, and one answers."""

    def __init__(self):
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = ThreadPoolExecutor(THREADS, "prepare")
        self._processes: ProcessPoolExecutor | None = None
        self._ready: ProcessPoolExecutor | None = None
        self._starting: asyncio.Future | None = None
        self._waiting = 0
        # Not a daemon: a program that compiles as the interpreter ends would abort it.
        threading.Thread(target=self._work, name="answer").start()

    async def prepare(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return `function(*arguments)`, called in a thread or in another process.

        Args:
          function: of a module, so that a process can find it.
          arguments: can be pickled.

        Raises:
          HTTPException: if very many wait, or in vain.
        """
        if self._waiting >= MANY and self._starting is None and processors() > 1:
            trial = partial(function, *arguments)
            self._starting = asyncio.create_task(self._start_processes(trial))
        loop = asyncio.get_running_loop()
        call = lambda pool: self._in_time(loop.run_in_executor(pool, function, *arguments))
        if (processes := self._ready) is not None:
            try:
                return await call(processes)
            except BrokenExecutor:  # the system has killed one: the thread goes on alone
                self._ready = None
        return await call(self._threads)

    async def _start_processes(self, trial: Callable[[], Any]) -> None:
        """Start the processes; the thread goes on until each has made a trial, and imported."""
        loop, count = asyncio.get_running_loop(), processors()
        pool = self._processes = make_pool(count)
        try:
            with without_interrupts():
                calls = [loop.run_in_executor(pool, trial) for _ in range(count)]
        except (OSError, RuntimeError):  # too many processes, or one was killed at once
            return
        results = await asyncio.gather(*calls, return_exceptions=True)
        if not any(isinstance(result, BrokenExecutor) for result in results):
            self._ready = pool

    async def answer(self, batch: Batch, item: Any) -> Any:
        """Return the answer to an item, which `batch` gives with those of others that wait.

        Raises:
          HTTPException: if very many wait, or in vain.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._jobs.put(_Job(batch, item, loop, future))
        return await self._in_time(future)

    def close(self) -> None:
        """End the threads when they have done their work."""
        self._jobs.put(None)
        for pool in (self._threads, self._processes):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    async def _in_time(self, future: Any) -> Any:
        if self._waiting >= WAITING:
            future.cancel()
            raise HTTPException(503, "too many pictures wait: try again in a second")
        self._waiting += 1
        try:
            return await asyncio.wait_for(future, SECONDS)
        except TimeoutError as error:
            raise HTTPException(503, f"no answer in {SECONDS:g} seconds: try again") from error
        finally:
            self._waiting -= 1

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            kinds: dict[Batch, list[_Job]] = {job.batch: [job]}
            ended = False
            for _ in range(MOST - 1):
                try:
                    more = self._jobs.get_nowait()
                except Empty:
                    break
                if more is None:
                    ended = True
                    break
                kinds.setdefault(more.batch, []).append(more)
            for batch, jobs in kinds.items():
                _answer(batch, [job for job in jobs if not job.future.cancelled()])
            if ended:
                return


def _answer(batch: Batch, jobs: list[_Job]) -> None:
    """Answer all jobs; an error of the batch is the answer to each of them."""
    if not jobs:
        return
    try:
        answers = batch([job.item for job in jobs])
    except Exception as error:  # which the request that waits for it raises
        answers = [error] * len(jobs)
    rows = list(zip(jobs, answers, strict=True))
    for loop in {job.loop for job in jobs}:
        mine = [(job.future, answer) for job, answer in rows if job.loop is loop]
        try:
            loop.call_soon_threadsafe(_deliver, mine)
        except RuntimeError:  # the loop has ended
            continue


def _deliver(rows: list[tuple[asyncio.Future, Any]]) -> None:
    for future, answer in rows:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
