"""Automata against Python: the strings that they accept, count and join."""

import itertools

import numpy as np
import pytest

from jaxdigits.reader import Automaton, explore, product, union
from jaxdigits.reader.automaton import LARGEST, between, weighted_sum
from jaxdigits.reader.formats import digits

SHORT = ["".join(s) for n in range(4) for s in itertools.product("0123456789", repeat=n)]


def strings(automaton):
    return [s for s in SHORT if automaton.accepts(s)]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 999), (7, 120), (98, 102), (5, 5)])
def test_numbers_between_two_are_those_without_leading_zeros(low, high):
    automaton = between(low, high)
    assert strings(automaton) == [str(n) for n in range(low, high + 1)]
    assert automaton.count() == high - low + 1


@pytest.mark.parametrize(("low", "high"), [(3, 2), (-1, 2)])
def test_numbers_in_the_wrong_order_are_refused(low, high):
    with pytest.raises(ValueError, match=f"got {low}-{high}"):
        between(low, high)


def test_a_weighted_sum_is_that_of_python():
    automaton = weighted_sum([3, 7, 1], 10, total=4, start=2)
    wanted = [
        s
        for s in SHORT
        if len(s) == 3 and (2 + 3 * int(s[0]) + 7 * int(s[1]) + int(s[2])) % 10 == 4
    ]
    assert strings(automaton) == wanted
    assert automaton.count() == len(wanted) == 100


def test_a_product_has_the_strings_of_both_and_a_union_those_of_either():
    a, b = between(5, 300), weighted_sum([1, 1], 3)
    assert set(strings(product(a, b))) == set(strings(a)) & set(strings(b))
    assert set(strings(union(a, b))) == set(strings(a)) | set(strings(b))
    assert union(a, b) == union(b, a)
    assert hash(union(a, b)) == hash(union(b, a))
    assert product(a, a) == a
    assert a != b


def test_no_string_is_refused():
    with pytest.raises(ValueError, match="accepts no string"):
        product(digits(2), digits(3))
    with pytest.raises(ValueError, match="accepts no string"):
        union()


def test_the_automaton_is_minimal():
    """Two digits, of which the function keeps all: the states of a chain are enough."""
    step = lambda s, d: s + str(d) if len(s) < 2 else None
    keeps_all = explore("", step, lambda s: len(s) == 2)
    assert keeps_all == digits(2)
    assert keeps_all.step.shape == (3, 10)


def test_lengths_and_counts_of_endless_strings_are_none():
    even = explore(0, lambda r, d: (r + d) % 2, lambda r: r == 0)
    assert (even.count(), even.lengths()) == (None, (0, None))
    assert even.accepts("11")
    assert not even.accepts("12")
    assert digits(2, 4).lengths() == (2, 4)


def test_a_function_without_an_end_is_refused():
    with pytest.raises(ValueError, match=f"over {LARGEST:,} states"):
        explore(0, lambda n, d: 10 * n + d, lambda n: n == 3)


def test_every_state_leads_to_an_end():
    automaton = union(between(7, 120), weighted_sum([3, 7, 1, 1], 10))
    reach = automaton.accept.copy()
    for _ in range(len(reach)):
        reach |= np.where(automaton.step < 0, False, reach[automaton.step]).any(1)
    assert reach.all()


@pytest.mark.parametrize(
    ("step", "accept", "message"),
    [
        (np.full((1, 10), -1), [False], "the format accepts no string"),
        (np.array([[-1] * 10, [1] * 10]), [False, True], "the format accepts no string"),
        (np.full((1, 10), 5), [True], "step must be from −1 to 0, the last state"),
        (np.full((1, 10), -2), [True], "step must be from −1 to 0"),
        (np.zeros((1, 9), int), [True], r"step must be \[Q, 10\] int, got int64 \[1, 9\]"),
        (np.zeros((1, 10)), [True], r"step must be \[Q, 10\] int, got float64"),
        (np.zeros((1, 10), int), [1], r"accept must be \[1\] bool, got int64 \[1\]"),
        (np.zeros((0, 10), int), [], r"accept must be \[0\] bool|accepts no string"),
    ],
)
def test_arrays_that_are_no_automaton_are_refused(step, accept, message):
    with pytest.raises(ValueError, match=message):
        Automaton(step, np.array(accept))


@pytest.mark.parametrize("other", ["12a45", [-1, 2, 3, 4, 5], [10, 2, 3, 4, 5], "1234٥"])
def test_what_is_no_digit_is_in_no_string(other):
    assert not digits(5).accepts(other)
    assert digits(5).accepts([1, 2, 3, 4, np.int32(5)])


def test_states_in_a_row_are_joined_as_states_in_a_circle_are():
    rule = lambda n, d: (n[0] + 1, (n[1] + d) % 3) if n[0] < 4 else None
    in_a_row = explore((0, 0), rule, lambda n: n == (4, 0))
    assert len(in_a_row.step) == 2 + 3 * 3  # the start, three sums at each place, the end
    assert strings(in_a_row) == []
    assert in_a_row.lengths() == (4, 4)
    assert in_a_row.count() == sum(sum(map(int, f"{n:04}")) % 3 == 0 for n in range(10_000))
