"""The command line is made from signatures; a mistake is one line with the nearest name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from jaxdigits.cli.parser import (
    POSITIONAL,
    File,
    Usage,
    make_parser,
    parse,
    parsed_command,
    value_before_parsing,
)
from jaxdigits.options import Bounds, options_of

NAMES = ("first", "second")


@dataclass(frozen=True)
class Options:
    """A command.

    And more of it.
    """

    place: Annotated[str, "PLACE", POSITIONAL] = "here"
    """where it is"""
    widths: int | tuple[int, ...] = (8, 4)
    """size of each"""
    rate: Annotated[float | None, Bounds(0, 1)] = None
    """a share"""
    name: Annotated[str, NAMES] = "first"
    """which one"""
    way: Literal["up", "down"] | float = "up"
    """direction or angle"""
    absent: float | tuple[float, ...] = 0.5
    """one or two"""
    file: File = None
    """a file"""
    loud: bool = False
    """whether it is heard"""
    run_: float = 1.0
    """a name that the command has another use for"""


def parsed(*args):
    return parsed_command(Options, "program", args)


@pytest.mark.parametrize("name", ["-name.png", "--a_b", "--loud", "-3", "--", "plain"])
def test_behind_two_dashes_a_name_may_begin_with_a_dash(name):
    assert parsed("--", name) == Options(name)
    assert parsed("--loud", "--rate", "0.5", "--", name) == Options(name, loud=True, rate=0.5)


def test_values_have_the_types_of_the_signature():
    assert parsed() == Options()
    assert parsed("there", "--loud", "--file", "a/b") == Options("there", file=Path("a/b"),
                                                                 loud=True)  # fmt: skip
    assert parsed("--run", "2").run_ == 2.0
    assert parsed("--widths", "3").widths == (3,)
    assert parsed("--widths", "3", "5").widths == (3, 5)
    assert parsed("--absent", "1").absent == 1.0
    assert parsed("--absent", "1", "0.25").absent == (1.0, 0.25)
    assert parsed("--way", "down").way == "down"
    assert parsed("--way=-0.5").way == -0.5
    assert parsed("--rate", "none").rate is None
    assert parsed("--rate", "0.5").rate == 0.5


def test_only_options_that_are_passed_are_in_the_result():
    options = options_of(Options, without=("place",))
    assert parse(make_parser("p", "", {"all": options}), ["--name", "second"]) == {
        "name": "second"
    }


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--lowd", "unknown option --lowd; perhaps --loud; `program --help` lists the options"),
        ("--zzz 1", "unknown option --zzz; `program --help`"),
        ("here there", "unknown option there; "),
        ("--widths a", "--widths must be a whole number, got 'a'; "),
        (
            "--widths 4,8",
            "--widths must be a whole number, got '4,8': put spaces between several; ",
        ),
        ("--rate x", "--rate must be a number, got 'x'; "),
        (
            "--name secund",
            "--name must be one of first, second, got 'secund'; perhaps second; ",
        ),
        ("--way left", "--way must be up or down or a number, got 'left'; "),
        ("--rate", "--rate: expected one argument; "),
        ("--ra 1", "unknown option --ra"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(args, message):
    with pytest.raises(Usage) as caught:
        parsed(*args.split())
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_underscores_are_dashes_and_the_last_of_two_counts():
    options = options_of(Options, without=("place",))
    many = [options[1]._replace(name="long_name")]
    values = parse(make_parser("p", "", {"all": many}), ["--long_name=1", "--long-name", "2"])
    assert values == {"long_name": 2.0}


def test_usage_says_where_several_may_stand():
    (place,) = [o for o in options_of(Options) if o.name == "place"]
    annotation = Annotated[tuple[str, ...], "PLACE", POSITIONAL]
    several = place._replace(annotation=annotation, default=())
    text = make_parser("p", "", {"all": [several]}).format_usage()
    assert text == "usage: p [PLACE ...] [options]\n"


def test_help_has_the_texts_the_names_and_the_defaults(capsys):
    with pytest.raises(SystemExit) as ended:
        parsed("--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: program [PLACE] [options]\n\nA command.\n\nAnd more of it.")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "PLACE Where it is [here]." in lines
    assert "--widths INT ... Size of each [8 4]." in lines
    assert "--rate FLOAT A share." in lines
    assert "--name NAME Which one: first or second [first]." in lines
    assert "--file FILE A file." in lines
    assert "--loud Whether it is heard." in lines


def test_a_value_can_be_read_before_the_options_are_known():
    args = ["--data", "mnist", "--neuron=alif"]
    assert value_before_parsing(args, "--data", "digits") == "mnist"
    assert value_before_parsing(args, "--neuron", None) == "alif"
    assert value_before_parsing(args, "--seed", "0") == "0"
