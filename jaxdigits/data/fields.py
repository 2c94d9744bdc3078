"""Fields: rows of digits, written by hands that MNIST has, drawn on the device in each step.

The text of an example is fixed.  Its picture is a function of its key: which of the writer's
digits, and all that `drawing` adds to them.  QMNIST [1] says who wrote each digit of MNIST, so
training, validation and test have different writers.

[1] Yadav & Bottou, NeurIPS 2019, arXiv:1905.10498.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import register_dataclass

from jaxdigits.data.cache import cache_folder, fill, places
from jaxdigits.data.dataset import Dataset
from jaxdigits.data.drawing import draw_digits, draw_field
from jaxdigits.data.drawn_style import Style
from jaxdigits.data.field_ink import ROWS
from jaxdigits.data.idx import read_idx
from jaxdigits.data.inputs import DRAWN
from jaxdigits.data.mnist import mnist
from jaxdigits.keys import fold_in

LONGEST = 12  # digits
WIDTH = 256  # pixels of a field in training
TEXTS = 66_000, 10_000  # fields of the training and of the test set
WEIGHTS = (3, 7, 1) * 3  # of the digits, in the checksum of a routing number
ALONE = 0.7  # share of fields that one hand has written
COMMIT = "94061367ec2e099ea18c553c75727ecf849ddb9b"
SOURCE = f"https://raw.githubusercontent.com/facebookresearch/qmnist/{COMMIT}"
REMEDY = "put it into the folder qmnist_labels of JAXDIGITS_DATA, or run once with a network"
# Rows and SHA-256 of QMNIST's labels of MNIST's training and test file.
WRITERS = {
    "qmnist-train-labels-idx2-int.gz": (
        60_000,
        "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f",
    ),
    "qmnist-test-labels-idx2-int.gz": (
        60_000,
        "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06",
    ),
}


@register_dataclass
@dataclass(frozen=True, eq=False)
class Fields:
    """N rows of digits, drawn whenever they are taken: [B, 32, width] uint8, ink 255."""

    glyph: Array | np.ndarray
    """[M, 28, 28] uint8, single digits"""
    extent: Array | np.ndarray
    """[M, 4] int32, of their ink: first row, end row, first column, end column"""
    among: Array | np.ndarray
    """[hands, 10, R] int32, the glyphs of each hand and digit, some of them more than once"""
    text: Array | np.ndarray
    """[N, L] int32, the digits of each field; −1 behind the last"""
    hand: Array | np.ndarray
    """[N] int32, the hand of each field"""
    alone: Array | np.ndarray
    """[N] bool, whether that hand wrote all of it; otherwise any hand wrote each digit"""
    style: Style = field(default=Style(), metadata=dict(static=True))
    width: int = field(default=WIDTH, metadata=dict(static=True))

    @property
    def size(self) -> int:
        return len(self.text)

    @property
    def shape(self) -> tuple[int, int]:
        return (ROWS, self.width)

    def take(self, rows: Array, keys: Array) -> Array:
        """Draw the fields `rows` [B]: [B, 32, width] uint8."""
        drawn = self._drawn(draw_field, rows, keys)
        return jnp.round(255 * drawn).astype(jnp.uint8)

    def digits_alone(self, rows: Array, keys: Array) -> Array:
        """Draw each digit of the fields that `take` draws: [B, L, 32, width], ink in [0, 1]."""
        return self._drawn(draw_digits, rows, keys)

    def _drawn(self, draw_one: Callable[..., Array], rows: Array, keys: Array) -> Array:
        text, hand, alone = (jnp.asarray(a)[rows] for a in (self.text, self.hand, self.alone))
        among, glyph = jnp.asarray(self.among), jnp.asarray(self.glyph)
        extents = jnp.asarray(self.extent)

        def draw(key, text, hand, alone):
            u = jax.random.uniform(jax.random.fold_in(key, 0), (2, text.shape[0]))
            any_hand = (u[0] * among.shape[0]).astype(jnp.int32)
            which = jnp.where(alone, hand, any_hand)
            sample = (u[1] * among.shape[2]).astype(jnp.int32)
            number = among[which, jnp.maximum(text, 0), sample]
            ink = glyph[number].astype(jnp.float32) / 255
            count = jnp.maximum((text >= 0).sum(), 1)
            return draw_one(jax.random.fold_in(key, 1), ink, text, extents[number], count,
                            self.style, self.width)  # fmt: skip

        return jax.vmap(draw)(fold_in(keys, DRAWN), text, hand, alone)

    def select(self, rows: Any) -> "Fields":
        """Return some of the fields: a slice, or an array of their numbers."""
        return replace(self, text=self.text[rows], hand=self.hand[rows], alone=self.alone[rows])


def fields(
    *,
    texts: tuple[int, int] = TEXTS,
    style: Style = Style(),  # noqa: B008  (immutable)
) -> tuple[Dataset, Dataset]:
    """Return (train, test): rows of 1 to 12 of MNIST's digits, by its two groups of writers.

    Args:
      texts: numbers of fields for training and for the test.
      style: how they look.

    Raises:
      DataError: as `mnist`, or if QMNIST's labels cannot be had.
    """
    sets = zip(mnist(), WRITERS, texts, strict=True)
    train, test = (
        make_fields(digits, writers_of(name, len(digits)), make_texts(count, seed), style=style)
        for seed, (digits, name, count) in enumerate(sets)
    )
    return train, test


def make_fields(
    digits: Dataset,
    writer: np.ndarray,
    text: np.ndarray,
    *,
    style: Style = Style(),  # noqa: B008  (immutable)
    width: int = WIDTH,
) -> Dataset:
    """Return the data set of fields with these texts [N, L], by the writers of single digits.

    A writer who lacks a digit is left out.  Writers take turns, and the share that one hand
    writes alone is 70 %.

    Args:
      digits: single digits [M, 28, 28] uint8.
      writer: [M] who wrote each.

    Raises:
      ValueError: if no writer has all ten digits.
    """
    image, label = np.asarray(digits.inputs.array), np.asarray(digits.label)
    order = np.lexsort((label, writer))
    names, start = np.unique(np.asarray(writer)[order], return_index=True)
    of_writer = np.split(order, start[1:])
    by_digit = [[rows[label[rows] == d] for d in range(10)] for rows in of_writer]
    whole = [rows for rows in by_digit if all(map(len, rows))]
    if not whole:
        raise ValueError(f"none of the {len(names)} writers wrote all ten digits")
    most = max(len(rows) for hand in whole for rows in hand)
    among = np.stack([[np.resize(rows, most) for rows in hand] for hand in whole])
    turns = _turns(len(text), len(whole))
    inputs = Fields(image, _extents(image), among.astype(np.int32), text, *turns, style, width)
    return Dataset(inputs, text, strings=True)


def make_texts(count: int, seed: int, *, longest: int = LONGEST) -> np.ndarray:
    """Return texts [count, longest] int32 of digits, −1 behind the last.

    Long ones are more frequent than short ones.  In a quarter of them digits are repeated,
    in an eighth the last ones are zeros, as in sums.
    """
    rng = np.random.default_rng(seed)
    length = np.ceil(longest * np.sqrt(rng.random(count))).astype(int).clip(1, longest)
    text = rng.integers(0, 10, (count, longest))
    place = np.arange(longest)
    kind = rng.random((count, 1))
    again = (rng.random(text.shape) < 0.4) & (kind < 0.25)
    for i in range(1, longest):
        text[:, i] = np.where(again[:, i], text[:, i - 1], text[:, i])
    zeros = (rng.random((count, 1)) * length[:, None]).astype(int)
    text = np.where((kind > 0.875) & (place >= length[:, None] - zeros), 0, text)
    return np.where(place < length[:, None], text, -1).astype(np.int32)


def with_checksums(data: Dataset, count: int, seed: int = 0) -> Dataset:
    """Return `count` fields of nine digits, by the hands of others, with a checksum.

    The sum of the digits, each times its weight in `WEIGHTS`, is a multiple of 10.
    """
    rng = np.random.default_rng(seed)
    text = rng.integers(0, 10, (count, 9))
    text[:, 8] = -(text[:, :8] @ WEIGHTS[:8]) % 10  # the last weight is 1
    return with_texts(data, text.astype(np.int32))


def with_texts(data: Dataset, text: np.ndarray, style: Style | None = None) -> Dataset:
    """Return fields of other texts [N, L] by the same hands, in the same or another style."""
    inputs = data.inputs
    hand, alone = _turns(len(text), len(inputs.among))
    style = inputs.style if style is None else style
    inputs = replace(inputs, text=text, hand=hand, alone=alone, style=style)
    return Dataset(inputs, text, strings=True)


def _turns(count: int, hands: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hand of each field, and whether that hand writes alone: [count] each."""
    hand = np.arange(count, dtype=np.int32) % hands
    return hand, np.random.default_rng(0).random(count) < ALONE


