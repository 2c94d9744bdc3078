"""`jaxdigits predict`."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from jaxdigits.cli.console import say, say_json
from jaxdigits.data import DataError, read_picture


@dataclass(frozen=True)
class Predict:
    """Read the digit in each picture: PNG or JPEG, of any size, dark on light or light on dark.

    The paper should be lit evenly, with one digit on it and nothing else.

    A picture that cannot be read is named and skipped, and the exit code is then 1. A run of
    several networks answers with the mean of their probabilities.
    """

    run_folder: Positional[Path]
    """Folder of a run, as `train` printed it."""
    images: Positional[tuple[Path, ...]]
    """Pictures of one digit each."""
    json: bool = False
    """Print one JSON object per picture."""

    def run(self) -> int:
        """Predict, and print a line per picture."""
        from jaxdigits.train.job import predictor
        from jaxdigits.train.run import load_run

        if not self.images:
            raise ValueError("name at least one picture")
        logits_of, failed = predictor(load_run(self.run_folder)), 0
        for path in self.images:
            try:
                picture = read_picture(path)
            except DataError as error:
                print(f"jaxdigits: {error}", file=sys.stderr)
                failed = 1
                continue
            # One at a time: a picture's spikes, and so its answer, do not depend on its place.
            self._show(path, _softmax(logits_of(picture[None])[:, 0]).mean(0))
        return failed

    def _show(self, path: Path, probability: np.ndarray) -> None:
        digit = int(probability.argmax())
        if self.json:
            shares = [round(float(p), 6) for p in probability]
            say_json(dict(image=str(path), digit=digit, probabilities=shares))
        else:
            shares = "  ".join(f"{d}: {p:.3f}" for d, p in enumerate(probability))
            say(f"{path}: {digit}   ({shares})")


def _softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(-1, keepdims=True))
    return weight / weight.sum(-1, keepdims=True)
