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
        from jaxdigits.measure import score
        from jaxdigits.runs.folder import load_run, require_empty
        from jaxdigits.runs.job import predict, validation_split
        from jaxdigits.runs.rounding import rounded_run

        place = self.run_folder.resolve()
        out = self.out or place.with_name(f"{place.name}-{self.bits}bits")
        require_empty(out)
        run = load_run(self.run_folder)
        train, test = run_data(run.config, self.data_dir)
        train, valid = validation_split(train)
        new, right = rounded_run(run, self.bits, train.inputs), run.config.loss().right
        before, after = (score(predict(r, test.inputs), test.label, right) for r in (run, new))
        result = after._asdict() | dict(
            bits=self.bits, accuracy_before=before.test_accuracy, run=str(out)
        )
        write_changed(new, valid, result, out, self.run_folder)
        low, high = map(percent, after.test_interval)
        say(
            f"test accuracy {percent(before.test_accuracy)} with floats, "
            f"{percent(after.test_accuracy)} with {self.bits} bits, 95 % interval "
            f"[{low}, {high}] over {after.interval_over}\nrun in {out}",
            json_wanted=self.json,
        )
        if self.json:
            say_json(result)
        return 0


def write_changed(new, valid, result: dict, out: Path, before: Path) -> None:
    """Write a run that another was changed into, with its doubt, and the history of both."""
    from jaxdigits.runs.folder import create_run, save_doubt, save_params
    from jaxdigits.runs.job import doubt_of, finish_run, predictor

    create_run(out, new.config)
    save_params(out, new.params, new.statistics)
    if (metrics := before / "metrics.jsonl").is_file():
        shutil.copyfile(metrics, out / metrics.name)
    save_doubt(out, doubt_of(new.config, predictor(new), valid))
    finish_run(out, result)
