"""`jaxdigits predict`."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from jaxdigits.cli import pictures
from jaxdigits.cli.parser import POSITIONAL, File
from jaxdigits.cli.report import printable, say, say_json, say_note
from jaxdigits.errors import DataError, require_run

Read = Callable[[Any], np.ndarray]  # (inputs) -> the probability of each class [N, K]
BOX = Path(__file__).parent.parent / "box"  # the run that comes with the package
UNSURE, NO_DIGIT = "unsure", "no digit"
NO_ANSWER = 3  # exit code


class Answer(NamedTuple):
    """The answer to a picture."""

    word: str
    """a class, or a reason for none: "no digit", "unsure"."""
    probability: float
    """of the likeliest class"""
    probabilities: dict[str, float]
    """of each class"""

    @property
    def digit(self) -> int | None:
        """The digit, if the answer is one."""
        return int(self.word) if self.word.isascii() and self.word.isdigit() else None


@dataclass(frozen=True)
class Predict:
    """Read the digit in each picture: a photograph or a scan, dark on light or light on dark.

    Print a line for each: its name, the digit, and the probability that the digit is right, in
    whole percent, rounded down.

      $ jaxdigits predict seven.jpg
      $ jaxdigits predict runs/cnn seven.png nine.jpg --max-error 0.01
      $ jaxdigits predict scans/ --csv scans.csv
      $ jaxdigits predict runs/multimodal --image seven.png --audio seven.wav

    Without a run, the small CNN reads that comes with the package. It answers "no digit" to
    a letter, a blot or digits that touch, and refuses digits side by side. A picture holds
    one digit, as PNG, JPEG, WebP, BMP, TIFF or GIF; uneven light, rules, boxes and specks
    are removed. A run of multimodal reads a picture, a recording of the digit (WAV, FLAC or
    OGG), or both. With both, it prints a note if each alone gives another digit. A run of
    several networks answers with the mean of their probabilities.

    A file that cannot be read is named and skipped, with its partner; the exit code is then 1.
    Otherwise it is 3 if an answer is "no digit" or "unsure".
    """

    images: Annotated[tuple[Path, ...], "IMAGE", POSITIONAL] = ()
    """Pictures of one digit each, folders of them, or - for a list of paths on stdin; before
    them, the folder of a run that shall read them."""
    image: File = None
    """A picture, for a run of multimodal."""
    audio: File = None
    """A recording of the digit, alone or with --image."""
    max_error: float | None = None
    """Largest share of wrong answers, as 0.01. The answer is "unsure" below a probability that
    the run learned from its validation data."""
    all: bool = False
    """Print the probability of each class."""
    csv: File = None
    """Write a table to this file instead: file, digit, its probability, error."""
    json: bool = False
    """Print one JSON object per line, with the probability of each class."""

    def run(self) -> int:
        """Predict, and print a line per picture, or write a table."""
        folder, images = self._folder()
        if images and (self.image or self.audio):
            raise ValueError("pictures exclude --image and --audio: pass one or the other")
        if self.csv and not images:
            raise ValueError("--csv is for pictures without --image and --audio: pass some")
        if self.csv and (self.json or self.all):
            raise ValueError("--csv writes a table: leave out --json and --all")
        if not (images or self.image or self.audio):
            raise ValueError("predict needs a picture or a recording, got none")
        from jaxdigits.data.catalogue import WEAKNESS
        from jaxdigits.runs.answer import answerer
        from jaxdigits.runs.folder import load_run
        from jaxdigits.runs.promise import limit_of

        run = load_run(folder)
        if run.config.compares:
            raise ValueError(
                f"{folder} compares signatures: jaxdigits verify REFERENCE --questioned FILE "
                f"--run {folder}"
            )
        if run.config.reads_fields:
            raise ValueError(
                f"{folder} reads rows of digits: jaxdigits read PICTURE --format zip "
                f"--run {folder}"
            )
        self._check_senses(folder, run.config, images)
        limit = limit_of(folder, run.doubt, self.max_error)
        if weakness := WEAKNESS.get(run.config.data):
            say_note(f"{folder} {weakness}")
        read = answerer(run)
        decide = lambda probability: _answer(probability, run.config.names, limit)
        if not images:
            picture = _picture(self.image, run.config.own) if self.image else None
            inputs = _inputs(picture, self.audio, run.config)
            alone = _each_alone(inputs, read) if self.image and self.audio else {}
            return self._show(self.image, self.audio, decide(read(inputs)[0]), alone)
        look = partial(_picture, own=run.config.own)
        inputs_of = lambda picture: _inputs(picture, None, run.config)
        paths = pictures.listed(images)
        pictures.require_new_table(self.csv, paths)
        with closing(pictures.answers(paths, look, inputs_of, read)) as rows:
            return self._answer_all(rows, decide)

    def _answer_all(
        self, rows: Iterable[pictures.Answer], decide: Callable[[np.ndarray], Answer]
    ) -> int:
        """Print a line per picture, or write a table, and return the exit code."""
        code = 0
        if self.csv:
            words: set[str] = set()

            def noted(probability):
                answer = decide(probability)
                words.add(answer.word)
                return answer.word, answer.probability

            good, bad = pictures.write_table(self.csv, rows, noted)
            say(f"{good} pictures read, {bad} not: {self.csv}", json_wanted=self.json)
            return 1 if bad else NO_ANSWER if words & {UNSURE, NO_DIGIT} else 0
        for path, probability, error in rows:
            if probability is None:
                say_note(error)
                code = 1
                if self.json:
                    say_json({"image": str(path), "error": error})
            else:
                shown = self._show(path, None, decide(probability), {})
                code = code or shown
        return code

    def _folder(self) -> tuple[Path, tuple[Path, ...]]:
        """Return the folder of the run, and the pictures.

        Raises:
          DataError: for a first argument that is not there and looks like a folder, or a run
            behind pictures.
        """
        if not self.images:
            return BOX, ()
        first, *others = self.images
        if not (first.exists() or first.suffix or first == Path("-")):
            raise DataError(
                f"{first}: no such file or folder; pass pictures, or a run of `jaxdigits train`"
            )
        for path in others:
            if (path / "config.json").is_file():
                raise DataError(f"{path} is a run: pass it before the pictures")
        # A folder before other files is a run, unless there are pictures in it.
        run = (first / "config.json").is_file() or self.image or self.audio
        if first.is_dir() and (run or (others and not pictures.holds_pictures(first))):
            require_run(first)
            return first, tuple(others)
        return BOX, self.images

    def _check_senses(self, folder: Path, config, images) -> None:
        """Raise a ValueError for a file that the network has no sense for."""
        senses = config.options["senses"] if config.hears else ("image",)
        if self.audio and "sound" not in senses:
            raise ValueError(f"{folder} has no sound: leave out --audio")
        if (self.image or images) and "image" not in senses:
            raise ValueError(f"{folder} has no image: pass --audio alone")

    def _show(
        self, image: Path | None, audio: Path | None, answer: Answer, alone: dict[str, int]
    ) -> int:
        """Print an answer, and return the exit code of one like it."""
        paths = {"image": image, "audio": audio}
        files = {kind: str(path) for kind, path in paths.items() if path}
        code = NO_ANSWER if answer.word in {UNSURE, NO_DIGIT} else 0
        if len(set(alone.values())) > 1:
            each = ", ".join(f"{files[kind]} as {alone[kind]}" for kind in alone)
            say_note(f"each alone gives another digit: {each}")
        if self.json:
            shares = {name: round(p, 6) for name, p in answer.probabilities.items()}
            words = dict(answer=answer.word, digit=answer.digit)
            words |= dict(probability=round(answer.probability, 6), probabilities=shares)
            say_json(files | words | ({"alone": alone} if alone else {}))
            return code
        from jaxdigits.reader.read import whole_percent

        share = whole_percent(answer.probability)
        line = f"{' + '.join(files.values())}: {answer.word}   {share}"
        if self.all:
            pairs = answer.probabilities.items()
            line += "   (" + "  ".join(f"{name}: {p:.3f}" for name, p in pairs) + ")"
        say(printable(line))
        return code


def _answer(probability: np.ndarray, names: tuple[str, ...], limit: float) -> Answer:
    """Return the likeliest class, or "unsure" if its probability does not exceed the limit."""
    shares = dict(zip(names, map(float, probability), strict=True))
    best = max(shares, key=lambda name: shares[name])
    return Answer(best if shares[best] > limit else UNSURE, shares[best], shares)


def _picture(image: Path, own: Any) -> np.ndarray:
    """Return a picture [H, W] as the network learned them; `own` is for one's own data."""
    from jaxdigits.data import read_picture
    from jaxdigits.data.own import read_as

    if image.is_dir():
        raise DataError(f"{image}: no picture in this folder; pass another")
    return read_as(image, own) if own else read_picture(image)


def _inputs(picture: np.ndarray | None, audio: Path | None, config) -> Any:
    """Return the network's inputs: a picture, or a dict of both senses, with zeros for none."""
    from jaxdigits.data import read_sound
    from jaxdigits.data.catalogue import blank
    from jaxdigits.data.sound import RATE, fixed_length

    if picture is not None and not config.hears:
        return picture[None]
    inputs = blank(config.features, 1)
    if picture is not None:
        inputs["image"] = picture[None]
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
    digit = lambda x: int(read(x)[0].argmax())
    return {"image": digit(without("sound")), "audio": digit(without("image"))}
