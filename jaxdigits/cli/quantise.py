"""`jaxdigits quantise`."""

import shutil
from dataclasses import dataclass
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
    from jaxdigits.runs.folder import (
        create_run,
        load_run,
        require_empty,
        save_doubt,
        save_params,
    )
    from jaxdigits.runs.job import doubt_of, finish_run, predict, predictor, validation_split

    place = command.run_folder.resolve()
    out = command.out or place.with_name(f"{place.name}-{mark}")
    require_empty(out)
    run = load_run(command.run_folder)
    train, test = run_data(run.config, command.data_dir)
    train, valid = validation_split(train)
    new, more = make(run, train, valid)
    right = run.config.loss().right
    before, after = (score(predict(r, test.inputs), test.label, right) for r in (run, new))
    result = after._asdict() | facts | more
    result |= dict(accuracy_before=before.test_accuracy, run=str(out))
    create_run(out, new.config)
    save_params(out, new.params, new.statistics)
    if (metrics := command.run_folder / "metrics.jsonl").is_file():
        shutil.copyfile(metrics, out / metrics.name)
    save_doubt(out, doubt_of(new.config, predictor(new), valid))
    finish_run(out, result)
    low, high = map(percent, after.test_interval)
    say(
        f"test accuracy {percent(before.test_accuracy)} {words[0]}, "
        f"{percent(after.test_accuracy)} {words[1]}, 95 % interval [{low}, {high}] over "
        f"{after.interval_over}\nrun in {out}",
        json_wanted=command.json,
    )
    if command.json:
        say_json(result)
    return 0
