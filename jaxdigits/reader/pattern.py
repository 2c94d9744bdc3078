"""Small patterns of digits, in the notation of regular expressions.

    0-9 a digit    . or \\d any digit    [1-39] some digits    [^0] all others
    ab one after the other    a|b one of them    (a) a part
    a? at most once    a{3} three times    a{2,4} two to four times

A pattern becomes an automaton by its derivatives [1]: the derivative of a pattern by a digit is
the pattern of the rest of the string.  Patterns are the states.

[1] Brzozowski, Journal of the ACM 11(4), 1964, doi:10.1145/321239.321249.
"""

from typing import Any

from jaxdigits.reader.automaton import Automaton, explore

Node = Any  # a tuple: its kind, and its parts
LONGEST, MOST_WORK = 20_000, 2_000_000
SHOWN = 40  # characters of a pattern, in an error
NEVER: Node = ("any of", frozenset())
EMPTY: Node = ("empty",)


def pattern(text: str) -> Automaton:
    """Return the automaton of a pattern.

    Raises:
      ValueError: for a text that is no pattern, and for one that accepts no string, only the
        empty one, or strings without end.
    """
    if len(text) > LONGEST:
        raise ValueError(f"pattern {_short(text)} has over {LONGEST} characters: shorten it")
    try:
        automaton = _automaton(text)
    except RecursionError:
        raise ValueError(
            f"pattern {_short(text)} has too many parts in a row or within"
        ) from None
    longest = automaton.lengths()[1]
    if longest is None:
        hint = "give a limit, as {1,9}"
        raise ValueError(f"pattern {_short(text)} accepts strings without end: {hint}")
    if not longest:
        raise ValueError(f"pattern {_short(text)} accepts the empty string alone: add digits")
    return automaton


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _automaton(text: str) -> Automaton:
    node, end = _alternatives(text, 0)
    if end < len(text):
        raise ValueError(_at(text, end, f"{text[end]!r} is not expected"))
    work = 0

    def step(node: Node, digit: int) -> Node | None:
        nonlocal work
        work += _size(node)
        if work > MOST_WORK:
            raise ValueError("it is too large: write it with fewer choices and repeats")
        rest = _rest(node, digit)
        return None if rest == NEVER else rest

    try:
        return explore(node, step, _may_end)
    except ValueError as error:
        raise ValueError(f"pattern {_short(text)}: {error}") from None


def _short(text: str) -> str:
    """Return a text as it stands in an error."""
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}…"


def _size(node: Node) -> int:
    """Return the number of parts of a pattern."""
    parts = node[1] if node[0] == "any of" else node[1:] if node[0] != "one of" else ()
    return 1 + sum(_size(part) for part in parts if isinstance(part, tuple))


def _at(text: str, at: int, problem: str) -> str:
    return f"pattern {_short(text)}, character {at + 1}: {problem}"


def _alternatives(text: str, at: int) -> tuple[Node, int]:
    node, at = _row(text, at)
    nodes = {node}
    while text[at : at + 1] == "|":
        node, at = _row(text, at + 1)
        nodes.add(node)
    return _any_of(nodes), at


def _row(text: str, at: int) -> tuple[Node, int]:
    node = EMPTY
    while at < len(text) and text[at] not in "|)":
        part, at = _repeated(text, at)
        node = _then(node, part)
    return node, at


def _repeated(text: str, at: int) -> tuple[Node, int]:
    node, at = _atom(text, at)
    while at < len(text) and text[at] in "?*+{":
        if text[at] == "{":
            end = text.find("}", at)
            low, comma, high = text[at + 1 : max(end, at)].partition(",")
            if not _is_number(low) or not (_is_number(high) if high else True) or end < 0:
                raise ValueError(_at(text, at, "a number of times looks like {3} or {2,4}"))
            most = int(high) if high else (None if comma else int(low))
            if (most is not None and most < int(low)) or int(low) > 1000 or (most or 0) > 1000:
                raise ValueError(
                    _at(text, at, "times must be from the fewer to the more, up to 1000")
                )
            node, at = _times(node, int(low), most), end + 1
        else:
            low, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}[text[at]]
            node, at = _times(node, low, most), at + 1
    return node, at


def _atom(text: str, at: int) -> tuple[Node, int]:
    sign = text[at]
    if sign in "0123456789":
        return ("one of", frozenset({int(sign)})), at + 1
    if sign == "." or text[at : at + 2] == "\\d":
        return ("one of", frozenset(range(10))), at + (1 if sign == "." else 2)
    if sign == "(":
        node, end = _alternatives(text, at + 1)
        if text[end : end + 1] != ")":
            raise ValueError(_at(text, at, "this bracket is never closed"))
        return node, end + 1
    if sign == "[":
        return _set(text, at)
    raise ValueError(_at(text, at, f"{sign!r} is no digit, and no sign of a pattern"))


def _set(text: str, at: int) -> tuple[Node, int]:
    end = text.find("]", at)
    inside = text[at + 1 : max(end, at)]
    others, signs, digits = inside.startswith("^"), inside.removeprefix("^"), set()
    while signs:
        low, high = signs[0], signs[2:3] if signs[1:2] == "-" else signs[0]
        if not (_is_number(low) and _is_number(high) and low <= high):
            raise ValueError(_at(text, at, "a set of digits looks like [1-39]"))
        digits |= set(range(int(low), int(high) + 1))
        signs = signs[3 if signs[1:2] == "-" else 1 :]
    if end < 0 or not inside.removeprefix("^"):
        raise ValueError(_at(text, at, "a set of digits looks like [1-39]"))
    return ("one of", frozenset(set(range(10)) - digits if others else digits)), end + 1


def _then(a: Node, b: Node) -> Node:
    if NEVER in (a, b):
        return NEVER
    if a == EMPTY or b == EMPTY:
        return a if b == EMPTY else b
    if a[0] == "then":  # to the right, so that equal patterns look alike
        return _then(a[1], _then(a[2], b))
    return ("then", a, b)


def _any_of(nodes: Any) -> Node:
    flat: set[Node] = set()
    for node in nodes:
        flat |= node[1] if node[0] == "any of" else {node}
    return next(iter(flat)) if len(flat) == 1 else ("any of", frozenset(flat))


def _times(node: Node, low: int, most: int | None) -> Node:
    if most == 0 or node == EMPTY:
        return EMPTY
    return ("times", node, 0 if _may_end(node) else low, most)


def _may_end(node: Node) -> bool:
    """Return whether the pattern accepts the empty string."""
    match node:
        case ("empty",):
            return True
        case ("one of", _):
            return False
        case ("then", a, b):
            return _may_end(a) and _may_end(b)
        case ("any of", nodes):
            return any(map(_may_end, nodes))
    return node[2] == 0  # of a repeated part


def _rest(node: Node, digit: int) -> Node:
    """Return the derivative: the pattern of all that may follow the digit."""
    match node:
        case ("empty",):
            return NEVER
        case ("one of", digits):
            return EMPTY if digit in digits else NEVER
        case ("then", a, b):
            rest = _then(_rest(a, digit), b)
            return _any_of({rest, _rest(b, digit)}) if _may_end(a) else rest
        case ("any of", nodes):
            return _any_of({_rest(n, digit) for n in nodes})
    _, part, low, most = node  # a repeated part
    fewer = _times(part, max(low - 1, 0), None if most is None else most - 1)
    return _then(_rest(part, digit), fewer)
