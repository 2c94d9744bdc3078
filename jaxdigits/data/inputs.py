"""Inputs of a network: an array of examples, or one kind of inputs for each sense.

Each kind has the members of `Inputs`, so nothing else needs to know how examples are stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import register_dataclass

from jaxdigits.keys import fold_in

DRAWN = 2**32 - 2  # of an example's key; its network folds in small numbers, one a layer


@runtime_checkable
class Inputs(Protocol):
    """N examples, as a pytree of arrays: `Stored`, `Drawn`, `Packed`, `Rows` or `Senses`."""

    @property
    def size(self) -> int:
        """N, the number of examples."""
        ...

    @property
    def shape(self) -> Any:
        """The feature shape of an example, or a dict of them, as a layer's `init` takes it."""
        ...

    def take(self, rows: Array, keys: Array) -> Any:
        """Return the examples `rows` [B], whose keys are [B]: an array [B, ...], or a dict.

        Traceable.  A draw depends on the key of its example alone, not on its batch.
        """
        ...


@register_dataclass
@dataclass(frozen=True, eq=False)
class Stored:
    """Examples as an array; `inputs[:4]` is an array as well."""

    array: Array | np.ndarray
    """[N, ...]"""

    def __getitem__(self, rows: Any) -> Any:
        return self.array[rows]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array)

    @property
    def size(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape[1:]

    def take(self, rows: Array, keys: Array) -> Array:
        return jnp.asarray(self.array)[rows]


@register_dataclass
@dataclass(frozen=True, eq=False)
class Drawn:
    """One of several values for each example, drawn whenever the example is taken.

    For images that are paired with any recording of their digit, the recordings are the values
    and the digits are the groups.
    """

    value: Array | np.ndarray
    """[M, ...]"""
    among: Array | np.ndarray
    """[G, R] int32, the values from which the members of a group draw"""
    group: Array | np.ndarray
    """[N] int32, the group of each example"""

    @property
    def size(self) -> int:
        return len(self.group)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape[1:]

    def take(self, rows: Array, keys: Array) -> Array:
        among = jnp.asarray(self.among)[jnp.asarray(self.group)[rows]]
        pick = lambda key: jax.random.randint(key, (1,), 0, among.shape[1])
        place = jax.vmap(pick)(fold_in(keys, DRAWN))
        return jnp.asarray(self.value)[jnp.take_along_axis(among, place, 1)[:, 0]]

    def select(self, rows: Any) -> "Drawn":
        return replace(self, group=self.group[rows])


@register_dataclass
@dataclass(frozen=True, eq=False)
class Packed:
    """Spikes, 0 or 1, eight to a byte: a batch is unpacked when it is taken."""

    bits: Array | np.ndarray
    """[N, ⌈F/8⌉] uint8, the F spikes of an example, the first one highest"""
    shape: tuple[int, ...] = field(metadata=dict(static=True))
    """feature shape, whose product is F"""

    @property
    def size(self) -> int:
        return len(self.bits)

    def take(self, rows: Array, keys: Array) -> Array:
        bits = jnp.asarray(self.bits)[rows]
        return jnp.unpackbits(bits, axis=1, count=prod(self.shape)).reshape(-1, *self.shape)


@register_dataclass
@dataclass(frozen=True, eq=False)
class Rows:
    """Some of the examples of other inputs, by their numbers: nothing is copied."""

    inputs: Any
    """`Inputs`"""
    rows: Array | np.ndarray
    """[N] int32"""

    @property
    def size(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> Any:
        return self.inputs.shape

    def take(self, rows: Array, keys: Array) -> Any:
        return self.inputs.take(jnp.asarray(self.rows)[rows], keys)

    def select(self, rows: Any) -> "Rows":
        return replace(self, rows=self.rows[rows])


@register_dataclass
@dataclass(frozen=True, eq=False)
class Senses:
    """One kind of inputs for each sense; `inputs["sound"]` is that sense's."""

    senses: dict[str, Inputs]

    def __getitem__(self, name: str) -> Any:
        return self.senses[name]

    @property
    def size(self) -> int:
        sizes = {name: inputs.size for name, inputs in self.senses.items()}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"each sense needs an input of each example, got {sizes}")
        return next(iter(sizes.values()))

    @property
    def shape(self) -> dict[str, Any]:
        return {name: inputs.shape for name, inputs in self.senses.items()}

    def take(self, rows: Array, keys: Array) -> dict[str, Any]:
        # In the order of names, which is that of a dict that comes out of `jax.jit`.
        draw = {name: fold_in(keys, i) for i, name in enumerate(sorted(self.senses))}
        return {name: inputs.take(rows, draw[name]) for name, inputs in self.senses.items()}


def as_inputs(inputs: Any) -> Inputs:
    """Return an array as `Stored`, a dict as `Senses`, and inputs of any kind as they are.

    Raises:
      ValueError: for anything else.
    """
    if isinstance(inputs, Mapping):
        return Senses({name: as_inputs(of_sense) for name, of_sense in inputs.items()})
    # An array has a size, a shape and a function `take` as well.
    if isinstance(inputs, Inputs) and not isinstance(inputs, Array | np.ndarray | np.generic):
        return inputs
    array = inputs if isinstance(inputs, Array) else np.asarray(inputs)
    if not array.ndim or array.dtype == object:
        raise ValueError(
            f"inputs must be an array [N, ...] or a dict of arrays, got {type(inputs).__name__}"
        )
    return Stored(array)


def select(inputs: Any, rows: Any) -> Any:
    """Return the inputs of some examples: a slice, or an array of their numbers."""
    rows_of = lambda x: x.select(rows) if _selects(x) else x[rows]
    return jax.tree.map(rows_of, inputs, is_leaf=_selects)


def partition(inputs: Any, groups: Sequence[np.ndarray], seed: int) -> list[Any]:
    """Return the inputs of disjoint groups of examples, each an array of their numbers.

    Each `Drawn` partitions its values as well, in proportion to the sizes of the groups.

    Raises:
      ValueError: if there are fewer values to draw from than groups.
    """
    sizes = [len(rows) for rows in groups]

    def own(i, x):
        return replace(x, among=_shares(x.among, sizes, seed)[i]) if is_drawn(x) else x

    sets = enumerate(select(inputs, rows) for rows in groups)
    return [jax.tree.map(partial(own, i), x, is_leaf=is_drawn) for i, x in sets]


def _selects(inputs: Any) -> bool:
    """Return whether the inputs select on their own: not all arrays have a row an example."""
    return hasattr(inputs, "select")


def is_drawn(inputs: Any) -> bool:
    """Return whether the inputs are `Drawn`: not all their arrays have one row an example."""
    return isinstance(inputs, Drawn)


def _shares(among: Any, sizes: Sequence[int], seed: int) -> list[np.ndarray]:
    """Return an array [G, R] for each size: the values that its examples draw from.

    Each has at least one value of each group, and the rest in proportion to the sizes.  Where a
    group has fewer values than another, some of them stand there twice.
    """
    generator, shares = np.random.PCG64(seed), [[] for _ in sizes]
    along = np.cumsum(sizes)
    for of_group in np.asarray(among):
        values = np.unique(of_group)
        if len(values) < len(sizes):
            raise ValueError(
                f"{len(values)} values of a group are not enough for {len(sizes)} data sets"
            )
        values = values[np.argsort(generator.random_raw(len(values)))]
        ends = 1 + (len(values) - len(sizes)) * along // along[-1]
        cuts = ends[:-1] + np.arange(len(sizes) - 1)
        for share, own in zip(shares, np.split(values, cuts), strict=True):
            share.append(own)
    widest = [max(map(len, share)) for share in shares]
    return [
        np.stack([np.resize(own, width) for own in share])
        for share, width in zip(shares, widest, strict=True)
    ]
