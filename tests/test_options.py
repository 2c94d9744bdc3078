"""Options are signatures: what a table has is what a function takes."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from jaxdigits import models
from jaxdigits.options import (
    LAYERS,
    Bounds,
    choose,
    names_of,
    nearest,
    options_of,
    require_name,
    require_within,
)


def build(
    first,
    *,
    size: int = 3,
    way: Literal["up", "down"] = "up",
    share: Annotated[float, Bounds(0, 1, below=True)] = 0.5,
    **rest,
):
    """Build it.

    Args:
      first: has no default.
      size: how large,
        in metres.
      way, share: both.
    """


@dataclass
class Plan:
    """A plan."""

    name: str
    """of it"""
    sizes: tuple[int, ...] = field(default_factory=tuple)
    """of each"""


def test_a_table_has_names_types_defaults_and_texts():
    rows = [(o.name, o.default, o.text) for o in options_of(build)]
    assert rows == [
        ("size", 3, "how large, in metres."), ("way", "up", "both."), ("share", 0.5, "both.")
    ]  # fmt: skip
    assert [o.name for o in options_of(build, without=("way",))] == ["size", "share"]
    rows = [(o.name, o.default, o.text) for o in options_of(Plan)]
    assert rows == [("name", None, "of it"), ("sizes", (), "of each")]


@pytest.mark.parametrize("network", models.NETWORKS)
def test_every_option_of_a_network_is_documented(network):
    builder = models.NETWORKS[network]
    table = {o.name: o for o in options_of(builder)}
    assert all(option.text for option in table.values()), network
    parameters = inspect.signature(builder).parameters
    assert {n: o.default for n, o in table.items()} == {
        n: p.default for n, p in parameters.items() if p.kind is not p.VAR_KEYWORD
    }


def test_names_are_those_of_a_tuple_or_of_a_literal():
    assert names_of(Literal["a", "b"]) == ("a", "b")
    assert names_of(Literal["a"] | float | None) == ("a",)
    assert names_of(Annotated[str | int, ("x", "y")]) == ("x", "y")
    assert names_of(Annotated[Literal["a"], Bounds(0)]) == ("a",)
    assert names_of(int) == ()


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Annotated[int, Bounds(1)], 0, "n must be >= 1, got 0"),
        (Annotated[int, Bounds(1)], 1.5, "n must be a whole number, got 1.5"),
        (Annotated[int, Bounds(1)], True, "n must be a whole number, got True"),
        (Annotated[float, Bounds(0, 1)], 1.5, r"n must be in \[0, 1\], got 1.5"),
        (Annotated[float, Bounds(0, 1, below=True)], 1, r"n must be in \[0, 1\), got 1"),
        (Annotated[float, Bounds(0)], "xxx", "n must be a number, got 'xxx'"),
        (Annotated[int, Bounds(0)], None, "n must be a whole number, got None"),
        (Annotated[int | Sequence[int], Bounds(1)], (4, 0), "n must be >= 1, got 0"),
        (Annotated[int, Bounds(1)] | None, None, None),
        (Annotated[int | Sequence[int], Bounds(1)], [1] * (LAYERS + 1), "n has 101 entries"),
        (tuple[str, ...], ("a",) * 101, "n has 101 entries, more than 100"),
        (float, -1e9, None),
    ],
)
def test_numbers_are_within_their_bounds(annotation, value, message):
    if message is None:
        require_within("n", annotation, value)
    else:
        with pytest.raises(ValueError, match=message):
            require_within("n", annotation, value)


def test_a_name_is_chosen_and_a_value_stays():
    table = {"one": 1, "two": 2}
    assert choose("number", table, "two") == 2
    assert choose("number", table, int) is int
    with pytest.raises(ValueError, match=r"must be a name or a constructor .* got float"):
        choose("number", table, 3.0)
    with pytest.raises(ValueError, match=r"number must be one of one, two, got .tow.; perhaps"):
        choose("number", table, "tow")
    with pytest.raises(ValueError, match=r"got 'zzz'$"):
        require_name("number", table, "zzz")


def test_the_nearest_name_is_a_hint():
    assert nearest("epoch", ["batch", "epochs"], lead="--") == "; perhaps --epochs"
    assert nearest("q", ["batch", "epochs"]) == ""
