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
from importlib.util import find_spec


def main(args: Sequence[str] | None = None) -> None:
    """Run the command in `args` (by default the program's own) and exit."""
    from jaxdigits.cli.processes import leave

    leave(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Raises:
      SystemExit: from the parser, for --help and for what it does not understand.
    """
    _set_flags(args)
    return _guarded(lambda: _run(args))


def _run(args: Sequence[str]) -> int:
    from jaxdigits.cli.bench import Bench
    from jaxdigits.cli.cache import keep_compiled_programs
    from jaxdigits.cli.check import Check
    from jaxdigits.cli.evaluate import Evaluate
    from jaxdigits.cli.info import Info
    from jaxdigits.cli.parsing import parsed
    from jaxdigits.cli.plot import Plot
    from jaxdigits.cli.predict import Predict
    from jaxdigits.cli.train import Train

    if "--version" in args:
        print(f"jaxdigits {version('jaxdigits')}")
        return 0
    commands = {
        "train": Train, "evaluate": Evaluate, "predict": Predict, "plot": Plot,
        "check": Check, "bench": Bench, "info": Info,
    }  # fmt: skip
    command = parsed(commands, args)
    keep_compiled_programs()
    return command.run()


def _guarded(action: Callable[[], int]) -> int:
    """The action's exit code; an error becomes one line on stderr, and 1 or 2."""
    from jaxdigits.data import DataError
    from jaxdigits.runs import RunError
    from jaxdigits.train import Diverged, DoesNotFit

    try:
        return action()
    except KeyboardInterrupt as error:
        return _say(f"interrupted{error}", 130)
    except (DataError, RunError, Diverged, DoesNotFit, ImportError) as error:
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


def _set_flags(args: Sequence[str] = ()) -> None:
    """Choose, before JAX starts, how XLA compiles for the CPU; a user's own flags come last.

    `jax.lax.optimization_barrier` is to hold until programs are fused: where the library puts
    one, XLA would otherwise compute an array again for each product that reads it.  And
    jaxlib 0.10 has two kinds of convolution, of which the older is the faster one; later
    versions may not know its flag, and an unknown flag ends the process.  On an accelerator
    there are none of these flags: its compiler cannot take a barrier that was kept.
    """
    if not _on_cpu(args):
        return
    flags = "--xla_disable_hlo_passes=cse_barrier_expander"
    if version("jaxlib").startswith("0.10."):
        flags += " --xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"
    os.environ["XLA_FLAGS"] = f"{flags} {os.environ.get('XLA_FLAGS', '')}".strip()


def _on_cpu(args: Sequence[str] = ()) -> bool:
    """Whether JAX will run on the CPU, as far as can be told before it starts."""
    words = [word for arg in args for word in arg.split("=", 1)]
    if "--device" in words[:-1]:
        return words[words.index("--device") + 1] == "cpu"
    if chosen := os.environ.get("JAX_PLATFORMS"):
        return chosen == "cpu"
    return not any(map(find_spec, ("jax_plugins", "libtpu")))
