"""Pairs of signatures, drawn in each step: K hands that wrote one name, each in two pictures.

An example is a hand and a name.  Its pictures and the other hands are functions of its key.
A sixth of the hands, the last ones, write another name, as a forger who does not know it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import register_dataclass

from jaxdigits.data.cache import places
from jaxdigits.data.dataset import Dataset
from jaxdigits.data.ink import cropped
from jaxdigits.data.inputs import DRAWN
from jaxdigits.data.signature import fitted
from jaxdigits.errors import DataError
from jaxdigits.keys import fold_in

FILE = "signatures.npz"
SHARES = 73, 20  # writers for training and for the test
VALIDATION = 60, 13  # of the former, for updates and for choosing the epoch
SPLIT_SEED = 0
HANDS = 32  # of an example
OTHER_NAME = 6  # one hand in 6 writes another name, where there are several
VIEWS = 2  # pictures of each


@register_dataclass
@dataclass(frozen=True, eq=False)
class Hands:
    """Examples of hands, each with a name: pictures [B, hands, 2, H, W] uint8, once taken."""

    picture: Array | np.ndarray
    """[M, H, W] uint8, ink 255"""
    rows: Array | np.ndarray
    """[N, R] int32, the pictures of each hand; R is the number of the most"""
    count: Array | np.ndarray
    """[N] int32, how many different ones these are, 2 at least"""
    who: Array | np.ndarray
    """[N, 2] int32, the writer and the name of each hand"""
    example: Array | np.ndarray
    """[n] int32, the hand of each example; it is compared with all N"""
    hands: int = field(default=HANDS, metadata=dict(static=True))
    strangers: int = field(default=0, metadata=dict(static=True))
    """hands of an example, the last ones, that write another name"""

    @property
    def size(self) -> int:
        return len(self.example)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) of a picture: a network takes any number of them."""
        return tuple(self.picture.shape[1:])

    def take(self, rows: Array, keys: Array) -> Array:
        """Draw the examples `rows` [B]: the own hand first, then others."""
        picture, pictures, count, who, example = map(
            jnp.asarray, (self.picture, self.rows, self.count, self.who, self.example)
        )
        near = self.hands - self.strangers - 1  # that write the same name

        def draw(key, own):
            u = jax.random.uniform(jax.random.fold_in(key, 0), (len(who),))
            u += 4 * (who[:, 0] == who[own, 0])  # never the same writer
            other = who[:, 1] != who[own, 1]
            same, strange = jnp.argsort(u + 2 * other), jnp.argsort(u + 2 * ~other)
            hand = jnp.concatenate([own[None], same[:near], strange[: self.strangers]])
            v = jax.random.uniform(jax.random.fold_in(key, 1), (2, self.hands))
            first = jnp.floor(v[0] * count[hand]).astype(jnp.int32)
            apart = 1 + jnp.floor(v[1] * (count[hand] - 1)).astype(jnp.int32)
            view = jnp.stack([first, (first + apart) % count[hand]], 1)
            return picture[pictures[hand[:, None], view]]

        return jax.vmap(draw)(fold_in(keys, DRAWN), example[rows])

    def select(self, rows: Any) -> "Hands":
        """Return some of the examples: a slice, or an array of their numbers."""
        return replace(self, example=self.example[rows])


def make_hands(
    picture: np.ndarray, writer: Any, name: Any = None, *, hands: int = HANDS
) -> Dataset:
    """Return the data set of all hands with at least two pictures of a name.

    Args:
      picture: [M, H, W] uint8, as `prepare_signature` returns them.
      writer: [M] who wrote each.
      name: [M] the written name; None: one for each writer, which others may write too.
      hands: of an example; with fewer writers of a name, as many as there are.

    Raises:
      DataError: for fewer than two writers with two pictures of a name.
    """
    name = np.zeros(len(writer), int) if name is None else name
    both = np.stack([np.unique(a, return_inverse=True)[1] for a in (writer, name)], 1)
    who, hand = np.unique(both, axis=0, return_inverse=True)
    groups = [np.flatnonzero(hand.ravel() == i) for i in range(len(who))]
    count = np.array([len(rows) for rows in groups], np.int32)
    writers = np.bincount(who[count >= VIEWS, 1], minlength=who[:, 1].max() + 1)
    if writers.max() < 2:
        raise DataError(
            f"{int(writers.max())} writers have two pictures of a name: add some, as a hand is "
            "learned beside others; there must be two writers with two signatures each"
        )
    able = (count >= VIEWS) & (writers >= 2)[who[:, 1]]
    rows = np.stack([np.resize(rows, count.max()) for rows in groups]).astype(np.int32)
    return _dataset(Hands(picture, rows, count, who, np.zeros(0), hands), able)


def _dataset(hands: Hands, able: np.ndarray) -> Dataset:
    """Return the data set of some of the hands [N] bool, which are compared with each other."""
    rows, count, who = (np.asarray(a)[able] for a in (hands.rows, hands.count, hands.who))
    writers, label = np.unique(who[:, 0], return_inverse=True)
    name, writing = np.unique(who[:, 1], return_counts=True)
    most = min(hands.hands, int(writing.min()))
    inputs = replace(
        hands, rows=rows, count=count, who=who.astype(np.int32), hands=most,
        example=np.arange(len(who), dtype=np.int32),
        strangers=most // OTHER_NAME if len(name) > 1 else 0,
    )  # fmt: skip
    return Dataset(inputs, label, len(writers))


def split_hands(data: Dataset, shares: Sequence[float], *, seed: int) -> tuple[Dataset, ...]:
    """Split hands by writers: in proportion to `shares`, but two to each part at least.

    Each part compares its own writers alone.

    Raises:
      DataError: for fewer writers than that.
    """
    who = np.asarray(data.inputs.who)
    writers, parts = np.unique(who[:, 0]), len(shares)
    if len(writers) < 2 * parts:
        raise DataError(
            f"{len(writers)} writers are too few for {parts} parts with two each: add more"
        )
    # NumPy promises the raw stream of PCG64 for good.
    order = writers[np.argsort(np.random.PCG64(seed).random_raw(len(writers)))]
    ends = np.round(np.cumsum(shares) / np.sum(shares) * len(order)).astype(int)
    least = 2 * np.arange(1, parts + 1)
    ends = np.clip(ends, least, len(order) - 2 * np.arange(parts)[::-1])
    return tuple(
        _dataset(data.inputs, np.isin(who[:, 0], own)) for own in np.split(order, ends[:-1])
    )


def signatures() -> tuple[Dataset, Dataset]:
    """Return (train, test): ten names, each written by 73 and by 20 other hands on four media.

    The pictures [1] are for research; nothing of them is in the package, nor downloaded.

    [1] Luo et al., Adv. Intell. Syst. 2023, doi:10.1002/aisy.202300439.

    Raises:
      DataError: without the file `signatures_names/signatures.npz` in JAXDIGITS_DATA.
    """
    path = next((p / FILE for p in places("signatures_names") if (p / FILE).is_file()), None)
    if path is None:
        raise DataError(
            "no signatures: put signatures_names/signatures.npz into JAXDIGITS_DATA, or pass "
            "--data FOLDER with a folder of pictures for each writer"
        )
    with np.load(path, allow_pickle=False) as file:
        ink = np.unpackbits(file["ink"], axis=2)
        writer, name = file["writer"].astype(int), file["name"].astype(int)
    picture = np.stack([fitted(cropped(each.astype(float))) for each in ink])
    train, test = split_hands(make_hands(picture, writer, name), SHARES, seed=SPLIT_SEED)
    return train, test
