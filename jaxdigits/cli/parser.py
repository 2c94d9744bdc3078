"""The command line is made from signatures: options of functions and dataclasses, by argparse.

An error is one line, and a wrong name comes with the nearest one.  Nothing here needs JAX.
"""

import argparse
import shutil
import types
from collections.abc import Iterable, Mapping, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar, Union, get_args, get_origin

from jaxdigits.options import Option, names_of, nearest, options_of, require_name

T = TypeVar("T")
POSITIONAL = "positional"
Run = Annotated[Path, "RUN", POSITIONAL]
Names = Annotated[tuple[str, ...], "NAME", POSITIONAL]
Folder = Annotated[Path | None, "DIR"]
File = Annotated[Path | None, "FILE"]
WIDTH = 100  # columns, where there is no terminal
COLUMN = 26  # of the texts
PLAIN = "\0"  # before an argument that is no option, though it may begin with a dash


class Usage(ValueError):
    """A command that cannot be understood."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are exceptions of one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as a `Usage`, for the caller to print."""
        message = message.removeprefix("argument ").replace(": must be", " must be")
        raise Usage(f"{message}; `{self.prog} --help` lists the options")


def make_parser(prog: str, description: str, groups: Mapping[str, Sequence[Option]]) -> Parser:
    """A parser of groups of options; only options that are passed appear in its result."""
    parser = Parser(
        prog, description=description, formatter_class=_Format,
        argument_default=argparse.SUPPRESS, allow_abbrev=False, add_help=False,
    )  # fmt: skip
    group: Any = parser
    for title, options in groups.items():
        group = parser.add_argument_group(title)
        add_options(group, options)
    group.add_argument("-h", "--help", action="help", help="Show this text.")
    return parser


def add_options(group: Any, options: Iterable[Option]) -> None:
    """Add options to a parser, or to a group of one."""
    for option in options:
        _add(group, option)


def parse(parser: Parser, args: Sequence[str]) -> dict[str, Any]:
    """The options that are passed, by name; behind `--` all arguments are positional.

    Raises:
      Usage: for an unknown option or a value of another kind.
      SystemExit: for --help.
    """
    end = args.index("--") if "--" in args else len(args)
    dashed = [*map(_dashed, args[:end]), *(PLAIN + arg for arg in args[end + 1 :])]
    values, unknown = parser.parse_known_intermixed_args(dashed)
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]
        name = unknown[0].removeprefix(PLAIN).split("=")[0]
        parser.error(f"unknown option {name}{nearest(name, flags)}")
    return vars(values)


def parsed_command(command: type[T], prog: str, args: Sequence[str]) -> T:
    """A command's dataclass, from the arguments."""
    parser = make_parser(prog, getdoc(command) or "", {"options": options_of(command)})
    return command(**parse(parser, args))


def value_before_parsing(args: Sequence[str], flag: str, default: T) -> str | T:
    """The value of a flag that decides which other options there are."""
    for i, arg in enumerate(args):
        name, *value = _dashed(arg).split("=", 1)
        if name == flag:
            return value[0] if value else next(iter(args[i + 1 :]), default)
    return default


def kind_of(option: Option) -> Any:
    """int, float or str: the type of an option's value, or of each of its values."""
    return _number(_members(option.annotation), option.default)


def _add(group: Any, option: Option) -> None:
    # A field that Python, or the command, has another use for ends in an underscore.
    annotation, flag = option.annotation, "--" + option.name.rstrip("_").replace("_", "-")
    names, marks, members = names_of(annotation), _marks(annotation), _members(annotation)
    number, several = _number(members, option.default), _several(members, option.default)
    text = option.text[:1].upper() + option.text[1:].rstrip(".").replace("%", "%%")
    if members == [bool]:
        group.add_argument(flag, dest=option.name, action="store_true", help=f"{text}.")
        return
    if names:
        listed = _listed([*names, "none"] if type(None) in members else names)
        text = f"{text}: {listed}" if text else listed.capitalize()
    if option.default not in (None, ()):
        text = f"{text} [{_shown(option.default)}]"
    path = any(Path in (member, *get_args(member)) for member in members)
    optional = type(None) in members
    read = _reader(option.name, number, names, optional, path, several)
    kind = {int: "INT", float: "FLOAT"}.get(number, "TEXT")
    if names:
        kind = "NAME" if kind == "TEXT" else f"NAME|{kind}"
    metavar = next((m for m in marks if m != POSITIONAL), "PATH" if Path in members else kind)
    rest: dict[str, Any] = dict(type=read, metavar=metavar, help=f"{text}.")
    if POSITIONAL in marks:
        count = "*" if several else "?" if option.default is not None else None
        rest |= {"default": option.default} | (
            {"action": _Several, "const": True} if several else {}
        )
        group.add_argument(option.name, nargs=count, **rest)
        return
    if several:
        rest |= dict(nargs="+", action=_Several, const=isinstance(option.default, tuple))
    group.add_argument(flag, dest=option.name, **rest)


