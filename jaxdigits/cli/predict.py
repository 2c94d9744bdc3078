"""`jaxdigits predict`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from jaxdigits.cli.parser import POSITIONAL, File, Run
from jaxdigits.cli.pictures import answers, listed, write_table
from jaxdigits.cli.report import say, say_json, say_note
from jaxdigits.errors import require_run

Answer = Callable[[Any], np.ndarray]  # (inputs) -> the probability of each digit [10]


@dataclass(frozen=True)
class Predict:
    """Read the digit in each picture: PNG or JPEG, of any size, dark on light or light on dark.

    Print a line for each: its name, the digit, and the probability of each digit.

      $ jaxdigits predict runs/cnn seven.png nine.jpg
      $ jaxdigits predict runs/cnn scans/ --csv scans.csv
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
    """Pictures of one digit each, folders of them, or - for a list of paths on stdin."""
    image: File = None
    """A picture, for a run of multimodal."""
    audio: File = None
    """A recording of the digit, alone or with --image."""
    csv: File = None
    """Write a table to this file instead: file, digit, its probability, error."""
    json: bool = False
    """Print one JSON object per line."""

    def run(self) -> int:
        """Predict, and print a line per picture."""
        require_run(self.run_folder)
        from jaxdigits.runs.folder import load_run
        from jaxdigits.runs.job import predictor

        if self.images and (self.image or self.audio):
            raise ValueError("pictures exclude --image and --audio: pass one or the other")
        if self.csv and not self.images:
            raise ValueError("--csv is for pictures without --image and --audio: pass some")
        if not (self.images or self.image or self.audio):
            raise ValueError("predict needs a picture or a recording, got none")
        run = load_run(self.run_folder)
        self._check_senses(run.config)
        if self.images:
            return self._pictures(run)
        logits_of = predictor(run)
        inputs = _read(self.image, self.audio, run.config)
        answer = lambda x: _softmax(logits_of(x)[:, 0]).mean(0)
        alone = _each_alone(inputs, answer) if self.image and self.audio else {}
        self._show(self.image, self.audio, answer(inputs), alone, run.config)
        return 0

    def _pictures(self, run) -> int:
        """Answer all pictures, in lines or in a table."""
        from jaxdigits.runs.answer import answerer

        code, config = 0, run.config
        rows = answers(listed(self.images), lambda p: _read(p, None, config), answerer(run))
        if self.csv:
            good, bad = write_table(self.csv, rows, config.names)
            say(f"{good} pictures read, {bad} not: {self.csv}", json_wanted=self.json)
            return 1 if bad else 0
        for path, probability, error in rows:
            if probability is None:
                say_note(error)
                code = 1
            else:
                self._show(path, None, probability, {}, config)
        return code

    def _check_senses(self, config) -> None:
        """Raise a ValueError for a file that the network has no sense for."""
        senses = config.options["senses"] if config.hears else ("image",)
        if self.audio and "sound" not in senses:
            raise ValueError(f"{self.run_folder} has no sound: leave out --audio")
        if (self.image or self.images) and "image" not in senses:
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
