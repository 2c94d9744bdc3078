"""The command line: parse, call, print.  `main` is the program `jaxdigits`.

Exit codes: 0 done; 1 it failed, or something disagrees; 2 the command was not understood;
130 interrupted; 141 the reader of a pipe left; 143 asked to end.  An error is one line on
stderr.  JAXDIGITS_DEBUG=1 shows the traceback.
JAXDIGITS_CACHE names a folder for compiled programs, which the next start then loads.
"""

import ast
import gc
import keyword
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jaxdigits.cli.cache import keep_compiled_programs
from jaxdigits.cli.parser import parsed_command
from jaxdigits.cli.report import say_note
from jaxdigits.errors import DataError, Diverged, DoesNotFit, RunError
from jaxdigits.fast.flags import set_flags
from jaxdigits.options import nearest

CLOSED_PIPE = 128 + 13  # as a shell gives it for SIGPIPE, after `| head -1`
COMMANDS = (
    "train", "search", "evaluate", "predict", "read", "page", "formats", "verify", "quantise",
    "convert", "export", "import", "plot", "check", "bench", "info", "completion",
)  # fmt: skip
OVERVIEW = """\
Reading digits the way brains and machines do: networks with hand-derived gradients.

{commands}

  $ jaxdigits train                    a spiking network, half a minute
  $ jaxdigits train cnn --data mnist   another network, other data
  $ jaxdigits search --data FOLDER     a good network for your own pictures, by trials
  $ jaxdigits evaluate RUN             test it; RUN is the folder that train printed
  $ jaxdigits COMMAND --help           its options, with their defaults

JAXDIGITS_DATA names a folder with data, JAXDIGITS_CACHE one for compiled programs: the next
start is then quicker. JAXDIGITS_DEBUG=1 shows where an error came from."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command in `args` (by default the program's own) and exit."""
    from jaxdigits.cli.processes import leave

    for stream in (sys.stdout, sys.stderr):  # for names that the terminal's coding lacks
        stream.reconfigure(errors="backslashreplace")  # pyright: ignore
    gc.set_threshold(50_000)  # else collections of garbage take a tenth of a start
    try:
        code = run(sys.argv[1:] if args is None else args)
    except SystemExit as exit:  # after --help, or a parser's error
        code = int(exit.code or 0)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = CLOSED_PIPE
    if code == CLOSED_PIPE:  # Python flushes stdout once more as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    leave(code)


def run(args: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Raises:
      SystemExit: from the parser, for --help and for what it does not understand.
    """
    set_flags(args)
    return _guarded(lambda: _run(args))


def _run(args: Sequence[str]) -> int:
    if not args or args[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if args[0] == "--version":
        print(f"jaxdigits {version('jaxdigits')}")
        return 0
    name = args[0]
    if name not in COMMANDS:
        hint = nearest(name, COMMANDS)
        raise ValueError(f"unknown command {name!r}{hint}; `jaxdigits --help` lists them")
    kind = class_of(name)
    own = getattr(kind, "parsed", None)
    prog = f"jaxdigits {name}"
    command = own(args[1:]) if own else parsed_command(kind, prog, args[1:])
    keep_compiled_programs()
    return command.run()


def class_of(name: str) -> Any:
    """Return the class of a command, from its file."""
    return getattr(import_module(f"jaxdigits.cli.{_file(name)}"), name.capitalize())


def _file(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _overview() -> str:
    """The list of commands, each by the first line of its class, which is not imported."""
    lines = []
    for name in COMMANDS:
        tree = ast.parse(Path(__file__).with_name(f"{_file(name)}.py").read_text())
        kind = next(n for n in tree.body if getattr(n, "name", "") == name.capitalize())
        doc = ast.get_docstring(kind) if isinstance(kind, ast.ClassDef) else ""
        lines.append(f"  jaxdigits {name:12s}{(doc or '').splitlines()[0]}")
    return OVERVIEW.format(commands="\n".join(lines))


def _guarded(action: Callable[[], int]) -> int:
    """Return the action's exit code; an error becomes one line on stderr, and 1 or 2."""
    try:
        return action()
    except KeyboardInterrupt as error:
        return _say(f"interrupted{error}", 130)
    except (DataError, RunError, Diverged, DoesNotFit, ImportError) as error:
        return _say(error, 1)
    except ValueError as error:
        return _say(error, 2)
    except BrokenPipeError:
        return CLOSED_PIPE
    except OSError as error:
        return _say(f"{error.filename or 'output'}: {error.strerror or error}", 1)
    except Exception as error:
        if "out of memory" in str(error).lower():
            return _say("out of memory: try a smaller --batch, or fewer neurons or steps", 1)
        return _say(f"{type(error).__name__}: {error} (JAXDIGITS_DEBUG=1 shows where)", 1)


def _say(message: object, code: int) -> int:
    if os.environ.get("JAXDIGITS_DEBUG"):
        raise
    say_note(" ".join(str(message).split()))
    return code
