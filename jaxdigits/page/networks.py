"""The networks of a page: from the content of a file to an answer, ready for many at once.

    a file -> prepared inputs (`prepare_digit`, `prepare_field`) -> the answers of all that wait

The preparation of a file is apart from the network, so several threads can prepare.  The
functions that answer take a list, and run programs of fixed sizes: nothing compiles again.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import jax
import numpy as np

from jaxdigits.data.catalogue import blank
from jaxdigits.data.field_ink import Field, prepare_field
from jaxdigits.data.ink import to_mnist_geometry
from jaxdigits.data.own import read_as
from jaxdigits.data.picture import read_grey, read_picture
from jaxdigits.data.sound import RATE, fixed_length, read_sound
from jaxdigits.errors import DataError, RunError
from jaxdigits.page.insides import insides_of
from jaxdigits.reader.formats import Format, make_format
from jaxdigits.reader.read import Reading, read_fields, whole_percent
from jaxdigits.runs import Config
from jaxdigits.runs.answer import answerer, frames_of
from jaxdigits.runs.folder import Run, load_run
from jaxdigits.runs.promise import limit_of, page_share, reading_limit

NUMBER, MOST_DIGITS = "digits:1-4", 3  # format of the answer to a sum, and its longest number
# Probability above which an answer to a sum is judged, chosen on validation writers by
# `experiments/sums.py`.
SURE = 0.99
LONGEST = 200  # characters of a format's name

Answer = dict[str, Any]
Batch = Callable[[list], list]  # of prepared inputs -> their answers, in order


class Digits(NamedTuple):
    """A run that reads single digits."""

    name: str
    run: Run
    answer: Batch
    """inputs [1, ...] each -> the probabilities [K] of each"""
    look: Batch
    """inputs [1, ...] each -> its probabilities and insides, as JSON values"""
    share: float | None
    """of wrong answers that the page promises; None without validation data"""


class Strings(NamedTuple):
    """A run that reads rows of digits."""

    name: str
    run: Run
    reader: Callable[[str, float | None], Batch]
    """(format, max_error) -> fields or the errors of their preparation -> readings"""


class Networks(NamedTuple):
    """The runs of a page by name; the first one of each kind reads where none is named."""

    digits: dict[str, Digits]
    strings: dict[str, Strings]


def load_networks(digits: Path, strings: Path, runs: Sequence[Path] = ()) -> Networks:
    """Load the package's two runs, and others beside them.

    Args:
      digits: folder of the run that reads digits if no other is named.
      strings: folder of the run that reads rows of digits if no other is named.
      runs: folders of further runs, of either kind.

    Raises:
      RunError: for a folder that is no run, or a damaged one.
    """
    loaded = Networks({}, {})
    for folder in (digits, strings, *runs):
        run = load_run(folder)
        into: dict[str, Any] = loaded.strings if run.config.reads_fields else loaded.digits
        name = base = "package" if folder in (digits, strings) else _shown(folder)
        number = 2
        while name in into:
            name, number = f"{base}-{number}", number + 1
        into[name] = (_strings if run.config.reads_fields else _digits)(name, run)
    for kind, folder in ((loaded.digits, digits), (loaded.strings, strings)):
        if not kind:
            raise RunError(f"{folder} is a run of the other kind")
    return loaded


def prepare_digit(
    name: str, config: Config, image: BinaryIO | None, sound: BinaryIO | None = None
) -> Any:
    """Return the inputs [1, ...] of a run of that name, from a picture, a recording or both.

    Raises:
      DataError: for a file that cannot be read.
      ValueError: for a sense that the network does not have, or no file.
    """
    senses = tuple(config.features) if config.hears else ("image",)
    for sense, file in (("image", image), ("sound", sound)):
        if file and sense not in senses:
            raise ValueError(f"{name} takes no {sense}: leave it out")
    picture = None
    if image:
        picture = read_as(image, config.own) if config.own else read_picture(image)
        if not config.hears:
            return picture[None]
    if not config.hears or not (image or sound):
        raise ValueError("pass a picture" + (" or a recording" if config.hears else ""))
    inputs = blank(config.features, 1)
    if picture is not None:
        inputs["image"] = picture[None]
    if sound:
        inputs["sound"] = fixed_length(read_sound(sound).wave, RATE)[None]
    return inputs


def prepare_row(image: BinaryIO) -> Field | DataError:
    """Return a prepared row of digits, or the reason that there is none in the picture.

    Raises:
      DataError: for a file that cannot be read.
    """
    return attempt(prepare_field, read_grey(image))


def prepare_number(image: BinaryIO) -> tuple[Field | DataError, np.ndarray | None]:
    """Return a drawn number as a row, and [1, 28, 28] as a lone digit if it can be one.

    Paper on a screen has no lines: a bar or an upright stroke that looks like one is ink.

    Raises:
      DataError: for a file that cannot be read.
    """
    grey = read_grey(image)
    row, digit = (attempt(f, grey, lines=False) for f in (prepare_field, to_mnist_geometry))
    return row, None if isinstance(digit, DataError) else digit[None]


def attempt(prepare: Callable[..., Any], grey: np.ndarray, **options: bool) -> Any:
    """Return a prepared picture, or the DataError of its preparation."""
    try:
        return prepare(grey, **options)
    except DataError as error:
        return error


def decided(network: Digits, probability: np.ndarray, max_error: float | None) -> Answer:
    """Return the answer of a network as JSON values: a class, or "unsure".

    Raises:
      ValueError: for a share that the network cannot promise.
    """
    limit = promised(limit_of, Path(network.name), network.run.doubt, max_error)
    names = network.run.config.names
    shares = dict(zip(names, map(float, probability), strict=True))
    best = max(shares, key=lambda name: shares[name])
    word = best if shares[best] > limit else "unsure"
    return {
        "answer": word,
        "digit": int(word) if word.isascii() and word.isdigit() else None,
        "probability": round(shares[best], 6),
        "probabilities": {name: round(p, 6) for name, p in shares.items()},
    }


def number_of(reading: Reading, names: Sequence[str], probability: np.ndarray | None) -> Answer:
    """Return a handwritten number on which two networks agree, or the reason for none.

    Of a lone digit the probabilities of both are multiplied.  Where the network for rows reads
    several digits, and the other a lone one, the number is as doubtful as the other is sure.

    Args:
      reading: of the network for rows.
      names: of the classes of the network for digits.
      probability: [K] of these classes; None where several pieces stand side by side.
    """
    text, sure = reading.digits, reading.probability
    share = (
        dict(zip(names, map(float, probability), strict=True))
        if probability is not None
        else {}
    )
    ones = {name: p for name, p in share.items() if name.isdigit()}
    refused = None
    if not text:
        refused = reading.refused or "nothing to read"
    elif len(text) > MOST_DIGITS:
        refused = f"more than {MOST_DIGITS} digits"
    elif len(text) > 1:
        lone = max(share, key=lambda name: share[name], default="")
        sure *= 1 - ones.get(lone, 0.0)
    elif not ones:
        refused = "one digit, or several?"
    else:
        text, sure = _lone_digit(ones, dict([(text, sure), *reading.others]))
    if refused is None and sure <= SURE:
        refused = f"doubt: {text} ({whole_percent(sure)})"
    return {"text": text, "probability": round(sure, 6), "refused": refused}


def _lone_digit(ones: dict[str, float], strings: dict[str, float]) -> tuple[str, float]:
    """Return the digit with the largest product of both probabilities, and its share.

    Args:
      ones: by the network for digits.
      strings: the best by the network for rows; the others share the rest.
    """
    rest = max(0.0, 1 - sum(p for string, p in strings.items() if len(string) == 1))
    both = {name: p * strings.get(name, rest / len(ones)) for name, p in ones.items()}
    text = max(both, key=lambda name: both[name])
    return text, both[text] / max(sum(both.values()), 1e-12)


def as_json(reading: Reading) -> Answer:
    """Return a reading as JSON values."""
    others = [{"text": text, "probability": round(p, 6)} for text, p in reading.others]
    return {
        "text": reading.text,
        "digits": reading.digits,
        "probability": round(reading.probability, 6),
        "others": others,
        "spans": [[round(max(x, 0.0), 1) for x in span] for span in reading.spans],
        "refused": reading.refused,
    }


def promised(limit: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function whose error names the option of the command line; name ours."""
    try:
        return limit(*arguments)
    except ValueError as error:
        raise ValueError(str(error).replace("--max-error", "max_error")) from error