class _Several(argparse.Action):
    """Store values as a tuple; a single one as it is, where the default is no tuple."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None):
        one = len(values) == 1 and not self.const
        setattr(namespace, self.dest, values[0] if one else tuple(values))


class _Format(argparse.RawDescriptionHelpFormatter):
    """Options in one column and texts in another, as wide as the terminal up to WIDTH."""

    def __init__(self, prog: str):
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
        super().__init__(prog, max_help_position=COLUMN, width=width)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if action.nargs == "+":
            return f"{action.metavar} ..."
        return super()._format_args(action, default_metavar)

    def add_usage(self, usage: Any, actions: Iterable[Any], groups: Any, prefix: Any = None):
        """Show positional arguments only: the list of options follows."""
        positional = [action for action in actions if not action.option_strings]
        more = lambda action: " ..." if action.nargs in ("*", "+") else ""
        names = "".join(f" [{a.metavar or a.dest}{more(a)}]" for a in positional)
        super().add_usage(f"{self._prog}{names} [options]", [], [], "usage: ")


def _reader(
    name: str, number: Any, names: Sequence[str], optional: bool, path: bool, several: bool
) -> Any:
    """A function from text to a value, whose error names the option."""

    def read(text: str) -> Any:
        text = text.removeprefix(PLAIN)
        if path:
            if not text:
                raise argparse.ArgumentTypeError("must be a path, got ''")
            return Path(text)
        if optional and text == "none":
            return None
        if names and (number is str or text in names):
            try:
                require_name(name, names, text)
            except ValueError as error:
                raise argparse.ArgumentTypeError(str(error).removeprefix(f"{name} ")) from None
            return text
        try:
            return number(text)
        except ValueError:
            kind = {int: "a whole number", float: "a number"}[number]
            either = f"{_listed(names)} or {kind}" if names else kind
            hint = ": put spaces between several" if several and "," in text else ""
            message = f"must be {either}, got {text!r}{hint}"
            raise argparse.ArgumentTypeError(message) from None

    return read


def _members(annotation: Any) -> list[Any]:
    """The types in a union, through `Annotated` and type aliases."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for arg in get_args(annotation) for member in _members(arg)]
    return [annotation]


def _marks(annotation: Any) -> list[str]:
    """Texts in `Annotated`: a metavar, or that an argument is positional."""
    marks: list[str] = []
    while get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        marks += [mark for mark in metadata if isinstance(mark, str)]
    return marks


def _several(members: Sequence[Any], default: Any) -> bool:
    origins = [get_origin(member) for member in members]
    return isinstance(default, tuple) or any(o in (tuple, list, Sequence) for o in origins)


def _number(members: Sequence[Any], default: Any) -> Any:
    """int, float or str: the type of one value."""
    inner = [arg for member in members for arg in get_args(member) if isinstance(arg, type)]
    kinds = [kind for kind in (*members, *inner) if kind in (int, float, str)]
    if float in kinds or (not kinds and isinstance(default, float)):
        return float
    return int if int in kinds or (not kinds and isinstance(default, int)) else str


def _shown(value: Any) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _dashed(arg: str) -> str:
    """`--learning_rate=1` as `--learning-rate=1`."""
    name, equals, value = arg.partition("=")
    return name.replace("_", "-") + equals + value if arg.startswith("--") else arg
