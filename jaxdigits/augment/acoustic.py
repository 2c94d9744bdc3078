"""Acoustic augmentation: another moment, another pace, another loudness, another room.

Those of sounds are (key, sounds [B, N]) -> sounds; those of spectrograms [1] take and return
[B, F, M], of F frames and M bands.  All are floats, and what is drawn is drawn for each
example, evenly up to the limit that is given, from its own key alone.

[1] Park, Chan, Zhang, Chiu, Zoph, Cubuk & Le, Interspeech 2019, arXiv:1904.08779 (masks).
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxdigits.augment.pixels import uniform_field, uniform_of
from jaxdigits.keys import fold_in, per_example, require_key

Acoustic = Callable[[Array, Array], Array]
"""(key, x) -> x: one key, or one per example [B]; x [B, ...] floats"""


def shift_time(limit: int = 800) -> Acoustic:
    """Sounds up to `limit` samples earlier or later; silence comes in.

    Raises:
      ValueError: unless limit >= 0.
    """
    _require(limit >= 0, "limit must be >= 0", limit)

    def augment(key, x):
        keys, x = _prepared(key, x, 2)
        by = jnp.round(limit * (2 * uniform_of(keys, 1) - 1))
        return _read(x, jnp.arange(x.shape[1]) - by)

    return augment


def change_speed(limit: float = 0.15) -> Acoustic:
    """Sounds up to a share `limit` faster or slower, and so higher or lower, from their start.

    Between samples they are read linearly.

    Raises:
      ValueError: unless 0 <= limit < 1.
    """
    _require(0 <= limit < 1, "limit must be in [0, 1)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x, 2)
        pace = 1 + limit * (2 * uniform_of(keys, 1) - 1)
        return _read(x, jnp.arange(x.shape[1]) * pace)

    return augment


def change_gain(decibels: float = 6.0) -> Acoustic:
    """Sounds up to so many decibels louder or softer.

    Raises:
      ValueError: unless decibels >= 0.
    """
    _require(decibels >= 0, "decibels must be >= 0", decibels)

    def augment(key, x):
        keys, x = _prepared(key, x, 2)
        return x * 10 ** (decibels * (2 * uniform_of(keys, 1) - 1) / 20)

    return augment


def change_tone(limit: float = 0.9) -> Acoustic:
    """Sounds duller or brighter, as by another microphone: yₙ = xₙ + a xₙ₋₁, |a| <= limit.

    Raises:
      ValueError: unless 0 <= limit < 1.
    """
    _require(0 <= limit < 1, "limit must be in [0, 1)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x, 2)
        share = limit * (2 * uniform_of(keys, 1) - 1)
        return x + share * jnp.pad(x, ((0, 0), (1, 0)))[:, :-1]

    return augment


def add_noise(least: float = 5.0, most: float = 30.0) -> Acoustic:
    """Sounds in white noise, `least` to `most` decibels below each sound's mean power.

    Its samples are even in amplitude, of 256 levels.

    Raises:
      ValueError: unless least <= most.
    """
    _require(least <= most, f"least must be <= most = {most:g}", least)

    def augment(key, x):
        keys, x = _prepared(key, x, 2)
        below = least + (most - least) * uniform_of(fold_in(keys, 0), 1)
        power = 3 * (x**2).mean(-1, keepdims=True)  # that of even noise in (−1, 1) is a third
        loud = jnp.sqrt(power) * 10 ** (-below / 20)
        return x + loud * uniform_field(fold_in(keys, 1), x.shape[1:])

    return augment


def cut_ends(limit: float = 0.1) -> Acoustic:
    """Sounds without the begin and the end of their speech: silence is there instead.

    At each end up to a share `limit` of the speech is gone, as some speakers swallow it.

    Raises:
      ValueError: unless 0 <= limit < 0.5.
    """
    _require(0 <= limit < 0.5, "limit must be in [0, 0.5)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x, 2)
        begin, end = _spoken(x)
        gone = limit * (end - begin) * uniform_of(keys, 2)
        place = jnp.arange(x.shape[1])
        first = (place >= begin) & (place < begin + gone[:, :1])
        last = (place >= end - gone[:, 1:]) & (place < end)
        return jnp.where(first | last, 0, x)

    return augment


def drop_stretch(limit: float = 0.2) -> Acoustic:
    """Sounds that are silent for a while, up to a share `limit` of their speech, within it.

    Raises:
      ValueError: unless 0 <= limit < 1.
    """
    _require(0 <= limit < 1, "limit must be in [0, 1)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x, 2)
        begin, end = _spoken(x)
        chance = uniform_of(keys, 2)
        gone = limit * (end - begin) * chance[:, :1]
        start = begin + (end - begin - gone) * chance[:, 1:]
        place = jnp.arange(x.shape[1])
        return jnp.where((place >= start) & (place < start + gone), 0, x)

    return augment


def other_speech() -> Acoustic:
    """Sounds cut at their ends and within, at another pace, loudness and tone, in some noise.

    What `jaxdigits train multimodal` does to recordings when it changes images.  (When they
    begin is nothing to it.)
    """
    changes = [
        cut_ends(0.1), drop_stretch(0.2), change_speed(0.25), change_gain(6.0),
        change_tone(0.9), add_noise(-5.0, 50.0),
    ]  # fmt: skip

    def augment(key: Array, x: Array) -> Array:
        for i, change in enumerate(changes):
            x = change(fold_in(key, i), x)
        return x

    return augment


def mask_bands(width: int = 8) -> Acoustic:
    """Spectrograms without up to `width` neighbouring bands, which are at the mean instead.

    Raises:
      ValueError: unless width >= 0.
    """
    return _mask(width, 2)


def mask_frames(width: int = 8) -> Acoustic:
    """Spectrograms without up to `width` frames in a row, which are at the mean instead.

    Raises:
      ValueError: unless width >= 0.
    """
    return _mask(width, 1)


def _mask(width: int, axis: int) -> Acoustic:
    _require(width >= 0, "width must be >= 0", width)

    def augment(key, x):
        keys, x = _prepared(key, x, 3)
        chance = uniform_of(keys, 2)
        taken = jnp.floor((width + 1) * chance[:, 0])
        start = jnp.floor((x.shape[axis] - taken + 1) * chance[:, 1])
        place = jnp.arange(x.shape[axis])
        gone = (place >= start[:, None]) & (place < (start + taken)[:, None])
        gone = jnp.expand_dims(gone, 3 - axis)
        return jnp.where(gone, x.mean((1, 2), keepdims=True), x)

    return augment


def _spoken(x: Array, share: float = 0.005) -> tuple[Array, Array]:
    """[B, 1] where speech begins and where it ends: all but that share of the energy before."""
    energy = jnp.cumsum(x**2, 1)
    before = lambda part: (energy < part * energy[:, -1:]).sum(1, keepdims=True)
    return before(share), before(1 - share) + 1


def _read(x: Array, place: Array) -> Array:
    """x [B, N] at the places [B, N], between samples linearly; silence beyond its ends."""
    place = jnp.clip(place, -1, x.shape[1])
    before = jnp.floor(place)
    framed = jnp.pad(x, ((0, 0), (1, 2)))
    at = before.astype(jnp.int32) + 1
    left, right = (jnp.take_along_axis(framed, at + i, 1) for i in (0, 1))
    share = (place - before).astype(x.dtype)
    return (1 - share) * left + share * right


def _prepared(key: Array, x: Array, axes: int) -> tuple[Array, Array]:
    x = jnp.asarray(x)
    if x.ndim != axes or not jnp.issubdtype(x.dtype, jnp.floating):
        what = "sounds are [B, N]" if axes == 2 else "spectrograms are [B, F, M]"
        raise ValueError(f"{what} floats, got {x.dtype} {x.shape}")
    return per_example(require_key(key, "augmentation"), len(x)), x


def _require(condition: bool, message: str, value: float) -> None:
    if not condition:
        raise ValueError(f"{message}, got {value}")
