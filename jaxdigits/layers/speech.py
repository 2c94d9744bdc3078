"""The spoken part of a sound, and its mean over time.

A word takes longer for one speaker than for another.  With the energy cₙ = Σᵢ xᵢ² of the
samples up to n, it begins where cₙ first reaches a share q of the whole, at sample a, and ends
where all but q is over, at b.  Frame t of T is cut around a + (b − a)(t + ½)/T, to the next
sample:

    yₜᵢ = x[round(a + (b − a)(t + ½)/T) − ⌊L/2⌋ + i]        x̄ₙ = Σ ȳₜᵢ of all (t, i) that read n

a and b are numbers of samples, so they have no slope.  Two speakers' frames are then alike, but
for the constant that a voice and a microphone add to the logarithm of each band.  Without their
mean over time only the changes of the logarithms remain [1]:

    yₜ = xₜ − 1/T Σₛ xₛ        x̄ₜ = ȳₜ − 1/T Σₛ ȳₛ

[1] Atal, J. Acoust. Soc. Am. 55, 1974 (cepstral mean subtraction).
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, without_params


@constructor
def spoken_frames(frames: int, *, length: int = 400, share: float = 0.005) -> Layer:
    """Frames of the speech: sounds x [B, N] -> [B, frames, length], evenly spaced.

    Args:
      frames: T, which overlap in a short speech and leave gaps in a long one.
      length: L, of a frame, in samples; silence lies beyond the ends of the sound.
      share: q, of the energy before the speech, and behind it.

    Raises:
      ValueError: unless frames and length >= 1 and 0 < share < 0.5; in `init`, for sounds
        that are not [N]; in `forward`, for sounds that are not floats.
    """
    checks.at_least(1, frames=frames, length=length)
    if not 0 < share < 0.5:
        raise ValueError(f"share must be in (0, 0.5), got {share}")

    def shape(features):
        if len(features) != 1:
            raise ValueError(f"spoken_frames takes sounds [N], got features {features}")
        return frames, length

    def forward(x, key):
        checks.floats(x, "spoken_frames", "pass sounds in [-1, 1]")
        place = _places(x, frames, length, share)
        y = jnp.take_along_axis(jnp.pad(x, ((0, 0), (length, length))), place, 1)
        return y.reshape(x.shape[0], frames, length), (place, Static(x.shape[1]))

    def backward(residual, y_bar):
        place, samples = residual
        zeros = jnp.zeros((len(y_bar), samples.value + 2 * length), y_bar.dtype)
        add = lambda x_bar, at, bar: x_bar.at[at].add(bar)
        x_bar = jax.vmap(add)(zeros, place, y_bar.reshape(len(y_bar), -1))
        return x_bar[:, length:-length]

    return without_params(forward, backward, shape)


@constructor
def subtract_mean() -> Layer:
    """Signals x [..., T, F] without their mean over T, for each feature."""
    centred = lambda x: x - x.mean(-2, keepdims=True)
    return without_params(lambda x, key: (centred(x), ()), lambda _, y_bar: centred(y_bar))


def _places(x: Array, frames: int, length: int, share: float) -> Array:
    """Return the places [B, frames · length] of frames in x with `length` zeros around it."""
    energy = jnp.cumsum(jax.lax.stop_gradient(x) ** 2, 1)
    whole = energy[:, -1:]
    begin = (energy < share * whole).sum(1, keepdims=True)
    end = (energy < (1 - share) * whole).sum(1, keepdims=True) + 1
    # In whole numbers: the middle of frame t is at (2t + 1) of 2T equal parts.
    along = (end - begin) * (2 * jnp.arange(frames) + 1)[None]
    middle = begin + (along + frames) // (2 * frames)
    start = middle - length // 2 + length
    place = (start[:, :, None] + jnp.arange(length)[None, None]).reshape(x.shape[0], -1)
    return jnp.clip(place, 0, x.shape[1] + 2 * length - 1)


CASES = {
    "spoken_frames": Case(lambda: spoken_frames(5, length=6, share=0.05), (40,)),
    "spoken_frames that overlap": Case(lambda: spoken_frames(9, length=12), (40,)),
    "subtract_mean": Case(subtract_mean, (7, 4)),
}
