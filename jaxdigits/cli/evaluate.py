"""`jaxdigits evaluate`, and the options that it shares with `jaxdigits plot`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from jaxdigits.cli.parser import File, Folder, Run
from jaxdigits.cli.report import percent, say, say_json, say_note, table
from jaxdigits.cli.source import data_to_test
from jaxdigits.errors import require_run

PROMISES = (0.01, 0.001)  # shares of wrong answers to rows of digits
Severities = Annotated[tuple[int, ...], "SEVERITY"]


def check_severities(severities: Sequence[int]) -> None:
    """Raise a ValueError for a severity outside 1 to 5."""
    from jaxdigits.measure import SEVERITIES

    for severity in severities:
        if severity not in SEVERITIES:
            raise ValueError(f"--corruptions takes severities from 1 to 5, got {severity}")


@dataclass(frozen=True)
class Evaluate:
    """Test a run: accuracy, a table per class, a confusion matrix, and its doubt.

    The accuracy comes with its 95 % interval: over the test images for one network, over the
    seeds for several. The calibration error is the mean distance between the probability of
    answers and the share of right ones. Two figures show the confusion matrix, and doubt: a
    reliability diagram, and the errors among the surest answers.

      $ jaxdigits evaluate runs/cnn
      $ jaxdigits evaluate runs/cnn --corruptions 1 3 5
      $ jaxdigits evaluate runs/cnn --json > result.json
    """

    run_folder: Run
    """Folder of a run, as `train` printed it."""
    data: Annotated[str | None, "NAME"] = None
    """Data set of the test images, or a folder of your own; by default the data of the
    training."""
    data_dir: Folder = None
    """Folder with MNIST's four files, or with your own data where they have moved."""
    figure: File = None
    """File for a picture of the confusion matrix (.png, .svg or .pdf). Needs the extra `plots`;
    where it is installed, RUN/confusion.png and RUN/doubt.png are the default."""
    corruptions: Severities = ()
    """Test on corrupted images too: nineteen corruptions at each of these severities, from 1
    to 5: noise, blur, geometry, occlusion, intensity."""
    energy: bool = False
    """Count operations too, beside an artificial network of the same shape and weights, and
    estimate the energy of the arithmetic."""
    json: bool = False
    """Print one JSON object on the last line, and everything else on stderr."""

    def run(self) -> int:
        """Evaluate, and print the tables."""
        require_run(self.run_folder)
        from jaxdigits.runs.folder import load_run, read_result

        tell = partial(say, json_wanted=self.json)
        run = load_run(self.run_folder)
        moved = (
            self.data_dir if run.config.own and self.data in (None, run.config.data) else None
        )
        name = str(moved or self.data or run.config.data)
        check_severities(self.corruptions)
        test = data_to_test(run.config, self.data, self.data_dir)
        if read_result(self.run_folder) is None:
            say_note(f"{self.run_folder} has no result yet: this is its best network so far")
        if run.config.compares:
            return self._of_hands(run, name, test, tell)
        if run.config.reads_fields:
            return self._of_fields(run, name, test, tell)
        return self._of_digits(run, name, test, tell)

    def _of_digits(self, run, name: str, test, tell) -> int:
        """Print the accuracy, by class and as a matrix, and what the options ask for."""
        from jaxdigits.measure import (
            calibration_error,
            confusion_matrix,
            per_class,
            probabilities,
            score,
        )
        from jaxdigits.runs.answer import predict

        names = run.config.names
        if self.figure:  # fail now rather than at the end
            self._figure(np.eye(len(names), dtype=int), names)
        counts = None
        if self.energy:  # first: not every network can be counted
            from jaxdigits.cli.operations import count_operations

            counts = count_operations(run, test)
        logits = predict(run, test.inputs)
        scores = score(logits, test.label)
        # All of the run's networks together: each reads each image.
        prediction, label = logits.argmax(-1).ravel(), np.tile(test.label, len(logits))
        confusion = confusion_matrix(label, prediction, len(names))
        low, high = map(percent, scores.test_interval)
        by_class = _by_class(per_class(confusion), names)
        tell(
            f"{name}: accuracy {percent(scores.test_accuracy)}, 95 % interval [{low}, {high}] "
            f"over {scores.interval_over}\n\n{by_class}\n\n{_matrix(confusion, names)}"
        )
        probability = probabilities(logits, run.temperature)
        error = calibration_error(probability, test.label)
        tell(f"\ncalibration error {percent(error)} at temperature {run.temperature:.3f}")
        if len(logits) > 1:
            tell(f"\nthe tables count each image once for each of {len(logits)} networks")
        result = scores._asdict() | dict(
            data=name, confusion=confusion.tolist(), temperature=run.temperature,
            calibration_error=error,
        )  # fmt: skip
        if self.corruptions:
            result["corruptions"] = accuracies = self._corrupted(run, test)
            tell(f"\n{_by_corruption(accuracies)}")
        if counts is not None:
            from jaxdigits.cli.operations import table_of_operations

            result["operations"] = counts
            tell(f"\n{table_of_operations(counts)}")
        if paths := self._draw(confusion, names, probability, test.label):
            tell(f"\nfigure in {' and '.join(map(str, paths))}")
        if self.json:
            say_json(result)
        return 0

    def _of_fields(self, run, name: str, test, tell) -> int:
        """Print how many rows of digits are right, how sure the answers are, and promises."""
        from jaxdigits.measure import measure_promise, reliability, score
        from jaxdigits.reader.confidence import answers_of
        from jaxdigits.reader.formats import digits
        from jaxdigits.runs.answer import predict

        if self.figure or self.corruptions or self.energy:
            raise ValueError(
                "--figure, --corruptions and --energy are for single digits: leave them out"
            )
        logits = predict(run, test.inputs)
        scores = score(logits, test.label, run.config.loss().right)
        longest = digits(1, test.label.shape[1])
        confidence, right = answers_of(logits[0], test.label, longest, run.temperature)
        error = reliability(confidence, right).error
        low, high = map(percent, scores.test_interval)
        tell(
            f"{name}: {percent(scores.test_accuracy)} of the rows right by the best alignment, "
            f"95 % interval [{low}, {high}] over {scores.interval_over}\n"
            f"{percent(float(right.mean()))} by the best string of any length\n"
            f"calibration error {percent(error)} at temperature {run.temperature:.3f}"
        )
        promises = {}
        for most in PROMISES:
            promise = measure_promise(run.doubt, most, confidence, right) if run.doubt else None
            if promise is None:
                tell(f"at most {percent(most)} wrong: more than validation data promise")
                continue
            promises[str(most)] = promise._asdict()
            tell(
                f"at most {percent(most)} wrong: {percent(promise.coverage)} answered, "
                f"{promise.errors} of them wrong, at most {percent(promise.bound)} by a bound "
                "of 95 %"
            )
        if self.json:
            right_share = dict(best_string=float(right.mean()), calibration_error=error)
            say_json(scores._asdict() | right_share | dict(
                data=name, temperature=run.temperature, promises=promises))  # fmt: skip
        return 0

    def _of_hands(self, run, name: str, test, tell) -> int:
        """Print the errors of decisions on signatures, by the number of references."""
        from jaxdigits.runs.answer import predict
        from jaxdigits.runs.verification import load_comparison, measure_decisions

        if self.figure or self.corruptions or self.energy:
            raise ValueError(
                "--figure, --corruptions and --energy are for digits: leave them out"
            )
        rows = measure_decisions(
            partial(predict, run), load_comparison(self.run_folder), test.inputs
        )
        head = ["references", "equal error, same name", "another name", "genuine missed",
                "others passed, same name", "another name", "cannot say"]  # fmt: skip
        share = lambda x: "" if x is None or x != x else percent(x)
        cells = [
            [str(n), *map(share, (equal, other, *errors, unsaid))]
            for n, equal, other, errors, unsaid in rows
        ]
        tell(f"{name}: errors on {test.classes} writers\n\n{table(head, cells)}")
        if self.json:
            each = [row._asdict() | {"errors": row.errors._asdict()} for row in rows]
            say_json(dict(data=name, decisions=each))
        return 0

    def _corrupted(self, run, test) -> dict[str, dict[int, list[float]]]:
        """Return {corruption: {severity: accuracy of each network}}."""
        import jax

        from jaxdigits.measure import robustness
        from jaxdigits.runs.answer import predictor

        rows = robustness(predictor(run), test, jax.random.key(0), severities=self.corruptions)
        return {
            name: {severity: accuracy.tolist() for severity, accuracy in row.items()}
            for name, row in rows.items()
        }

    def _draw(self, confusion, names, probability, label) -> list[Path]:
        """Draw the figures and return their paths; none if that fails without --figure."""
        from jaxdigits.plots import doubt_figure

        if self.figure:
            self._figure(confusion, names).savefig(self.figure, dpi=150)
            return [self.figure]
        paths = [self.run_folder / name for name in ("confusion.png", "doubt.png")]
        try:
            self._figure(confusion, names).savefig(paths[0], dpi=150)
            doubt_figure(probability, label).savefig(paths[1], dpi=150)
        except (ImportError, OSError) as error:
            say(f"\nno figure: {error}", json_wanted=self.json)
            return []
        return paths

    def _figure(self, confusion, names):
        from jaxdigits.plots import confusion_figure

        figure, file = confusion_figure(confusion, names), self.figure
        if file and file.suffix[1:].lower() not in figure.canvas.get_supported_filetypes():
            raise ValueError(f"cannot draw {file}: name it .png, .svg or .pdf")
        if file and not file.parent.is_dir():
            raise ValueError(f"cannot write {file}: there is no folder {file.parent}")
        return figure


def _by_class(columns, names: Sequence[str]) -> str:
    rows = [
        [name, f"{count}", percent(recall), percent(precision)]
        for name, count, recall, precision in zip(names, *columns, strict=True)
    ]
    return table(
        [
            "digit" if "".join(names).isdecimal() else "class",
            "images",
            "recognised",
            "precision",
        ],
        rows,
    )


def _by_corruption(accuracies: dict[str, dict[int, list[float]]]) -> str:
    """Return a table of accuracy by corruption and severity, with the mean over corruptions."""
    severities = list(next(iter(accuracies.values())))
    means = {name: [float(np.mean(row[s])) for s in severities]
             for name, row in accuracies.items()}  # fmt: skip
    means["mean"] = np.mean(list(means.values()), axis=0).tolist()
    head = ["corruption", *(f"severity {s}" for s in severities)]
    return table(head, [[name, *map(percent, row)] for name, row in means.items()])


def _matrix(confusion, names) -> str:
    rows = [
        [name, *(str(n) if n else "." for n in row)]
        for name, row in zip(names, confusion, strict=True)
    ]
    return table(["label \\ taken for", *names], rows)
