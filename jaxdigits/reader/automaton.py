"""Finite automata over digits: the strings that a format allows.

An automaton is deterministic and minimal: a table of states by digits.  State 0 is the start.
Each state can be reached, and from each a string can be completed.  Two automata accept the
same strings if and only if their tables are equal.

    explore(start, step, accept)        from a Python function of states of any kind
    pattern("[12]\\\\d{3}|0{4}")         from a small pattern
    product(a, b), union(a, b)          strings of both, strings of either
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

S = TypeVar("S", bound=Hashable)
DEAD = -1
DIGITS = tuple("0123456789")
LARGEST = 10_000  # states; a mistake in a function would never end


@dataclass(frozen=True, eq=False)
class Automaton:
    """The strings of digits that lead from state 0 to an accepting state.

    Raises:
      ValueError: for arrays of another shape, a state that is not there, or no string.
    """

    step: np.ndarray
    """[Q, 10] int32, the next state by digit; −1 where no string of the format goes on"""
    accept: np.ndarray
    """[Q] bool"""

    def __post_init__(self):
        step, accept = np.asarray(self.step), np.asarray(self.accept)
        if step.ndim != 2 or step.shape[1] != 10 or step.dtype.kind not in "iu":
            raise ValueError(f"step must be [Q, 10] int, got {step.dtype} {list(step.shape)}")
        if accept.shape != step.shape[:1] or accept.dtype != bool:
            raise ValueError(
                f"accept must be [{len(step)}] bool, got {accept.dtype} {list(accept.shape)}"
            )
        if not DEAD <= step.min(initial=0) <= step.max(initial=0) < len(step):
            raise ValueError(f"step must be from −1 to {len(step) - 1}, the last state")
        if not any(accept[q] for q in _reached(step)):
            raise ValueError("the format accepts no string")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Automaton):
            return False
        return np.array_equal(self.step, other.step) and np.array_equal(
            self.accept, other.accept
        )

    def __hash__(self) -> int:
        return hash((self.step.tobytes(), self.accept.tobytes()))

    def accepts(self, digits: str | Iterable[int]) -> bool:
        """Return whether a string is one of the automaton's."""
        state = 0
        for digit in digits:
            state = self.step[state, int(digit)] if str(digit) in DIGITS else DEAD
            if state == DEAD:
                return False
        return bool(self.accept[state])

    def count(self) -> int | None:
        """Return the number of strings, or None if there is no end of them."""
        if (order := _ordered(self.step)) is None:
            return None
        ways = [0] * len(self.step)
        for q in reversed(order):
            ways[q] = int(self.accept[q]) + sum(ways[r] for r in self.step[q] if r != DEAD)
        return ways[0]

    def lengths(self) -> tuple[int, int | None]:
        """Return the length of the shortest string and of the longest; None without a limit."""
        shortest, layer = 0, {0}
        while not any(self.accept[q] for q in layer):
            layer = {int(r) for q in layer for r in self.step[q] if r != DEAD}
            shortest += 1
        if (order := _ordered(self.step)) is None:
            return shortest, None
        longest = [0] * len(self.step)
        for q in reversed(order):
            longest[q] = max((1 + longest[r] for r in self.step[q] if r != DEAD), default=0)
        return shortest, longest[0]


def explore(start: S, step: Callable[[S, int], S | None], accept: Callable[[S], bool]):
    """Return the automaton of a function (state, digit) -> state, or None for no state.

    Raises:
      ValueError: if no string is accepted, or the states do not end.
    """
    number, waiting, rows = {start: 0}, deque([start]), []
    while waiting:
        state, row = waiting.popleft(), []
        for digit in range(10):
            following = step(state, digit)
            if following is None:
                row.append(DEAD)
                continue
            if following not in number:
                number[following] = len(number)
                waiting.append(following)
            row.append(number[following])
        rows.append(row)
        if len(number) > LARGEST:
            raise ValueError(f"the format has over {LARGEST:,} states: allow fewer strings")
    return _minimal(np.array(rows, np.int32), np.array([accept(state) for state in number]))


def product(a: Automaton, b: Automaton) -> Automaton:
    """Return the automaton of the strings that both accept.

    Raises:
      ValueError: if there is none.
    """

    def step(pair: tuple[int, int], digit: int) -> tuple[int, int] | None:
        p, q = int(a.step[pair[0], digit]), int(b.step[pair[1], digit])
        return None if DEAD in (p, q) else (p, q)

    return explore((0, 0), step, lambda pair: bool(a.accept[pair[0]] and b.accept[pair[1]]))


def union(*automata: Automaton) -> Automaton:
    """Return the automaton of the strings that at least one accepts.

    Raises:
      ValueError: for no automaton.
    """

    def step(states: tuple[int, ...], digit: int) -> tuple[int, ...] | None:
        following = tuple(
            DEAD if q == DEAD else int(a.step[q, digit])
            for a, q in zip(automata, states, strict=True)
        )
        return following if set(following) != {DEAD} and following else None

    accept = lambda states: any(
        q != DEAD and a.accept[q] for a, q in zip(automata, states, strict=True)
    )
    return explore((0,) * len(automata), step, accept)


