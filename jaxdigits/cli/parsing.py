"""From arguments to a command; what cannot be understood is one line on stderr."""

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any


def parsed(commands: Mapping[str, type], args: Sequence[str]) -> Any:
    """The command that `args` are.

    Raises:
      SystemExit: with 0 for --help; with 2, and a line that says why, for what is no command.
    """
    import tyro

    from jaxdigits.cli.help import DESCRIPTION, wanted

    told = StringIO()
    try:
        with redirect_stderr(told):
            return tyro.cli(
                wanted(commands, args),
                prog="jaxdigits",
                description=DESCRIPTION,
                args=list(args),
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff),
            )
    except SystemExit as exit:
        if exit.code == 2:
            command = next((f"{a} " for a in args if a in commands), "")
            more = f"`jaxdigits {command}--help` tells more"
            told = StringIO(f"jaxdigits: {in_a_line(told.getvalue(), args)}; {more}\n")
        raise
    finally:
        sys.stderr.write(told.getvalue())


def in_a_line(box: str, args: Sequence[str]) -> str:
    """What tyro says in a box of a title and several parts, the first of what is wrong."""
    rows = [re.sub("^╭.*╮$", "─", row.strip(" │╰╯")) for row in box.splitlines()]
    _, *parts = re.split(r"\n?[─-]+\n", "\n".join(rows))
    if not parts:
        return " ".join(box.split())
    said, *parts = parts
    line = " ".join(said.split("\n\n")[0].split()).rstrip(".")
    option = re.match(r"Error parsing (--[\w-]+):", line)
    usage = [row for row in rows if option and row.startswith(f"{option[1]} ")]
    if option and usage:  # What tyro says of it is about Python's types.
        line = f"{usage[0].replace(' ', ' takes ', 1)}, got {_values(option[1], args)!r}"
    for part in parts:
        head, *others = part.splitlines()
        if head.startswith("Available subcommands"):
            line += f"; {head[0].lower()}{head[1:]}"
        elif head.startswith(("Perhaps you meant", "Arguments similar to")):
            meant = [row.split()[0] for row in others if row.startswith("--")]
            line += f"; perhaps {' or '.join(meant)}" if meant else ""
    return line


def _values(option: str, args: Sequence[str]) -> str:
    """What stands behind an option."""
    given: list[str] = []
    for arg in args:
        name, *value = arg.split("=", 1) if arg.startswith("--") else [None, arg]
        if name is None:
            given += value
        else:  # as the parser sees it; and of one that is given twice, the last counts
            given = value if name.replace("_", "-") == option else [*given, name]
    end = next((i for i, word in enumerate(given) if word.startswith("--")), len(given))
    return " ".join(given[:end])
