"""What `--help` says: each command in a line, examples, and options as flowing text."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args

DESCRIPTION = """\
Reading digits the way brains and machines do: networks with hand-derived gradients.

  $ jaxdigits train                         a spiking network, half a minute
  $ jaxdigits train cnn --data mnist        another network, other data
  $ jaxdigits evaluate RUN                  test it; RUN is what train named
  $ jaxdigits plot RUN                      figures and a report for a browser
  $ jaxdigits predict RUN digit.png         read a picture
  $ jaxdigits COMMAND --help                more examples, options, defaults

JAXDIGITS_DATA names a folder with data, JAXDIGITS_CACHE one for compiled programs, so that the next start is quicker. An error of a command is one line; JAXDIGITS_DEBUG=1 shows where it came from.

Completion of commands and options with the tab key, for bash, zsh or tcsh; docs/command-line.md tells where each looks for it:

  $ jaxdigits --tyro-write-completion bash FILE
"""  # noqa: E501  (the terminal breaks lines where it ends)


def wanted(commands: Mapping[str, type], args: Sequence[str]) -> Any:
    """The commands as the type that tyro parses; with one line each for a list of them."""
    from tyro.conf import subcommand

    asked = {"-h", "--help"} & set(args)
    listed = asked and not set(commands) & set(args)
    if asked:
        for command in commands.values():
            flowing(command)
    first = lambda command: (command.__doc__ or "").split("\n")[0]
    return Union[tuple(  # noqa: UP007  (of as many as there are)
        Annotated[Any, subcommand(name, constructor=command,
                                  description=first(command) if listed else None)]
        for name, command in commands.items()
    )]  # fmt: skip


@cache
def flowing(command: type) -> None:
    """Have the text of each option flow: else tyro breaks its lines where the source does."""
    from docstring_parser import parse_from_object
    from tyro.conf import arg

    texts = {p.arg_name: p.description for p in parse_from_object(command).params}
    for field in fields(command):
        kind: Any = next(iter(get_args(field.type)), field.type)
        if isinstance(kind, type) and is_dataclass(kind):  # a group of options
            flowing(kind)
        elif text := texts.get(field.name):
            told = arg(help=inspect.cleandoc(text).replace("\n", " "))
            command.__annotations__[field.name] = Annotated[field.type, told]
