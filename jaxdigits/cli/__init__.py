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


def main(args: Sequence[str] | None = None) -> None:
    """Run the command in `args` (by default the program's own) and exit."""
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Raises:
      SystemExit: from the parser, for --help and for what it does not understand.
    """
    _set_flags()
    return _guarded(lambda: _run(args))


def _run(args: Sequence[str]) -> int:
    import tyro

    from jaxdigits.cli.bench import Bench
    from jaxdigits.cli.cache import compiled_programs
    from jaxdigits.cli.check import Check
    from jaxdigits.cli.evaluate import Evaluate
    from jaxdigits.cli.predict import Predict
    from jaxdigits.cli.train import Train

    if "--version" in args:
        print(f"jaxdigits {version('jaxdigits')}")
        return 0
    commands = {
        "train": Train, "evaluate": Evaluate, "predict": Predict, "check": Check,
        "bench": Bench,
    }  # fmt: skip
    command = tyro.extras.subcommand_cli_from_dict(
        commands,
        prog="jaxdigits",
        description="Reading digits the way brains and machines do: networks with hand-derived "
        "gradients. Start with `jaxdigits train`; `jaxdigits COMMAND --help` tells more.",
        args=list(args),
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff),
    )
    with compiled_programs():
        return command.run()


def _guarded(action: Callable[[], int]) -> int:
    """The action's exit code; an error becomes one line on stderr, and 1 or 2."""
    from jaxdigits.data import DataError
    from jaxdigits.train import Diverged, RunError

    try:
        return action()
    except KeyboardInterrupt as error:
        return _say(f"interrupted{error}", 130)
    except (DataError, RunError, Diverged, ImportError) as error:
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


def _set_flags() -> None:
    """Choose, before JAX starts, how XLA compiles for the CPU; a user's own flags come last.

    `jax.lax.optimization_barrier` is to hold until programs are fused: where the library puts
    one, XLA would otherwise compute an array again for each product that reads it.  And
    jaxlib 0.10 has two kinds of convolution, of which the older is the faster one; later
    versions may not know its flag, and an unknown flag ends the process.
    """
    flags = "--xla_disable_hlo_passes=cse_barrier_expander"
    if version("jaxlib").startswith("0.10."):
        flags += " --xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"
    os.environ["XLA_FLAGS"] = f"{flags} {os.environ.get('XLA_FLAGS', '')}".strip()
