"""`jaxdigits convert`."""

from dataclasses import dataclass
from typing import Annotated

from jaxdigits.cli.parser import Folder, Run
from jaxdigits.cli.quantise import write_changed
from jaxdigits.cli.report import percent, say, say_json
from jaxdigits.cli.source import run_data
from jaxdigits.errors import require_run
from jaxdigits.options import Bounds, require_within

Steps = Annotated[int, Bounds(1, 1000)]


@dataclass(frozen=True)
class Convert:
    """Write a run of rectifiers as spikes, without training, and compare its accuracy.

    Integrate-and-fire neurons take the rectifiers' places, and batch norms are folded into the
    weights. Validation images choose the percentile of activations that is a neuron's unit.
    The new folder is a run as any other.

      $ jaxdigits train cnn --data mnist --pool average --out runs/cnn
      $ jaxdigits convert runs/cnn --steps 16

    Max pooling, layer norm and other activations than relu have no spiking form.
    """

    run_folder: Run
    """Folder of a run of mlp or cnn, as `train` printed it."""
    steps: Steps = 16
    """Time steps."""
    out: Folder = None
    """Folder of the new run; by default RUN with the number of steps behind its name."""
    data_dir: Folder = None
    """Folder with MNIST's four files, or with your own data where they have moved."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    def run(self) -> int:
        """Convert, write the new run, and print both accuracies."""
        require_within("steps", Steps, self.steps)
        require_run(self.run_folder)
        from jaxdigits.measure import score
        from jaxdigits.runs.converting import spiking_run
        from jaxdigits.runs.folder import load_run, require_empty
        from jaxdigits.runs.job import predict, validation_split

        place = self.run_folder.resolve()
        out = self.out or place.with_name(f"{place.name}-{self.steps}steps")
        require_empty(out)
        run = load_run(self.run_folder)
        train, test = run_data(run.config, self.data_dir)
        train, valid = validation_split(train)
        new, percentile = spiking_run(run, self.steps, train, valid)
        before, after = (score(predict(r, test.inputs), test.label) for r in (run, new))
        result = after._asdict() | dict(
            steps=self.steps, percentile=percentile, accuracy_before=before.test_accuracy,
            run=str(out),
        )  # fmt: skip
        write_changed(new, valid, result, out, self.run_folder)
        low, high = map(percent, after.test_interval)
        say(
            f"test accuracy {percent(before.test_accuracy)} with rectifiers, "
            f"{percent(after.test_accuracy)} with spikes in {self.steps} steps, 95 % interval "
            f"[{low}, {high}] over {after.interval_over}\nrun in {out}",
            json_wanted=self.json,
        )
        if self.json:
            say_json(result)
        return 0