def weighted_sum(
    weights: Sequence[int], modulus: int, *, total: int = 0, start: int = 0
) -> Automaton:
    """Return the automaton of the strings d with start + Σ wᵢ dᵢ ≡ total (mod modulus)."""

    def step(state: tuple[int, int], digit: int) -> tuple[int, int] | None:
        i, remainder = state
        if i == len(weights):
            return None
        return i + 1, (remainder + weights[i] * digit) % modulus

    end = (len(weights), total % modulus)
    return explore((0, start % modulus), step, lambda state: state == end)


def between(low: int, high: int) -> Automaton:
    """Return the automaton of the whole numbers from low to high, without leading zeros.

    Raises:
      ValueError: unless 0 <= low <= high.
    """
    if not 0 <= low <= high:
        raise ValueError(f"numbers must be from 0 or more to at least that, got {low}-{high}")
    lengths = range(len(str(low)), len(str(high)) + 1)
    least = lambda n: max(low, 10 ** (n - 1) if n > 1 else 0)
    return union(*(_fixed(f"{least(n)}", f"{min(high, 10**n - 1)}") for n in lengths))


def _fixed(low: str, high: str) -> Automaton:
    """Return the automaton of the numbers from low to high, which have the same length."""

    def step(state: tuple[int, bool, bool], digit: int) -> tuple[int, bool, bool] | None:
        i, at_low, at_high = state  # whether all digits so far are those of a limit
        if i == len(low):
            return None
        if (at_low and digit < int(low[i])) or (at_high and digit > int(high[i])):
            return None
        return i + 1, at_low and digit == int(low[i]), at_high and digit == int(high[i])

    return explore((0, True, True), step, lambda state: state[0] == len(low))


def _minimal(step: np.ndarray, accept: np.ndarray) -> Automaton:
    """Return the minimal automaton; its states are numbered by breadth."""
    alive = accept.copy()
    while True:
        reach = alive | np.where(step == DEAD, False, alive[step]).any(1)
        if (reach == alive).all():
            break
        alive = reach
    if not alive[0]:
        raise ValueError("the format accepts no string")
    step = np.where((step != DEAD) & alive[step], step, DEAD)
    order = _ordered(step)
    kind = _kinds(step, accept) if order is None else _kinds_in_order(step, accept, order)
    first = {int(k): i for i, k in reversed(list(enumerate(kind))) if alive[i]}
    number, waiting = {int(kind[0]): 0}, deque([int(kind[0])])
    rows, accepting = [], []
    while waiting:
        state = first[waiting.popleft()]
        accepting.append(bool(accept[state]))
        row = []
        for following in step[state]:
            if following == DEAD:
                row.append(DEAD)
                continue
            k = int(kind[following])
            if k not in number:
                number[k] = len(number)
                waiting.append(k)
            row.append(number[k])
        rows.append(row)
    return Automaton(np.array(rows, np.int32), np.array(accepting))


def _kinds(step: np.ndarray, accept: np.ndarray) -> np.ndarray:
    """Return equal numbers [Q] for states that begin the same strings, by Moore's method.

    States are alike until a digit tells them apart.  A dead state is the last kind.
    """
    kind = np.append(accept.astype(int), -1)
    while True:
        rows = np.concatenate([kind[:-1, None], kind[step]], axis=1)
        _, new = np.unique(rows, axis=0, return_inverse=True)
        new = np.append(new.ravel(), -1)
        if len(np.unique(new)) == len(np.unique(kind)):
            return kind[:-1]
        kind = new


def _kinds_in_order(step: np.ndarray, accept: np.ndarray, order: list[int]) -> np.ndarray:
    """Return what `_kinds` returns, of states without a circle: the last states first."""
    kind = np.full(len(step) + 1, -1)  # its last entry is that of a dead state
    numbers: dict[tuple, int] = {}
    for q in reversed(order):
        row = bool(accept[q]), *kind[step[q]].tolist()
        kind[q] = numbers.setdefault(row, len(numbers))
    return kind[:-1]


def _reached(step: np.ndarray) -> set[int]:
    """Return the states that strings lead to."""
    reached, waiting = {0} if len(step) else set(), [0] if len(step) else []
    while waiting:
        for r in step[waiting.pop()].tolist():
            if r != DEAD and r not in reached:
                reached.add(r)
                waiting.append(r)
    return reached


def _ordered(step: np.ndarray) -> list[int] | None:
    """Return the states in an order in which each comes before the next; None for a circle."""
    before = np.bincount(step[step != DEAD].ravel(), minlength=len(step))
    ready = [q for q in range(len(step)) if not before[q]]
    order = []
    while ready:
        q = ready.pop()
        order.append(q)
        for r in step[q][step[q] != DEAD]:
            before[r] -= 1
            if not before[r]:
                ready.append(int(r))
    return order if len(order) == len(step) else None
