"""The log-mel spectrogram of a sound, differentiated by hand.

A sound x of N samples is cut into frames of L samples, the centre of frame t at sample t·hop
(with silence outside of the sound), each weighted by a window w.  With ω = 2π/L, for
the bins k = 0..⌊L/2⌋ and the bands m:

    Xₖ = Σₙ wₙ xₙ e^(−iωkn)      Pₖ = |Xₖ|²      Eₘ = Σₖ Fₘₖ Pₖ      yₘ = log(Eₘ + ε)

F has a triangle for each band, of height 1, between points that are evenly spaced on the mel
scale [1], m(f) = 2595 log₁₀(1 + f / 700 Hz), as in the Hidden Markov Model Toolkit.  Backwards:

    Ēₘ = ȳₘ / (Eₘ + ε)      P̄ₖ = Σₘ Fₘₖ Ēₘ      x̄ₙ = wₙ Σₖ 2 P̄ₖ Re(Xₖ e^(iωkn))

since ∂|Xₖ|²/∂(wₙxₙ) = 2 Re(Xₖ e^(iωkn)); frames that overlap add up.  The last sum is L times
the inverse transform of P̄ₖ Xₖ, which counts each bin twice but the first and, if L is even,
the last; and those are in no band.

[1] Davis & Mermelstein, IEEE Trans. ASSP 28(4), 1980, doi:10.1109/TASSP.1980.1163420.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, spread, without_params
from jaxdigits.options import require_name

Window = Literal["hann", "hamming", "rectangle"]
WINDOWS = {"hann": lambda turn: 0.5 - 0.5 * turn, "hamming": lambda turn: 0.54 - 0.46 * turn,
           "rectangle": np.ones_like}  # fmt: skip


@constructor
def log_mel(
    rate: float = 8000.0,
    *,
    length: int = 256,
    hop: int = 128,
    bands: int = 40,
    window: Window = "hann",
    low: float = 0.0,
    high: float | None = None,
    epsilon: float = 1e-6,
) -> Layer:
    """A log-mel spectrogram: sounds [..., N] -> log energies [..., 1 + N // hop, bands].

    Args:
      rate: samples per second.
      length: of a frame, in samples.
      hop: samples from one frame to the next.
      bands: number of bands of the spectrum.
      window: w, periodic: "hann", "hamming" or "rectangle".
      low, high: Hz, start of the first band and end of the last; None: half the rate.
      epsilon: ε, the energy of silence.

    Raises:
      ValueError: for a length below 2, a hop or bands below 1, an unknown window, frequencies
        that are not 0 <= low < high <= rate / 2, a band without a bin, or an epsilon that is
        not > 0; in `init`, for sounds that are not [N]; in `forward`, for whole numbers.
    """
    checks.at_least(1, hop=hop)
    by_frame = log_bands(rate, length=length, bands=bands, window=window, low=low, high=high,
                         epsilon=epsilon)  # fmt: skip

    def shape(features):
        if len(features) != 1:
            raise ValueError(f"log_mel takes sounds [N], got features {features}")
        return 1 + features[0] // hop, bands

    def forward(x, key):
        checks.floats(x, "log_mel", "pass sounds in [-1, 1]")
        y, inner = by_frame.forward((), _cut(x, length, hop), key)
        return y, (inner, Static(x.shape[-1]))

    def backward(residual, y_bar):
        inner, samples = residual
        _, frames_bar = by_frame.backward((), inner, y_bar)
        return _overlap(frames_bar, samples.value, hop)

    return without_params(forward, backward, shape)


@constructor
def log_bands(
    rate: float = 8000.0,
    *,
    length: int = 256,
    bands: int = 40,
    window: Window = "hann",
    low: float = 0.0,
    high: float | None = None,
    epsilon: float = 1e-6,
) -> Layer:
    """Log energies of mel bands: frames [..., length] -> [..., bands].

    The step of `log_mel` for each frame, with the same arguments.  The residual is (Re X, Im X,
    E + ε).

    Raises:
      ValueError: as `log_mel`; in `init`, for frames of another length.
    """
    checks.at_least(2, length=length)
    checks.at_least(1, bands=bands)
    checks.positive(epsilon=epsilon)
    require_name("window", tuple(WINDOWS), window)
    weight = WINDOWS[window](np.cos(2 * np.pi * np.arange(length) / length))
    filters = mel_filters(rate, length, bands, low, rate / 2 if high is None else high)

    def shape(features):
        if not features or features[-1] != length:
            raise ValueError(f"log_bands takes frames of {length} samples, got {features}")
        return *features[:-1], bands

    def forward(x, key):
        checks.floats(x, "log_bands", "pass sounds in [-1, 1]")
        spectrum = jnp.fft.rfft(x * spread(weight.astype(x.dtype), x))
        power = spectrum.real**2 + spectrum.imag**2
        energy = power @ filters.T.astype(x.dtype) + epsilon
        return jnp.log(energy), (spectrum.real, spectrum.imag, energy)

    def backward(residual, y_bar):
        real, imaginary, energy = residual
        power_bar = (y_bar / energy) @ filters.astype(y_bar.dtype)
        spectrum_bar = power_bar * (real + 1j * imaginary)
        return (
            length
            * jnp.fft.irfft(spectrum_bar, length)
            * spread(weight.astype(y_bar.dtype), y_bar)
        )

    return without_params(forward, backward, shape)


def _cut(x: Array, length: int, hop: int) -> Array:
    """Cut [..., N] -> [..., 1 + N // hop, length], the centre of frame t at sample t · hop."""
    samples = x.shape[-1]
    frames, pieces = 1 + samples // hop, -(-length // hop)
    whole = (frames + pieces - 1) * hop
    x = _pad(x, -1, length // 2, whole - samples - length // 2)
    x = x.reshape(*x.shape[:-1], -1, hop)
    return jnp.concatenate([x[..., i : i + frames, :] for i in range(pieces)], -1)[..., :length]


def _overlap(frames: Array, samples: int, hop: int) -> Array:
    """Add up frames [..., T, length] -> [..., samples]: the transpose of `_cut`."""
    length = frames.shape[-1]
    pieces = -(-length // hop)
    split = jnp.split(_pad(frames, -1, 0, pieces * hop - length), pieces, -1)
    terms = [_pad(piece, -2, i, pieces - 1 - i) for i, piece in enumerate(split)]
    x = sum(terms[1:], start=terms[0])
    x = x.reshape(*x.shape[:-2], -1)
    return _pad(x, -1, -(length // 2), samples + length // 2 - x.shape[-1])


def _pad(x: Array, axis: int, before: int, after: int) -> Array:
    """Add zeros at the ends of an axis of x, or remove its ends where a number is negative."""
    edges = [(0, 0, 0)] * x.ndim
    edges[axis] = (before, after, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), edges)


def mel_filters(rate: float, length: int, bands: int, low: float, high: float) -> np.ndarray:
    """Return the triangles F [bands, length // 2 + 1].

    Raises:
      ValueError: as `log_mel`.
    """
    if not 0 <= low < high <= rate / 2:
        numbers = f"{low:g}, {high:g} and {rate:g}"
        raise ValueError(f"low and high must be 0 <= low < high <= rate / 2, got {numbers}")
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    points = 700 * (10 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595) - 1)
    bins = np.arange(length // 2 + 1) * rate / length
    left, middle, right = (points[i : i + bands, None] for i in range(3))
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    filters = np.maximum(0, np.minimum(rising, falling))
    empty = np.flatnonzero(filters.sum(1) == 0)
    if len(empty):
        text = f"no bin is in band {empty[0]} of {bands}"
        raise ValueError(f"{text}: take fewer bands, or longer frames than {length} samples")
    return filters


CASES = {
    "log_mel": Case(lambda: log_mel(length=16, hop=7, bands=3), (40,)),
    "log_mel, odd frames":
        Case(lambda: log_mel(length=17, hop=8, bands=3, window="hamming", low=200.0), (40,)),
    "log_bands": Case(lambda: log_bands(length=16, bands=3), (5, 16)),
}  # fmt: skip
