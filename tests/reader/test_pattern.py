"""Patterns against Python's regular expressions."""

import itertools
import re

import pytest

from jaxdigits.reader import pattern

SHORT = ["".join(s) for n in range(4) for s in itertools.product("0123456789", repeat=n)]


@pytest.mark.parametrize(
    "text",
    ["123", r"\d\d", ".", "[1-39]0?", "[^0].", "1|23|456", "(1|2)3{2}", "(0?1?2?)",
     "(12){0,1}3", "1{1,3}", "(0|[1-9]\\d{0,2})", "(1?2?){2}", "((1|12)(3|23))"],
)  # fmt: skip
def test_a_pattern_accepts_the_strings_of_pythons(text):
    automaton, wanted = pattern(text), re.compile(text)
    assert [s for s in SHORT if automaton.accepts(s)] == [
        s for s in SHORT if wanted.fullmatch(s)
    ]


def test_alike_patterns_are_one_automaton():
    assert pattern("12|13") == pattern("1[23]") == pattern("1(2|3)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12a", "character 3: 'a' is no digit, and no sign of a pattern"),
        ("(12", "character 1: this bracket is never closed"),
        ("12)", r"character 3: '\)' is not expected"),
        ("[]", "character 1: a set of digits looks like"),
        ("[12", "character 1: a set of digits looks like"),
        ("[3-1]", "character 1: a set of digits looks like"),
        ("1{x}", "character 2: a number of times looks like"),
        ("1{3", "character 2: a number of times looks like"),
        ("1{3,2}", "character 2: times must be from the fewer to the more"),
        ("1{2000}", "character 2: times must be from the fewer to the more, up to 1000"),
        ("1*", "accepts strings without end: give a limit"),
        ("1+", "accepts strings without end"),
        ("1{2,}", "accepts strings without end"),
        ("", "accepts the empty string alone"),
        ("1{0}", "accepts the empty string alone"),
        ("[^0-9]", "accepts no string"),
        ("(.{1,1000}){1,1000}", "it is too large: write it with fewer choices and repeats"),
        ("1" * 20_001, r"pattern '1{40}'… has over 20000 characters: shorten it"),
        ("1" * 19_000, "too many parts in a row or within"),
        ("1{\u0663}", "character 2: a number of times looks like"),
        ("?", r"character 1: '\?' is no digit"),
    ],
)
def test_no_pattern_is_one_line(text, message):
    with pytest.raises(ValueError, match=message) as error:
        pattern(text)
    assert "\n" not in str(error.value)
