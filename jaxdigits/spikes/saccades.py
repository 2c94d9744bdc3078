"""What an event camera sees of a still image: the camera moves, as an eye does.

An image stands still for a camera that sends changes only, so the camera is moved: in
N-MNIST [1] by three short saccades along the sides of a triangle.  Here the image moves.  At
step t it is read (dₜ, eₜ) pixels from its place, between pixels linearly, so that with
matrices of interpolation R and C and the brightness b of paper

    Iₜ = Rₜ X Cₜᵀ        yₜ = log(b + (1 − b) Iₜ)
    X̄ = Σₜ Rₜᵀ Īₜ Cₜ     Īₜ = ȳₜ (1 − b) / e^yₜ

A level-crossing code of y is the camera's events: `serial(saccades(30), level_crossing(0.5))`.

[1] Orchard, Jayawant, Cohen & Thakor, Front. Neurosci. 9:437, 2015.
"""

import jax.numpy as jnp
import numpy as np

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, to_unit, without_params

CORNERS = np.array(
    [(-1, -1), (1, 0), (-1, 1), (-1, -1)]
)  # rows and columns, times the amplitude


@constructor
def saccades(
    steps: int, *, size: int = 34, amplitude: float = 3.0, paper: float = 0.1
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> log of light [steps, B, size, size].

    Args:
      steps: of the whole movement; a third of them for each saccade.
      size: of the sensor, on whose middle the image rests.
      amplitude: pixels from the middle to a corner, along each axis.
      paper: b, the light of a pixel of 0, where one of 1 has the light 1.

    An image in uint8 has no gradient: `backward` gives None for it.

    Raises:
      ValueError: unless steps >= 2, size >= 1, amplitude >= 0 and 0 < paper < 1; in `init`, for
        features that are not [H, W].
    """
    if steps < 2 or size < 1:
        raise ValueError(f"steps must be >= 2 and size >= 1, got {steps} and {size}")
    if not (amplitude >= 0 and 0 < paper < 1):
        got = f"{amplitude} and {paper}"
        raise ValueError(f"amplitude must be >= 0 and paper in (0, 1), got {got}")
    along = np.linspace(0, len(CORNERS) - 1, steps)
    moved = [
        amplitude * np.interp(along, np.arange(len(CORNERS)), corner) for corner in CORNERS.T
    ]

    def shape(features):
        if len(features) != 2:
            raise ValueError(f"saccades takes images [H, W], got features {features}")
        return size, size

    def readers(x, dtype):
        return [_reader(n, size, d).astype(dtype) for n, d in zip(x, moved, strict=True)]

    def forward(x, key):
        image = to_unit(x)
        rows, columns = readers(x.shape[1:], image.dtype)
        seen = jnp.einsum("tih,bhw,tjw->tbij", rows, image, columns, precision="highest")
        y = jnp.log(paper + (1 - paper) * seen)
        integer = jnp.issubdtype(x.dtype, jnp.integer)
        return y, (y, Static((x.shape[1:], integer)))

    def backward(kept, y_bar):
        y, static = kept
        features, integer = static.value
        if integer:
            return None
        rows, columns = readers(features, y.dtype)
        seen_bar = y_bar * (1 - paper) * jnp.exp(-y)
        return jnp.einsum("tih,tbij,tjw->bhw", rows, seen_bar, columns, precision="highest")

    return without_params(forward, backward, shape)


def _reader(pixels: int, size: int, moved: np.ndarray) -> np.ndarray:
    """[T, size, pixels] what reads an axis of an image that lies in the middle, moved."""
    place = np.arange(size)[:, None] - (size - 1) / 2 + (pixels - 1) / 2
    distance = np.abs(place - moved[:, None, None] - np.arange(pixels))
    return np.maximum(0, 1 - distance)


CASES = {"saccades": Case(lambda: saccades(5, size=8, amplitude=1.5), (5, 6), "grey")}
