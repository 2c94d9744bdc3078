"""`jaxdigits predict`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from tyro.conf import Positional, arg

from jaxdigits.cli.console import say, say_json
from jaxdigits.data import DataError, read_picture, read_sound
from jaxdigits.data.catalogue import FEATURES, blank
from jaxdigits.data.sound import RATE, fixed_length

Answer = Callable[[Any], np.ndarray]  # (given) -> the probability of each digit [10]


@dataclass(frozen=True)
class Predict:
    """Read the digit in each picture: PNG or JPEG, of any size, dark on light or light on dark.

    A line for each: its name, the digit, and the probability of each digit.

      $ jaxdigits predict runs/cnn seven.png nine.jpg
      $ jaxdigits predict runs/multimodal --image seven.png --audio seven.wav

    The paper should be lit evenly, with one digit on it and nothing else. A run of multimodal
    reads a picture, a recording of the digit (WAV, FLAC or OGG), or both; with both it says so
    if one alone would be read as another digit than the other alone.

    A file that cannot be read is named and skipped, with its partner, and the exit code is then
    1. A run of several networks answers with the mean of their probabilities.
    """

    run_folder: Positional[Path]
    """Folder of a run, as `train` printed it."""
    images: Annotated[Positional[tuple[Path, ...]], arg(help_behavior_hint="")] = ()
    """Pictures of one digit each."""
    image: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """A picture, for a network that hears."""
    audio: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """A recording, of the same digit if there is a picture."""
    json: bool = False
    """Print one JSON object per line."""

    def run(self) -> int:
        """Predict, and print a line per picture."""
        from jaxdigits.runs.folder import load_run
        from jaxdigits.runs.job import predictor

        if self.images and (self.image or self.audio):
            raise ValueError("name pictures, or one with --image and --audio, not both")
        asked = [(path, None) for path in self.images]
        if self.image or self.audio:
            asked = [(self.image, self.audio)]
        if not asked:
            raise ValueError("name at least one picture or recording")
        run, failed = load_run(self.run_folder), 0
        self._require_senses(run.config, asked)
        logits_of = predictor(run)
        for image, audio in asked:
            try:
                given = _read(image, audio, run.config)
            except DataError as error:
                print(f"jaxdigits: {error}", file=sys.stderr)
                failed = 1
                continue
            # One at a time: a picture's spikes, and so its answer, do not depend on its place.
            answer = lambda x: _softmax(logits_of(x)[:, 0]).mean(0)
            alone = _each_alone(given, answer) if image and audio else {}
            self._show(image, audio, answer(given), alone)
        return failed

    def _require_senses(self, config, asked) -> None:
        """Raise a ValueError for a file that the network has no sense for."""
        from jaxdigits.runs.config import HEARING

        senses = config.options.get("senses", ("image", "sound"))
        senses = senses if config.network in HEARING else ("image",)
        for image, audio in asked:
            if audio and "sound" not in senses:
                raise ValueError(f"{self.run_folder} only sees: it takes no --audio")
            if image and "image" not in senses:
                raise ValueError(f"{self.run_folder} only hears: it takes --audio alone")

    def _show(
        self,
        image: Path | None,
        audio: Path | None,
        probability: np.ndarray,
        alone: dict[str, int],
    ) -> None:
        digit = int(probability.argmax())
        named = {"image": image, "audio": audio}
        files = {kind: str(path) for kind, path in named.items() if path}
        if len(set(alone.values())) > 1:
            read = ", ".join(f"{files[kind]} as {alone[kind]}" for kind in alone)
            print(f"jaxdigits: alone they are read otherwise: {read}", file=sys.stderr)
        if self.json:
            shares = [round(float(p), 6) for p in probability]
            told = {"alone": alone} if alone else {}
            say_json(files | dict(digit=digit, probabilities=shares) | told)
        else:
            shares = "  ".join(f"{d}: {p:.3f}" for d, p in enumerate(probability))
            say(f"{' + '.join(files.values())}: {digit}   ({shares})")


def _read(image: Path | None, audio: Path | None, config) -> Any:
    """What the network is given: a picture, or both, with nothing in the one that is not."""
    from jaxdigits.runs.config import HEARING

    picture = read_picture(image)[None] if image else None
    if config.network not in HEARING:
        return picture
    given = blank(FEATURES[config.data], 1)
    if picture is not None:
        given["image"] = picture
    if audio:
        recording = read_sound(audio)
        for line in recording.notes:
            print(f"jaxdigits: {audio}: {line}", file=sys.stderr)
        if len(recording.wave) > RATE:
            print(f"jaxdigits: {audio}: over a second, its loudest is heard", file=sys.stderr)
        given["sound"] = fixed_length(recording.wave, RATE)[None]
    return given


def _each_alone(given: dict[str, np.ndarray], answer: Answer) -> dict[str, int]:
    """The digit by the picture without the recording, and by the recording without it."""
    without = lambda sense: given | {sense: np.zeros_like(given[sense])}
    digit = lambda x: int(answer(x).argmax())
    return {"image": digit(without("sound")), "audio": digit(without("image"))}


def _softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(-1, keepdims=True))
    return weight / weight.sum(-1, keepdims=True)
