"""`jaxdigits predict`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from jaxdigits.cli.parser import POSITIONAL, File
from jaxdigits.cli.report import say, say_json, say_note
from jaxdigits.errors import DataError, require_run
from jaxdigits.options import Bounds, require_within

Read = Callable[[Any], np.ndarray]  # (inputs) -> the probability of each class [K]
BOX = Path(__file__).parent.parent / "box"  # the run that comes with the package
NO_DIGIT_CODE = 3
UNSURE = "unsure"
Share = Annotated[float | None, Bounds(0, 1)]


class Answer(NamedTuple):
    """The answer to a picture."""

    word: str
    """a digit, or a reason for none: "no digit", "unsure"."""
    probability: float
    """of the likeliest class"""
    probabilities: dict[str, float]
    """of each class"""

    @property
    def digit(self) -> int | None:
        """The digit, if the answer is one."""
        return int(self.word) if self.word.isdigit() else None


@dataclass(frozen=True)
class Predict:
    """Read the digit in each picture: a photograph or a scan, dark on light or light on dark.

    Print a line for each: its name, the digit, and the probability that the digit is right.

      $ jaxdigits predict seven.jpg
      $ jaxdigits predict runs/cnn seven.png nine.jpg --max-error 0.01
      $ jaxdigits predict runs/multimodal --image seven.png --audio seven.wav

    Without a run, the small CNN reads that comes with the package. It answers "no digit" to a
    letter, a blot or several digits. A picture holds one digit, as PNG, JPEG, WebP, BMP, TIFF
    or GIF; uneven light, rules, boxes and specks are removed. A run of multimodal reads a
    picture, a recording of the digit (WAV, FLAC or OGG), or both. With both, it prints a note
    if each alone gives another digit. A run of several networks answers with the mean of their
    probabilities.

    A file that cannot be read is named and skipped, with its partner; the exit code is then 1.
    Otherwise it is 3 if an answer is "no digit" or "unsure".
    """

    images: Annotated[tuple[Path, ...], "IMAGE", POSITIONAL] = ()
    """Pictures of one digit each; before them, the folder of a run that shall read them."""
    image: File = None
    """A picture, for a run of multimodal."""
    audio: File = None
    """A recording of the digit, alone or with --image."""
    max_error: Share = None
    """Largest share of wrong answers, as 0.01. The answer is "unsure" below a probability that
    the run learned from its validation data."""
    all: bool = False
    """Print the probability of each class."""
    json: bool = False
    """Print one JSON object per line, with the probability of each class."""

    def run(self) -> int:
        """Predict, and print a line per picture."""
        folder, images = self._folder()
        if images and (self.image or self.audio):
            raise ValueError("pictures exclude --image and --audio: pass one or the other")
        pairs = [(path, None) for path in images]
        if self.image or self.audio:
            pairs = [(self.image, self.audio)]
        if not pairs:
            raise ValueError("predict needs a picture or a recording, got none")
        from jaxdigits.data.catalogue import WEAKNESS
        from jaxdigits.measure import probabilities
        from jaxdigits.runs.folder import load_run
        from jaxdigits.runs.job import predictor

        run, code = load_run(folder), 0
        _check_senses(folder, run.config, pairs)
        limit = self._limit(folder, run.doubt)
        if weakness := WEAKNESS.get(run.config.data):
            say_note(f"{folder} {weakness}")
        logits_of, names = predictor(run), run.config.class_names
        temperature = run.doubt.temperature if run.doubt else 1.0
        # One at a time: a picture's spikes, and so its answer, do not depend on its place.
        read = lambda inputs: probabilities(logits_of(inputs), temperature)[0]
        for image, audio in pairs:
            try:
                inputs = _read(image, audio, run.config)
            except DataError as error:
                say_note(str(error))
                code = 1
                continue
            alone = _each_alone(inputs, read) if image and audio else {}
            answer = _answer(read(inputs), names, limit)
            self._show(image, audio, answer, alone)
            if answer.digit is None:
                code = code or NO_DIGIT_CODE
        return code

    def _folder(self) -> tuple[Path, tuple[Path, ...]]:
        """Return the folder of the run, and the pictures.

        Raises:
          RunError: for a first argument that is no file and no run.
        """
        if not self.images:
            return BOX, ()
        first, *others = self.images
        if first.is_dir() or not (first.suffix or first.exists()):
            require_run(first)
            return first, tuple(others)
        return BOX, self.images

    def _limit(self, folder: Path, doubt) -> float:
        """Return the probability that an answer has to exceed.

        Raises:
          ValueError: for a share out of bounds, or one that the run cannot promise.
        """
        from jaxdigits.measure import error_bounds, threshold

        if self.max_error is None:
            return 0.0
        require_within("max_error", Share, self.max_error)
        if doubt is None:
            raise ValueError(
                f"--max-error needs {folder}/doubt.json, which `jaxdigits train` writes at "
                "its end: train the run to its end, or leave out --max-error"
            )
        limit = threshold(doubt, self.max_error)
        if limit is None:
            raise ValueError(
                f"--max-error is {self.max_error}, but the validation data of {folder} promise "
                f"no less than {min(error_bounds(doubt)):.2g}"
            )
        return limit

    def _show(
        self, image: Path | None, audio: Path | None, answer: Answer, alone: dict[str, int]
    ) -> None:
        paths = {"image": image, "audio": audio}
        files = {kind: str(path) for kind, path in paths.items() if path}
        if len(set(alone.values())) > 1:
            each = ", ".join(f"{files[kind]} as {alone[kind]}" for kind in alone)
            say_note(f"each alone gives another digit: {each}")
        if self.json:
            shares = {name: round(p, 6) for name, p in answer.probabilities.items()}
            words = dict(answer=answer.word, digit=answer.digit)
            words |= dict(probability=round(answer.probability, 6), probabilities=shares)
            say_json(files | words | ({"alone": alone} if alone else {}))
            return
        line = f"{' + '.join(files.values())}: {answer.word}   {_whole(answer.probability)}"
        if self.all:
            pairs = answer.probabilities.items()
            line += "   (" + "  ".join(f"{name}: {p:.3f}" for name, p in pairs) + ")"
        say(line)


def _check_senses(folder: Path, config, pairs) -> None:
    """Raise a ValueError for a file that the network has no sense for."""
    senses = config.options["senses"] if config.hears else ("image",)
    for image, audio in pairs:
        if audio and "sound" not in senses:
            raise ValueError(f"{folder} has no sound: leave out --audio")
        if image and "image" not in senses:
            raise ValueError(f"{folder} has no image: pass --audio alone")


def _answer(probability: np.ndarray, names: tuple[str, ...], limit: float) -> Answer:
    """Return the likeliest class, or "unsure" if its probability does not exceed the limit."""
    shares = dict(zip(names, map(float, probability), strict=True))
    best = max(shares, key=lambda name: shares[name])
    return Answer(best if shares[best] > limit else UNSURE, shares[best], shares)


def _whole(share: float) -> str:
    """Return a share in whole percent, rounded down."""
    return f"{int(100 * share)} %"


def _read(image: Path | None, audio: Path | None, config) -> Any:
    """Return the network's inputs: a picture, or a dict of both senses, with zeros for none."""
    from jaxdigits.data import read_picture, read_sound
    from jaxdigits.data.catalogue import FEATURES, blank
    from jaxdigits.data.sound import RATE, fixed_length

    picture = read_picture(image)[None] if image else None
    if not config.hears:
        return picture
    inputs = blank(FEATURES[config.data], 1)
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


def _each_alone(inputs: dict[str, np.ndarray], read: Read) -> dict[str, int]:
    """Return the digits by the picture alone and by the recording alone."""
    without = lambda sense: inputs | {sense: np.zeros_like(inputs[sense])}
    digit = lambda x: int(read(x).argmax())
    return {"image": digit(without("sound")), "audio": digit(without("image"))}
