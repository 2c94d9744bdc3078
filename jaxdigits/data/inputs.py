"""What a network is shown: an array of examples, or one of each of its senses.

Whatever it is, `take` gets a batch of it by number, inside a compiled step.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.keys import fold_in

DRAWN = 2**32 - 2  # of an example's key; its network folds in small numbers, one a layer


class Drawn(NamedTuple):
    """One of several values for each example, drawn whenever the example is taken.

    An image that is heard with any recording of its digit has the recordings for values, and
    the digits for groups.
    """

    value: Array | np.ndarray
    """[M, ...]"""
    among: Array | np.ndarray
    """[G, R] int32, which values the members of a group have to draw from"""
    group: Array | np.ndarray
    """[N] int32, the group of each example"""


class Packed(NamedTuple):
    """Spikes, 0 or 1, of which eight lie in a byte: a batch is unpacked when it is taken."""

    bits: Array | np.ndarray
    """[N, ⌈F/8⌉] uint8, of the F spikes of an example, the first one highest"""
    blank: Array | np.ndarray
    """[0, ...] uint8, no example: for its shape, of which F is the product"""


Inputs = Any
"""[N, ...] an array, a `Drawn`, a `Packed`, or a dict of them, one of each sense"""


def take(inputs: Inputs, rows: Array, keys: Array) -> Any:
    """The inputs of the examples `rows` [B], whose keys are [B]: an array [B, ...], or a dict.

    What is drawn depends on an example's key alone, not on its batch.
    """
    if isinstance(inputs, Drawn):
        among = jnp.asarray(inputs.among)[jnp.asarray(inputs.group)[rows]]
        pick = lambda key: jax.random.randint(key, (1,), 0, among.shape[1])
        place = jax.vmap(pick)(fold_in(keys, DRAWN))
        return jnp.asarray(inputs.value)[jnp.take_along_axis(among, place, 1)[:, 0]]
    if isinstance(inputs, Packed):
        bits, shape = jnp.asarray(inputs.bits)[rows], inputs.blank.shape[1:]
        return jnp.unpackbits(bits, axis=1, count=prod(shape)).reshape(-1, *shape)
    if isinstance(inputs, Mapping):
        # In the order of names, which is that of a dict that comes out of `jax.jit`.
        draw = {name: fold_in(keys, i) for i, name in enumerate(sorted(inputs))}
        return {name: take(of_sense, rows, draw[name]) for name, of_sense in inputs.items()}
    return jnp.asarray(inputs)[rows]


def count(inputs: Inputs) -> int:
    """N, the number of examples.

    Raises:
      ValueError: for senses that differ in it.
    """
    if isinstance(inputs, Drawn):
        return len(inputs.group)
    if isinstance(inputs, Packed):
        return len(inputs.bits)
    if not isinstance(inputs, Mapping):
        return len(inputs)
    counts = {name: count(of_sense) for name, of_sense in inputs.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"each sense needs an input of each example, got {counts}")
    return next(iter(counts.values()))


def features(inputs: Inputs) -> Any:
    """The feature shape of an example, or a dict of them, as a layer's `init` takes it."""
    if isinstance(inputs, Drawn):
        return inputs.value.shape[1:]
    if isinstance(inputs, Packed):
        return inputs.blank.shape[1:]
    if isinstance(inputs, Mapping):
        return {name: features(of_sense) for name, of_sense in inputs.items()}
    return inputs.shape[1:]


def parted(inputs: Inputs, parts: Sequence[np.ndarray], seed: int) -> list[Inputs]:
    """The inputs of disjoint `parts`, arrays of example numbers.

    What they draw from is parted too, each group's values in proportion to the sizes of the
    parts: no part draws what another may, unless groups share values.

    Raises:
      ValueError: for a `Drawn` with fewer values for a group than there are parts.
    """
    if isinstance(inputs, Drawn):
        among = _shared_out(np.asarray(inputs.among), [len(rows) for rows in parts], seed)
        return [
            Drawn(inputs.value, of_part, inputs.group[rows])
            for rows, of_part in zip(parts, among, strict=True)
        ]
    if isinstance(inputs, Packed):
        return [Packed(inputs.bits[rows], inputs.blank) for rows in parts]
    if isinstance(inputs, Mapping):
        senses = {name: parted(of_sense, parts, seed) for name, of_sense in inputs.items()}
        return [{name: senses[name][i] for name in senses} for i in range(len(parts))]
    return [inputs[rows] for rows in parts]


def _shared_out(among: np.ndarray, sizes: Sequence[int], seed: int) -> list[np.ndarray]:
    """[G, Rₚ] for each part: of each group's values those that are the part's own.

    At least one, and the rest by the sizes of the parts.  A group with fewer values than others
    has some of them twice.
    """
    generator, parts = np.random.PCG64(seed), [[] for _ in sizes]
    along = np.cumsum(sizes)
    for of_group in among:
        values = np.unique(of_group)
        if len(values) < len(sizes):
            raise ValueError(
                f"{len(values)} values of a group are not enough for {len(sizes)} parts"
            )
        values = values[np.argsort(generator.random_raw(len(values)))]
        share = 1 + (len(values) - len(sizes)) * along // along[-1]
        cuts = share[:-1] + np.arange(len(sizes) - 1)
        for part, own in zip(parts, np.split(values, cuts), strict=True):
            part.append(own)
    return [np.stack([np.resize(own, max(map(len, part))) for own in part]) for part in parts]
