"""Frames of a spectrogram as the currents of time steps.

F frames and T steps cover the same time.  Step t gets the mean of the frames in it, each by the
share of the step that it fills, aₜf, so that an even signal stays even:

    yₜ = Σ_f aₜf x_f        x̄_f = Σₜ aₜf ȳₜ        Σ_f aₜf = 1
"""

import jax.numpy as jnp
import numpy as np

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, without_params


@constructor
def frames_to_steps(steps: int) -> Layer:
    """Frames x [B, F, M], floats -> currents [steps, B, M].

    Raises:
      ValueError: unless steps >= 1; in `init`, for features that are not [F, M]; in `forward`,
        for an x that is no floats.
    """
    if steps < 1:
        raise ValueError(f"steps must be >= 1, got {steps}")

    def shape(features):
        if len(features) != 2:
            raise ValueError(f"frames_to_steps takes frames [F, M], got features {features}")
        return features[1:]

    def forward(x, key):
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(f"frames_to_steps takes floats, got {x.dtype}")
        shares = _shares(steps, x.shape[1]).astype(x.dtype)
        return jnp.einsum("tf,bfm->tbm", shares, x, precision="highest"), Static(x.shape[1])

    def backward(frames, y_bar):
        shares = _shares(steps, frames.value).astype(y_bar.dtype)
        return jnp.einsum("tf,tbm->bfm", shares, y_bar, precision="highest")

    return without_params(forward, backward, shape)


@constructor
def steps_first(steps: int) -> Layer:
    """Spikes x [B, steps, ...], counts or floats -> [steps, B, ...] floats.

    What is no floats has no gradient: `backward` gives None for it.

    Raises:
      ValueError: in `init`, for features of another number of steps.
    """

    def shape(features):
        if not features or features[0] != steps:
            raise ValueError(f"spikes at {steps} steps are wanted, got features {features}")
        return features[1:]

    def forward(x, key):
        floating = jnp.issubdtype(x.dtype, jnp.floating)
        dtype = x.dtype if floating else jnp.result_type(float)
        return jnp.swapaxes(x, 0, 1).astype(dtype), Static(floating)

    def backward(floating, y_bar):
        return jnp.swapaxes(y_bar, 0, 1) if floating.value else None

    return without_params(forward, backward, shape)


def _shares(steps: int, frames: int) -> np.ndarray:
    """[T, F] how much of each step is in each frame."""
    step, frame = (np.arange(n + 1) / n for n in (steps, frames))
    end = np.minimum(step[1:, None], frame[1:])
    start = np.maximum(step[:-1, None], frame[:-1])
    return steps * np.maximum(0, end - start)


CASES = {
    "frames_to_steps": Case(lambda: frames_to_steps(5), (7, 3)),
    "steps_first": Case(lambda: steps_first(6), (6, 5)),
}
