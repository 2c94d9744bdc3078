"""Acoustic augmentation: another pace, another loudness, another room.

Each is (key, sounds [B, N]) -> sounds, of floats.  Strengths are drawn for each example, evenly
up to a limit, from its own key alone.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxdigits.augment.pixels import uniform_field, uniform_of
from jaxdigits.keys import fold_in, per_example, require_key

Acoustic = Callable[[Array, Array], Array]
"""(key, x) -> x: one key, or one per example [B]; x [B, ...] floats"""


def change_speed(limit: float = 0.15) -> Acoustic:
    """Play sounds up to a share `limit` faster or slower, and so higher or lower.

    Between samples they are read linearly.

    Raises:
      ValueError: unless 0 <= limit < 1.
    """
    _require(0 <= limit < 1, "limit must be in [0, 1)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x)
        pace = 1 + limit * (2 * uniform_of(keys, 1) - 1)
        return _read(x, jnp.arange(x.shape[1]) * pace)

    return augment


def change_gain(decibels: float = 6.0) -> Acoustic:
    """Make sounds up to `decibels` louder or softer.

    Raises:
      ValueError: unless decibels >= 0.
    """
    _require(decibels >= 0, "decibels must be >= 0", decibels)

    def augment(key, x):
        keys, x = _prepared(key, x)
        return x * 10 ** (decibels * (2 * uniform_of(keys, 1) - 1) / 20)

    return augment


def change_tone(limit: float = 0.9) -> Acoustic:
    """Make sounds duller or brighter, as by another microphone: yₙ = xₙ + a xₙ₋₁, |a| <= limit.

    Raises:
      ValueError: unless 0 <= limit < 1.
    """
    _require(0 <= limit < 1, "limit must be in [0, 1)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x)
        share = limit * (2 * uniform_of(keys, 1) - 1)
        return x + share * jnp.pad(x, ((0, 0), (1, 0)))[:, :-1]

    return augment


def add_noise(least: float = 5.0, most: float = 30.0) -> Acoustic:
    """Add white noise, `least` to `most` decibels below each sound's mean power.

    Amplitudes are uniform, of 256 levels.

    Raises:
      ValueError: unless least <= most.
    """
    _require(least <= most, f"least must be <= most = {most:g}", least)

    def augment(key, x):
        keys, x = _prepared(key, x)
        decibels = least + (most - least) * uniform_of(fold_in(keys, 0), 1)
        power = 3 * (x**2).mean(-1, keepdims=True)  # uniform noise in (−1, 1) has a third
        amplitude = jnp.sqrt(power) * 10 ** (-decibels / 20)
        return x + amplitude * uniform_field(fold_in(keys, 1), x.shape[1:])

    return augment


def cut_ends(limit: float = 0.1) -> Acoustic:
    """Silence the beginning and end of the speech.

    Each loses up to a share `limit` of the speech, as some speakers swallow it.

    Raises:
      ValueError: unless 0 <= limit < 0.5.
    """
    _require(0 <= limit < 0.5, "limit must be in [0, 0.5)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x)
        start, end = _speech(x)
        length = limit * (end - start) * uniform_of(keys, 2)
        place = jnp.arange(x.shape[1])
        first = (place >= start) & (place < start + length[:, :1])
        last = (place >= end - length[:, 1:]) & (place < end)
        return jnp.where(first | last, 0, x)

    return augment


def drop_stretch(limit: float = 0.2) -> Acoustic:
    """Silence a stretch within the speech, up to a share `limit` of it.

    Raises:
      ValueError: unless 0 <= limit < 1.
    """
    _require(0 <= limit < 1, "limit must be in [0, 1)", limit)

    def augment(key, x):
        keys, x = _prepared(key, x)
        start, end = _speech(x)
        chance = uniform_of(keys, 2)
        length = limit * (end - start) * chance[:, :1]
        first = start + (end - start - length) * chance[:, 1:]
        place = jnp.arange(x.shape[1])
        return jnp.where((place >= first) & (place < first + length), 0, x)

    return augment


def other_speech() -> Acoustic:
    """Cut sounds at their ends and within; change pace, loudness and tone; add some noise.

    `jaxdigits train multimodal` does this to recordings when it augments images.
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


def _speech(x: Array, share: float = 0.005) -> tuple[Array, Array]:
    """Return [B, 1] where speech starts and ends: outside is that share of the energy each."""
    energy = jnp.cumsum(x**2, 1)
    before = lambda part: (energy < part * energy[:, -1:]).sum(1, keepdims=True)
    return before(share), before(1 - share) + 1


def _read(x: Array, place: Array) -> Array:
    """Read x [B, N] at the places [B, N], between samples linearly; silence beyond its ends."""
    place = jnp.clip(place, -1, x.shape[1])
    before = jnp.floor(place)
    framed = jnp.pad(x, ((0, 0), (1, 2)))
    at = before.astype(jnp.int32) + 1
    left, right = (jnp.take_along_axis(framed, at + i, 1) for i in (0, 1))
    share = (place - before).astype(x.dtype)
    return (1 - share) * left + share * right


def _prepared(key: Array, x: Array) -> tuple[Array, Array]:
    x = jnp.asarray(x)
    if x.ndim != 2 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"sounds must be [B, N] floats, got {x.dtype} {x.shape}")
    return per_example(require_key(key, "augmentation"), len(x)), x


def _require(condition: bool, message: str, value: float) -> None:
    if not condition:
        raise ValueError(f"{message}, got {value}")
