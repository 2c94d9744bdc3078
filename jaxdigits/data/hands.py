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
from jaxdigits.data.signature import fitted, of_one_pen
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
    """N hands with a name each; taken, they are pictures [B, hands, 2, H, W] uint8."""

    picture: Array | np.ndarray
    """[M, H, W] uint8, ink 255"""
    among: Array | np.ndarray
    """[writers, names, R] int32, the pictures of each; R is that of the most"""
    count: Array | np.ndarray
    """[writers, names] int32, how many different ones these are; 0 where there is none"""
    hand: Array | np.ndarray
    """[N, 2] int32, the writer and the name of each example"""
    hands: int = field(default=HANDS, metadata=dict(static=True))

    @property
    def size(self) -> int:
        return len(self.hand)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) of a picture: a network takes any number of them."""
        return tuple(self.picture.shape[1:])

    def take(self, rows: Array, keys: Array) -> Array:
        """Draw the examples `rows` [B]: the own hand first, then others."""
        among, count = jnp.asarray(self.among), jnp.asarray(self.count)
        picture = jnp.asarray(self.picture)
        writers, names = count.shape
        strangers = self.hands // OTHER_NAME if names > 1 else 0

        def draw(key, hand):
            own, name = hand
            u = jax.random.uniform(jax.random.fold_in(key, 0), (writers,))
            u = jnp.where((jnp.arange(writers) == own) | (count[:, name] < VIEWS), 2 + u, u)
            others = jnp.argsort(u)[: self.hands - 1]
            who = jnp.concatenate([own[None], others])
            v = jax.random.uniform(jax.random.fold_in(key, 1), (3, self.hands))
            shift = 1 + jnp.floor(v[2] * (names - 1)).astype(jnp.int32) if names > 1 else 0
            last = jnp.arange(self.hands) >= self.hands - strangers
            written = jnp.where(last, (name + shift) % names, name)
            written = jnp.where(count[who, written] < VIEWS, name, written)
            total = count[who, written]
            first = jnp.floor(v[0] * total).astype(jnp.int32)
            apart = 1 + jnp.floor(v[1] * (total - 1)).astype(jnp.int32)
            which = jnp.stack([first, (first + apart) % total], 1)
            return picture[among[who[:, None], written[:, None], which]]

        return jax.vmap(draw)(fold_in(keys, DRAWN), jnp.asarray(self.hand)[rows])

    def select(self, rows: Any) -> "Hands":
        """Return some of the examples: a slice, or an array of their numbers."""
        return replace(self, hand=self.hand[rows])


def make_hands(
    picture: np.ndarray, writer: Any, name: Any = None, *, hands: int = HANDS
) -> Dataset:
    """Return the data set of all hands with at least two pictures of a name.

    Args:
      picture: [M, H, W] uint8, as `prepare_signature` returns them.
      writer: [M] who wrote each.
      name: [M] the written name; None: one for each writer, which no other writes.
      hands: of an example; with fewer writers, all of them.

    Raises:
      DataError: for fewer than two writers with two pictures of a name.
    """
    whose = np.unique(np.asarray(writer), return_inverse=True)[1]
    name = (
        np.zeros(len(whose), int) if name is None else np.unique(name, return_inverse=True)[1]
    )
    groups = [
        [np.flatnonzero((whose == w) & (name == n)) for n in range(name.max() + 1)]
        for w in range(whose.max() + 1)
    ]
    count = np.array([[len(rows) for rows in each] for each in groups], np.int32)
    writers = (count >= VIEWS).sum(0)
    if writers.max() < 2:
        raise DataError(
            f"{int(writers.max())} writers have two pictures of a name: add some, as a hand is "
            "learned beside others; there must be two writers with two signatures each"
        )
    most = count.max()
    among = np.stack([
        np.stack([np.resize(rows, most) if len(rows) else np.zeros(most, int) for rows in each])
        for each in groups
    ])  # fmt: skip
    hand = np.argwhere((count >= VIEWS) & (writers >= 2)).astype(np.int32)
    least = int(writers[writers >= 2].min())
    inputs = Hands(picture, among.astype(np.int32), count, hand, min(hands, least))
    return Dataset(inputs, hand[:, 0], int(hand[:, 0].max()) + 1)


def split_hands(data: Dataset, shares: Sequence[float], *, seed: int) -> tuple[Dataset, ...]:
    """Split hands by writers: in proportion to `shares`, but two to each part at least.

    Each part compares its own writers alone.

    Raises:
      DataError: for fewer writers than that.
    """
    inputs: Hands = data.inputs
    writers = np.unique(np.asarray(inputs.hand)[:, 0])
    if len(writers) < 2 * len(shares):
        raise DataError(
            f"{len(writers)} writers are too few for {len(shares)} parts with two each: "
            "add more"
        )
    # NumPy promises the raw stream of PCG64 for good.
    order = writers[np.argsort(np.random.PCG64(seed).random_raw(len(writers)))]
    ends = np.round(np.cumsum(shares) / np.sum(shares) * len(order)).astype(int)
    latest = len(order) - 2 * np.arange(len(shares))[::-1]
    ends = np.clip(ends, 2 * np.arange(1, len(shares) + 1), latest)
    return tuple(_of_writers(data, np.sort(own)) for own in np.split(order, ends[:-1]))


def _of_writers(data: Dataset, own: np.ndarray) -> Dataset:
    """Return the hands of some writers, numbered from 0 on."""
    inputs: Hands = data.inputs
    hand = np.asarray(inputs.hand)
    hand = hand[np.isin(hand[:, 0], own)]
    hand = np.stack([np.searchsorted(own, hand[:, 0]), hand[:, 1]], 1).astype(np.int32)
    part = replace(
        inputs, among=np.asarray(inputs.among)[own], count=np.asarray(inputs.count)[own],
        hand=hand, hands=min(inputs.hands, len(own)),
    )  # fmt: skip
    return Dataset(part, hand[:, 0], len(own))


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
    picture = np.stack([fitted(of_one_pen(cropped(each.astype(float)))) for each in ink])
    train, test = split_hands(make_hands(picture, writer, name), SHARES, seed=SPLIT_SEED)
    return train, test
