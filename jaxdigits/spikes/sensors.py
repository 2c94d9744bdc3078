"""Sensors that send changes: an event camera in motion, and the level-crossing or delta code.

An image stands still for a camera that sends changes only, so the camera is moved: in
N-MNIST [1] by three short saccades along the sides of a triangle.  Here the image moves.  At
step t it is read (dₜ, eₜ) pixels from its place, between pixels linearly.  With matrices of
interpolation R and C and the brightness b of paper

    Iₜ = Rₜ X Cₜᵀ        yₜ = log(b + (1 − b) Iₜ)
    X̄ = Σₜ Rₜᵀ Īₜ Cₜ     Īₜ = ȳₜ (1 − b) / e^yₜ

The level-crossing code has a spike for each step of height δ that a signal takes [2].  A level
ℓ follows the signal x, from ℓ₁ = x₁, and the code is its motion:

    nₜ = (xₜ − ℓₜ₋₁) / δ, towards 0        ℓₜ = ℓₜ₋₁ + δ nₜ
    ONₜ = max(nₜ, 0)                       OFFₜ = max(−nₜ, 0)

So x₁ + δ Σ (ON − OFF) is never δ away from x.  With one spike a step at most, nₜ is bounded by
±1, and the level falls behind a signal that moves faster.  Event cameras send this code of the
logarithm of light (`serial(saccades(30), level_crossing(0.5))`), silicon cochleas of the energy
in a band.  The code is a step function of x: its gradient is 0, as for `latency`.

[1] Orchard, Jayawant, Cohen & Thakor, Front. Neurosci. 9:437, 2015.
[2] Lichtsteiner, Posch & Delbruck, IEEE J. Solid-State Circuits 43(2), 2008.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import checks
from jaxdigits import layer as lr
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.options import require_name

CORNERS = np.array([(-1, -1), (1, 0), (-1, 1), (-1, -1)])  # (row, column), times the amplitude


@constructor
def saccades(
    steps: int, *, size: int = 34, amplitude: float = 3.0, paper: float = 0.1
) -> lr.Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> log of light [steps, B, size, size].

    Args:
      steps: of the whole movement; a third of them for each saccade.
      size: of the sensor, with the image in its middle.
      amplitude: pixels from the middle to a corner, along each axis.
      paper: b, the light of a pixel of 0; a pixel of 1 has the light 1.

    An image in uint8 has no gradient: `backward` returns None for it.

    Raises:
      ValueError: unless steps >= 2, size >= 1, amplitude >= 0 and 0 < paper < 1; in `init`, for
        features that are not [H, W].
    """
    if steps < 2 or size < 1:
        raise ValueError(f"steps must be >= 2 and size >= 1, got {steps} and {size}")
    if not (amplitude >= 0 and 0 < paper < 1):
        pair = f"{amplitude} and {paper}"
        raise ValueError(f"amplitude must be >= 0 and paper in (0, 1), got {pair}")
    along, corners = np.linspace(0, len(CORNERS) - 1, steps), np.arange(len(CORNERS))
    paths = [amplitude * np.interp(along, corners, axis) for axis in CORNERS.T]

    def shape(features):
        if len(features) != 2:
            raise ValueError(f"saccades takes images [H, W], got features {features}")
        return size, size

    def readers(x, dtype):
        return [_reader(n, size, d).astype(dtype) for n, d in zip(x, paths, strict=True)]

    def forward(x, key):
        image = lr.to_unit(x)
        rows, columns = readers(x.shape[1:], image.dtype)
        light = jnp.einsum("tih,bhw,tjw->tbij", rows, image, columns, precision="highest")
        y = jnp.log(paper + (1 - paper) * light)
        return y, (y, lr.Static((x.shape[1:], jnp.issubdtype(x.dtype, jnp.integer))))

    def backward(residual, y_bar):
        y, static = residual
        features, integer = static.value
        if integer:
            return None
        rows, columns = readers(features, y.dtype)
        light_bar = y_bar * (1 - paper) * jnp.exp(-y)
        return jnp.einsum("tih,tbij,tjw->bhw", rows, light_bar, columns, precision="highest")

    return lr.without_params(forward, backward, shape)


@constructor
def level_crossing(height: float, *, spikes: Literal["one", "several"] = "one") -> lr.Layer:
    """Signals x [T, B, ...], floats -> spikes [T, B, ..., 2], OFF and ON.

    Args:
      height: δ, of a step, in the unit of x.
      spikes: in a step: "one" at most, or "several", as many as it takes.

    Raises:
      ValueError: unless height > 0, for another `spikes`, or an x that is not floats.
    """
    checks.positive(height=height)
    require_name("spikes", ("one", "several"), spikes)

    def forward(x, key):
        checks.floats(x, "level_crossing")
        # A code has no derivative, for JAX either.
        return _code(jax.lax.stop_gradient(x), height, spikes == "one"), ()

    # In the shape of x: spikes have one axis more.
    backward = lambda _, s_bar: jnp.zeros_like(s_bar[..., 0])
    return lr.without_params(forward, backward, lambda features: (*features, 2))


def _reader(pixels: int, size: int, path: np.ndarray) -> np.ndarray:
    """Return the weights [T, size, pixels] that read an axis of an image in motion."""
    place = np.arange(size)[:, None] - (size - 1) / 2 + (pixels - 1) / 2
    distance = np.abs(place - path[:, None, None] - np.arange(pixels))
    return np.maximum(0, 1 - distance)


def _code(x: Array, height: float, one: bool) -> Array:
    def step(level, x_t):
        n = jnp.trunc((x_t - level) / height)
        if one:
            n = jnp.clip(n, -1, 1)
        return level + height * n, jnp.stack([jnp.maximum(-n, 0), jnp.maximum(n, 0)], -1)

    return jax.lax.scan(step, x[0], x)[1]


CASES = {
    "saccades": Case(lambda: saccades(5, size=8, amplitude=1.5), (5, 6), "grey"),
    "level_crossing": Case(lambda: level_crossing(0.5), (9,), "current"),
}
