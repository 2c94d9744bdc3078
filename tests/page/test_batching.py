"""The thread that answers, and the inputs that wait for it."""

import asyncio
import os
import signal
import threading
import time

import pytest
from starlette.exceptions import HTTPException

from jaxdigits.page import batching
from jaxdigits.page.batching import MOST, Pools


def run(work):
    """The result of a coroutine of pools, which are closed then."""

    async def main():
        pools = Pools()
        try:
            return await asyncio.wait_for(work(pools), 120)  # processes import
        finally:
            pools.close()

    return asyncio.run(main())


def test_those_that_wait_are_answered_together_and_in_order():
    sizes, names, gate = [], set(), threading.Event()

    def double(items):
        gate.wait(10)
        sizes.append(len(items))
        names.add(threading.current_thread().name)
        return [2 * item for item in items]

    async def work(pools):
        jobs = [asyncio.create_task(pools.answer(double, i)) for i in range(100)]
        await asyncio.sleep(0.05)
        gate.set()
        return await asyncio.gather(*jobs)

    assert run(work) == [2 * i for i in range(100)]
    assert sum(sizes) == 100
    assert 30 < max(sizes) <= MOST
    assert len(sizes) <= 4
    assert names == {"answer"}


def test_the_error_of_a_batch_is_not_that_of_another():
    def fail(items):
        raise ValueError("broken")

    async def work(pools):
        jobs = (pools.answer(fail, 1), pools.answer(list, 2), pools.answer(fail, 3))
        return await asyncio.gather(*jobs, return_exceptions=True)

    first, second, third = run(work)
    assert str(first) == str(third) == "broken"
    assert second == 2


def test_too_many_and_too_slow_are_refused(monkeypatch):
    monkeypatch.setattr(batching, "WAITING", 2)
    monkeypatch.setattr(batching, "SECONDS", 0.2)
    gate = threading.Event()

    def slow(items):
        gate.wait(10)
        return items

    async def work(pools):
        jobs = [asyncio.create_task(pools.answer(slow, i)) for i in range(3)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        gate.set()
        return results, await pools.answer(slow, "later")

    results, later = run(work)
    assert [error.status_code for error in results] == [503] * 3
    assert sorted(error.detail[:8] for error in results) == ["no answe", "no answe", "too many"]
    assert all(isinstance(error, HTTPException) for error in results)
    assert later == "later"


def test_a_file_is_prepared_in_another_thread():
    async def work(pools):
        return await pools.prepare(lambda: threading.current_thread().name)

    assert run(work).startswith("prepare")


def slow_pid():
    """The process that prepares, after others had time to come."""
    time.sleep(0.01)
    return os.getpid()


def test_where_many_wait_processes_prepare_until_one_is_killed(monkeypatch):
    monkeypatch.setattr(batching, "processors", lambda: 2)
    own = os.getpid()

    async def many(pools):
        return set(await asyncio.gather(*(pools.prepare(slow_pid) for _ in range(40))))

    async def work(pools):
        few = {await pools.prepare(slow_pid) for _ in range(20)}
        others = await many(pools)
        while own in others:
            others = await many(pools)
        os.kill(min(others), signal.SIGKILL)
        return few, others, await many(pools), await many(pools)

    few, others, after, later = run(work)
    assert few == later == {own}
    assert len(others) == 2
    assert own in after


def test_the_thread_goes_on_where_no_process_can_start(monkeypatch):
    def none(count):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(batching, "processors", lambda: 2)
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", lambda *_: none(2))
    own = os.getpid()

    async def work(pools):
        return set(await asyncio.gather(*(pools.prepare(slow_pid) for _ in range(40))))

    assert run(work) == {own}


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("bad")])
def test_the_error_of_a_preparation_is_raised(error):
    def fail():
        raise error

    with pytest.raises(type(error), match="bad"):
        run(lambda pools: pools.prepare(fail))