def by_writers(data: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Split fields by their hands: (others, a share of the hands), each with its own glyphs.

    Raises:
      ValueError: if one of the two has no hand.
    """
    inputs = data.inputs
    hands = len(inputs.among)
    few = round(share * hands)
    if not 0 < few < hands:
        raise ValueError(f"a share of {share} of {hands} hands leaves one part without any")
    # NumPy promises the raw stream of PCG64 for good.
    order = np.argsort(np.random.PCG64(seed).random_raw(hands))
    parts = []
    for own in (np.sort(order[few:]), np.sort(order[:few])):
        number = np.full(hands, -1)
        number[own] = np.arange(len(own))
        rows = np.flatnonzero(number[np.asarray(inputs.hand)] >= 0)
        part = inputs.select(rows)
        hand = number[np.asarray(part.hand)].astype(np.int32)
        part = replace(part, among=np.asarray(inputs.among)[own], hand=hand)
        parts.append(Dataset(part, np.asarray(data.label)[rows], strings=True))
    return parts[0], parts[1]


def writers_of(name: str, count: int) -> np.ndarray:
    """Return who wrote each of the first `count` digits of MNIST's file, by QMNIST's labels.

    Raises:
      DataError: if the file is not there and cannot be downloaded, or is damaged.
    """
    rows, sha256 = WRITERS[name]
    near = [Path(folder, name) for folder in places("qmnist_labels", "mnist", "")]
    path = next((path for path in near if path.is_file()), None)
    if path is None:
        cache = cache_folder("qmnist_labels")
        path = cache / name
        if not path.is_file():
            fill(cache, [name], [f"{SOURCE}/{name}"], sha256=sha256,
                 title="QMNIST's labels", remedy=REMEDY)  # fmt: skip
    return read_idx(path, shape=(rows, 8))[:count, 2]


def _extents(image: np.ndarray) -> np.ndarray:
    """Return first and end row, first and end column [M, 4] int32 of the ink of digits."""
    ink = image > 50
    ends, lines = [], (np.any(ink, axis=2), np.any(ink, axis=1))
    for line in lines:
        ends += [line.argmax(1), line.shape[1] - line[:, ::-1].argmax(1)]
    return np.stack(ends, 1).astype(np.int32)
