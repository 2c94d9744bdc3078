"""`jaxdigits completion`."""

import argparse
from dataclasses import dataclass
from typing import Annotated

from jaxdigits.cli.parser import POSITIONAL, Parser, add_options
from jaxdigits.cli.report import say
from jaxdigits.options import options_of

SHELLS = ("bash", "zsh", "tcsh")


@dataclass(frozen=True)
class Completion:
    """Print a script that completes commands and options with the tab key.

    Store it where the shell looks for such scripts; a new shell then completes.

      $ jaxdigits completion bash > ~/.local/share/bash-completion/completions/jaxdigits
    """

    shell: Annotated[str, SHELLS, "SHELL", POSITIONAL]
    """shell of the script"""

    def run(self) -> int:
        """Print the script."""
        import shtab

        say(shtab.complete(_program(), self.shell).rstrip())
        return 0


def _program() -> argparse.ArgumentParser:
    """The whole program as one parser, with the options of all networks."""
    from jaxdigits.cli import COMMANDS, class_of, search, train

    program = Parser("jaxdigits", add_help=False)
    commands = program.add_subparsers()
    for name in COMMANDS:
        every = {"train": train.every_option, "search": search.every_option}.get(name)
        options = every() if every else options_of(class_of(name))
        # Only a command with a help text is public to shtab.
        add_options(commands.add_parser(name, add_help=False, help=name), options)
    return program
