"""`jaxdigits predict`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from jaxdigits.cli.parser import POSITIONAL, File, Run
from jaxdigits.cli.report import say, say_json, say_note
from jaxdigits.errors import DataError, require_run

Answer = Callable[[Any], np.ndarray]  # (inputs) -> the probability of each digit [10]


@dataclass(frozen=True)
class Predict:
    """Read the digit in each picture: PNG or JPEG, of any size, dark on light or light on dark.

    Print a line for each: its name, the digit, and the probability of each digit.

      $ jaxdigits predict runs/cnn seven.png nine.jpg
      $ jaxdigits predict runs/multimodal --image seven.png --audio seven.wav

    The paper should be lit evenly, with one digit on it and nothing else. A run of multimodal
    reads a picture, a recording of the digit (WAV, FLAC or OGG), or both. With both, it prints
    a note if each alone gives another digit.

    A file that cannot be read is named and skipped, with its partner; the exit code is then 1.
    A run of several networks answers with the mean of their probabilities.
    """

    run_folder: Run
    """Folder of a run, as `train` printed it."""
    images: Annotated[tuple[Path, ...], "IMAGE", POSITIONAL] = ()
    """Pictures of one digit each."""
    image: File = None
    """A picture, for a run of multimodal."""
    audio: File = None
    """A recording of the digit, alone or with --image."""
    json: bool = False
    """Print one JSON object per line."""

    def run(self) -> int:
        """Predict, and print a line per picture."""
        require_run(self.run_folder)
        from jaxdigits.runs.folder import load_run
        from jaxdigits.runs.job import predictor

        if self.images and (self.image or self.audio):
            raise ValueError("pictures exclude --image and --audio: pass one or the other")
        pairs = [(path, None) for path in self.images]
        if self.image or self.audio:
            pairs = [(self.image, self.audio)]
        if not pairs:
            raise ValueError("predict needs a picture or a recording, got none")
        run, code = load_run(self.run_folder), 0
        self._check_senses(run.config, pairs)
        logits_of = predictor(run)
        for image, audio in pairs:
            try:
                inputs = _read(image, audio, run.config)
            except DataError as error:
                say_note(str(error))
                code = 1
                continue
            # One at a time: a picture's spikes, and so its answer, do not depend on its place.
            answer = lambda x: _softmax(logits_of(x)[:, 0]).mean(0)
            alone = _each_alone(inputs, answer) if image and audio else {}
            self._show(image, audio, answer(inputs), alone, run.config)
        return code

    def _check_senses(self, config, pairs) -> None:
        """Raise a ValueError for a file that the network has no sense for."""
        senses = config.options["senses"] if config.hears else ("image",)
        for image, audio in pairs:
            if audio and "sound" not in senses:
                raise ValueError(f"{self.run_folder} has no sound: leave out --audio")
            if image and "image" not in senses:
                raise ValueError(f"{self.run_folder} has no image: pass --audio alone")

    def _show(
        self,
        image: Path | None,
        audio: Path | None,
        probability: np.ndarray,
        alone: dict[str, int],
        config,
    ) -> None:
        digit = int(probability.argmax())
        paths = {"image": image, "audio": audio}
        files = {kind: str(path) for kind, path in paths.items() if path}
        if len(set(alone.values())) > 1:
            each = ", ".join(f"{files[kind]} as {alone[kind]}" for kind in alone)
            say_note(f"each alone gives another digit: {each}")
        if self.json:
            shares = [round(float(p), 6) for p in probability]
            both: dict[str, Any] = {"alone": alone} if alone else {}
            both |= {"class": config.names[digit]} if config.own else {}
            say_json(files | dict(digit=digit, probabilities=shares) | both)
        else:
            pairs = zip(config.names, probability, strict=True)
            shares = "  ".join(f"{name}: {p:.3f}" for name, p in pairs)
            say(f"{' + '.join(files.values())}: {config.names[digit]}   ({shares})")


def _read(image: Path | None, audio: Path | None, config) -> Any:
    """Return the network's inputs: a picture, or a dict of both senses, with zeros for none."""
    from jaxdigits.data import read_picture, read_sound
    from jaxdigits.data.catalogue import blank
    from jaxdigits.data.own import read_as
    from jaxdigits.data.sound import RATE, fixed_length

    read = partial(read_as, own=config.own) if config.own else read_picture
    picture = read(image)[None] if image else None
    if not config.hears:
        return picture
    inputs = blank(config.features, 1)
    if picture is not None:
        inputs["image"] = picture
    if audio:
        recording = read_sound(audio)
        for line in recording.notes:
            say_note(f"{audio}: {line}")
        if len(recording.wave) > RATE:
            say_note(f"{audio}: over a second long; the loudest second is used")
        inputs["sound"] = fixed_length(recording.wave, RATE)[None]
    return inputs


def _each_alone(inputs: dict[str, np.ndarray], answer: Answer) -> dict[str, int]:
    """Return the digits by the picture alone and by the recording alone."""
    without = lambda sense: inputs | {sense: np.zeros_like(inputs[sense])}
    digit = lambda x: int(answer(x).argmax())
    return {"image": digit(without("sound")), "audio": digit(without("image"))}


def _softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(-1, keepdims=True))
    return weight / weight.sum(-1, keepdims=True)
