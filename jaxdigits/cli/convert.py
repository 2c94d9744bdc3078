"""`jaxdigits convert`."""

from dataclasses import dataclass
from typing import Annotated

from jaxdigits.cli.parser import Folder, Run
from jaxdigits.cli.quantise import change_run
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
        from jaxdigits.runs.converting import spiking_run

        def make(run, train, valid):
            new, percentile = spiking_run(run, self.steps, train, valid)
            return new, dict(percentile=percentile)

        words = "with rectifiers", f"with spikes in {self.steps} steps"
        return change_run(self, f"{self.steps}steps", make, words, dict(steps=self.steps))
