"""`jaxdigits evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from jaxdigits.cli.console import percent, say, say_json, say_note, table
from jaxdigits.data import DATASETS, mnist
from jaxdigits.data.catalogue import FEATURES


@dataclass(frozen=True)
class Evaluate:
    """Test a run: accuracy, a table per class, and what is taken for what.

    The accuracy comes with its 95 % interval: over the test images for one network, over the
    seeds for several.

      $ jaxdigits evaluate runs/cnn
      $ jaxdigits evaluate runs/cnn --corruptions 1 3 5
      $ jaxdigits evaluate runs/cnn --json > found.json
    """

    run_folder: Positional[Path]
    """Folder of a run, as `train` printed it."""
    data: Annotated[
        Literal["digits", "mnist", "digits+fsdd", "mnist+fsdd"] | None,
        arg(metavar="NAME", help_behavior_hint="(default: what it was trained on)"),
    ] = None
    """Whose test set: digits or mnist, with +fsdd for a run of multimodal."""
    data_dir: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder with MNIST's four files."""
    figure: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Where to put a picture of the confusion matrix (.png, .svg or .pdf). Needs the extra
    `plots`; where it is installed, RUN/confusion.png is the default."""
    corruptions: Annotated[
        tuple[int, ...], arg(metavar="SEVERITY [SEVERITY ...]", help_behavior_hint="")
    ] = ()
    """Test it on corrupted images too, nineteen corruptions at each of these severities, from 1
    to 5: noise, blur, geometry, occlusion, intensity."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    def run(self) -> int:
        """Evaluate, and print the tables."""
        from jaxdigits.measure import SEVERITIES, confusion_matrix, per_class, score
        from jaxdigits.runs.folder import load_run, read_result
        from jaxdigits.runs.job import predict

        run = load_run(self.run_folder)
        name = self.data or run.config.data
        for severity in self.corruptions:
            if severity not in SEVERITIES:
                raise ValueError(f"--corruptions takes severities from 1 to 5, got {severity}")
        if isinstance(FEATURES[name], dict) != isinstance(FEATURES[run.config.data], dict):
            trained = f"{self.run_folder} was trained on {run.config.data}"
            raise ValueError(f"{trained}, and {name} is of other senses")
        if self.data_dir is not None and name != "mnist":
            raise ValueError("--data-dir is for --data mnist")
        if read_result(self.run_folder) is None:
            say_note(f"{self.run_folder} has no result yet: this is its best network so far")
        if self.figure:
            self._figure(np.eye(10, dtype=int))  # what cannot be drawn had better fail now
        _, test = mnist(self.data_dir) if name == "mnist" else DATASETS[name]()
        logits = predict(run, test.inputs)
        result = score(logits, test.label)
        # All of the run's networks together: each judges each image.
        prediction, label = logits.argmax(-1).ravel(), np.tile(test.label, len(logits))
        confusion = confusion_matrix(label, prediction)
        low, high = result.test_interval
        line = f"{name}: accuracy {percent(result.test_accuracy)}, 95 % interval "
        line += f"[{percent(low)}, {percent(high)}] over {result.interval_over}"
        say(f"{line}\n\n{_by_class(per_class(confusion))}\n\n{_matrix(confusion)}",
            json_wanted=self.json)  # fmt: skip
        if len(logits) > 1:
            say(f"\nthe tables count each image once for each of {len(logits)} networks",
                json_wanted=self.json)  # fmt: skip
        found = result._asdict() | dict(data=name, confusion=confusion.tolist())
        if self.corruptions:
            found["corruptions"] = worse = self._corrupted(run, test)
            say(f"\n{_by_corruption(worse)}", json_wanted=self.json)
        if path := self._draw(confusion):
            say(f"\nfigure in {path}", json_wanted=self.json)
        if self.json:
            say_json(found)
        return 0

    def _corrupted(self, run, test) -> dict[str, dict[int, list[float]]]:
        """{corruption: {severity: accuracy of each network}}"""
        import jax

        from jaxdigits.measure import robustness
        from jaxdigits.runs.job import predictor

        found = robustness(predictor(run), test, jax.random.key(0), severities=self.corruptions)
        return {
            name: {severity: accuracy.tolist() for severity, accuracy in row.items()}
            for name, row in found.items()
        }

    def _draw(self, confusion) -> Path | None:
        """Where the figure is; if nobody asked for one, there may be none."""
        path = self.figure or self.run_folder / "confusion.png"
        try:
            self._figure(confusion).savefig(path, dpi=150)
        except (ImportError, OSError) as error:
            if self.figure:
                raise
            say(f"\nno figure: {error}", json_wanted=self.json)
            return None
        return path

    def _figure(self, confusion):
        from jaxdigits.plots import confusion_figure

        figure, file = confusion_figure(confusion), self.figure
        if file and file.suffix[1:].lower() not in figure.canvas.get_supported_filetypes():
            raise ValueError(f"cannot draw {file}: name it .png, .svg or .pdf")
        if file and not file.parent.is_dir():
            raise ValueError(f"cannot write {file}: there is no folder {file.parent}")
        return figure


def _by_class(of) -> str:
    rows = [
        [str(digit), f"{count}", percent(recall), percent(precision)]
        for digit, (count, recall, precision) in enumerate(zip(*of, strict=True))
    ]
    return table(["digit", "images", "recognised", "precision"], rows)


def _by_corruption(found: dict[str, dict[int, list[float]]]) -> str:
    """Accuracy under each corruption and severity, and its mean over the corruptions."""
    severities = list(next(iter(found.values())))
    means = {name: [float(np.mean(row[s])) for s in severities] for name, row in found.items()}
    means["mean"] = np.mean(list(means.values()), axis=0).tolist()
    head = ["corruption", *(f"severity {s}" for s in severities)]
    return table(head, [[name, *map(percent, row)] for name, row in means.items()])


def _matrix(confusion) -> str:
    digits = [str(d) for d in range(len(confusion))]
    rows = [
        [d, *(str(n) if n else "." for n in row)]
        for d, row in zip(digits, confusion, strict=True)
    ]
    return table(["label \\ taken for", *digits], rows)
