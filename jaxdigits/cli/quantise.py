"""`jaxdigits quantise`."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jaxdigits.cli.parser import Folder, Run
from jaxdigits.cli.report import percent, say, say_json
from jaxdigits.cli.source import run_data
from jaxdigits.errors import require_run
from jaxdigits.options import Bounds, require_within

Bits = Annotated[int, Bounds(1, 8)]


@dataclass(frozen=True)
class Quantise:
    """Write a run with weights of a few bits, and compare its accuracy.

    Each neuron has a scale of its own; biases stay floats, and nothing is trained again. From
    4 bits on a network hardly changes; with fewer, train it with `train --bits` instead. The
    new folder is a run as any other.

      $ jaxdigits quantise runs/snn --bits 8
      $ jaxdigits quantise runs/snn --bits 4 --out runs/snn4
    """

    run_folder: Run
    """Folder of a run, as `train` printed it."""
    bits: Bits = 8
    """Bits of a weight, 1 to 8."""
    out: Folder = None
    """Folder of the new run; by default RUN with the number of bits behind its name."""
    data_dir: Folder = None
    """Folder with MNIST's four files, or with your own data where they have moved."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    def run(self) -> int:
        """Round, write the new run, and print both accuracies."""
        require_within("bits", Bits, self.bits)
        require_run(self.run_folder)
        from jaxdigits.runs.rounding import rounded_run

        make = lambda run, train, valid: (rounded_run(run, self.bits, train.inputs), {})
        words = "with floats", f"with {self.bits} bits"
        return change_run(self, f"{self.bits}bits", make, words, dict(bits=self.bits))


def change_run(command, mark: str, make, words: tuple[str, str], facts: dict) -> int:
    """Make a run of another, write it with its doubt, and print both accuracies.

    Args:
      command: of the command line, with `run_folder`, `out`, `data_dir` and `json`.
      mark: behind the run's name, for the new folder.
      make: (run, train, valid) -> (the new run, facts of it).
      words: for the two accuracies.
      facts: of the result.
    """
    from jaxdigits.measure import score
    from jaxdigits.runs.answer import predict
    from jaxdigits.runs.folder import create_run, load_run, require_empty, save_params
    from jaxdigits.runs.job import validation_split

    place = command.run_folder
    place = place if place.name not in ("", "..") else place.resolve()
    out = command.out or place.with_name(f"{place.name}-{mark}")
    require_empty(out)
    run = load_run(command.run_folder)
    train, test = run_data(run.config, command.data_dir)
    new, more = make(run, *validation_split(train))
    right = run.config.loss().right
    before = score(predict(run, test.inputs), test.label, right).test_accuracy
    create_run(out, new.config)
    save_params(out, new.params, new.statistics)
    if (metrics := command.run_folder / "metrics.jsonl").is_file():
        shutil.copyfile(metrics, out / metrics.name)
    result = save_tested(out, new, train, test, facts | more | dict(accuracy_before=before))
    say(
        f"test accuracy {percent(before)} {words[0]}, "
        f"{percent(result['test_accuracy'])} {words[1]}, {interval_of(result)}\nrun in {out}",
        json_wanted=command.json,
    )
    if command.json:
        say_json(result)
    return 0


def save_tested(out: Path, run, train, test, facts: dict) -> dict:
    """Write the doubt and the result of a run that nothing trained, and return the result.

    Args:
      train: the training set, whose validation part teaches the doubt.
      facts: of the result.
    """
    from jaxdigits.measure import score
    from jaxdigits.runs.answer import predictor
    from jaxdigits.runs.folder import save_doubt
    from jaxdigits.runs.job import doubt_of, finish_run, validation_split
    from jaxdigits.tree import parameter_count

    config, predict = run.config, predictor(run)
    result = score(predict(test.inputs), test.label, config.loss().right)._asdict() | facts
    result |= dict(parameters=parameter_count(run.params) // config.seeds, run=str(out))
    save_doubt(out, doubt_of(config, predict, validation_split(train)[1]))
    finish_run(out, result)
    return result


def interval_of(result: dict) -> str:
    """Return the words for the 95 % interval of a result."""
    low, high = map(percent, result["test_interval"])
    return f"95 % interval [{low}, {high}] over {result['interval_over']}"