@lru_cache(maxsize=64)
def format_of(name: str) -> Format:
    """Return a format by its name.

    Raises:
      ValueError: for an unknown, or a very large one.
    """
    if len(name) > LONGEST:
        raise ValueError(f"format has {len(name)} characters; {LONGEST} are read")
    return make_format(name)


def _shown(folder: Path) -> str:
    """Return a folder's name; bytes that are no text are question marks."""
    return folder.resolve().name.encode("utf-8", "replace").decode()


def _digits(name: str, run: Run) -> Digits:
    read, look = answerer(run), insides_of(run)

    def answer(rows: list) -> list:
        return list(read(jax.tree.map(lambda *a: np.concatenate(a), *rows)))

    share = page_share(run.doubt) if run.doubt else None

    def seen(rows: list) -> list:
        return [(read(row)[0], look(row)) for row in rows]

    return Digits(name, run, answer, seen, share if share and share < 1 else None)


def _strings(name: str, run: Run) -> Strings:
    logits = frames_of(run)

    @lru_cache(maxsize=64)
    def reader(format: str, max_error: float | None) -> Batch:
        kind = format_of(format)
        heat, limit = promised(reading_limit, Path(name), run, kind, max_error)
        return partial(read_fields, logits, format=kind, temperature=heat, limit=limit)

    return Strings(name, run, reader)
