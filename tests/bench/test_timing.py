"""Quartiles by hand, and the order in which things are called."""

import pytest

from jaxdigits.bench import timing as timing_module
from jaxdigits.bench.timing import Quartiles, in_turn, quartiles


def test_quartiles_of_five_numbers():
    assert quartiles([5, 1, 4, 2, 3]) == Quartiles(2, 3, 4)


def test_quartiles_lie_between_neighbours():
    assert quartiles([0, 1]) == Quartiles(0.25, 0.5, 0.75)
    assert quartiles([7]) == Quartiles(7, 7, 7)


class Clock:
    """A clock that only the timed functions move."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def step(self, name, seconds):
        def run():
            self.now += seconds
            self.calls.append(name)

        return run


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing_module.time, "perf_counter", lambda: clock.now)
    return clock


def test_two_functions_are_called_in_turn_after_a_warm_up(clock):
    times = in_turn([clock.step("a", 0.5), clock.step("b", 0.25)], repeats=3)
    assert "".join(clock.calls) == "aabb" + "ab" * 3
    assert times == [[0.5] * 3, [0.25] * 3]


def test_short_steps_are_timed_several_at_once(clock):
    times = in_turn([clock.step("a", 0.25), clock.step("b", 4.0)], repeats=1, block=1.0)
    assert "".join(clock.calls) == "aabb" + "aaaa" + "b"
    assert times == [[0.25], [4.0]]


def test_a_step_too_short_to_be_seen_is_not_called_for_ever(clock):
    in_turn([clock.step("a", 0.0)], repeats=1)
    assert len(clock.calls) == timing_module.WARM_UP + timing_module.MOST


def test_repeats_must_be_positive():
    with pytest.raises(ValueError, match="repeats must be >= 1, got 0"):
        in_turn([], repeats=0)
