"""The command line: parse, call, print.  `main` is the program `jaxdigits`.

Exit codes: 0 done; 1 it failed, or something disagrees; 2 the command was not understood;
130 interrupted; 143 asked to end.  An error is one line on stderr.  JAXDIGITS_DEBUG=1 shows
the traceback.
JAXDIGITS_CACHE names a folder for compiled programs, which the next start then loads.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from jaxdigits.fast.flags import set_flags


def main(args: Sequence[str] | None = None) -> None:
    """Run the command in `args` (by default the program's own) and exit."""
    from jaxdigits.cli.processes import CHILD, end_with_parent, is_parent, leave, supervised

    args = sys.argv[1:] if args is None else args
    if is_parent(args):
        sys.exit(supervised(args))
    if CHILD not in os.environ:
        sys.exit(run(args))
    end_with_parent()
    leave(run(args))


def run(args: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Raises:
      SystemExit: from the parser, for --help and for what it does not understand.
    """
    set_flags(args)
    return _guarded(lambda: _run(args))


def _run(args: Sequence[str]) -> int:
    from jaxdigits.cli.bench import Bench
    from jaxdigits.cli.cache import compiled_programs
    from jaxdigits.cli.check import Check
    from jaxdigits.cli.evaluate import Evaluate
    from jaxdigits.cli.info import Info
    from jaxdigits.cli.parsing import parsed
    from jaxdigits.cli.plot import Plot
    from jaxdigits.cli.predict import Predict
    from jaxdigits.cli.processes import others_needed
    from jaxdigits.cli.train import Train

    if "--version" in args:
        print(f"jaxdigits {version('jaxdigits')}")
        return 0
    commands = {
        "train": Train, "evaluate": Evaluate, "predict": Predict, "plot": Plot,
        "check": Check, "bench": Bench, "info": Info,
    }  # fmt: skip
    command = parsed(commands, args)
    with compiled_programs(), others_needed():
        return command.run()


def _guarded(action: Callable[[], int]) -> int:
    """The action's exit code; an error becomes one line on stderr, and 1 or 2."""
    from jaxdigits.cli.processes import LostProcess
    from jaxdigits.data import DataError
    from jaxdigits.runs import RunError
    from jaxdigits.train import Diverged, DoesNotFit

    try:
        return action()
    except KeyboardInterrupt as error:
        return _say(f"interrupted{error}", 130)
    except (DataError, RunError, Diverged, DoesNotFit, LostProcess, ImportError) as error:
        return _say(error, 1)
    except ValueError as error:
        return _say(error, 2)
    except OSError as error:
        return _say(f"{error.filename or 'output'}: {error.strerror or error}", 1)
    except Exception as error:
        if "out of memory" in str(error).lower():
            return _say("out of memory: try a smaller --batch, or fewer neurons or steps", 1)
        return _say(f"{type(error).__name__}: {error} (JAXDIGITS_DEBUG=1 shows where)", 1)


def _say(message: object, code: int) -> int:
    if os.environ.get("JAXDIGITS_DEBUG"):
        raise
    print("jaxdigits: " + " ".join(str(message).split()), file=sys.stderr)
    return code
