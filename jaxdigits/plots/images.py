"""Figures of images: inputs, weights, and the pixels that decide."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxdigits.plots.style import SIGNED, WIDTH, bare, new_figure, with_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@with_style
def images_figure(rows: Mapping[str, np.ndarray]) -> "Figure":
    """Draw rows of images [N, H, W] in [0, 1], ink dark, with the name of each row beside it.

    Raises:
      ValueError: for rows of different shapes, naming one.
    """
    shapes = {name: np.shape(images) for name, images in rows.items()}
    first = next(iter(shapes.values()), ())
    for name, shape in shapes.items():
        if len(shape) != 3 or shape != first:
            raise ValueError(f"rows must be alike, [N, H, W]: {name!r} has shape {shape}")
    count = first[0] if first else 0
    figure = new_figure(0.5 * count + 1.5, 0.52 * len(rows))
    for axes, (name, images) in zip(figure.subplots(len(rows), squeeze=False)[:, 0],
                                    rows.items(), strict=True):  # fmt: skip
        axes.imshow(np.hstack(list(images)), cmap="gray_r", vmin=0, vmax=1)
        bare(axes)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    return figure


@with_style
def augmentation_figure(image: np.ndarray, variants: np.ndarray) -> "Figure":
    """Draw a sheet of augmentation: each digit, and its variants beside it.

    Args:
      image: [N, H, W] in [0, 1], a row each.
      variants: [K, N, H, W], of K draws.

    Raises:
      ValueError: for draws of other images.
    """
    if np.shape(variants)[1:] != np.shape(image):
        raise ValueError(f"draws {np.shape(variants)} are not of images {np.shape(image)}")
    draws, count = len(variants), len(image)
    figure = new_figure(WIDTH, 5.4 * count / (draws + 1.15) + 0.3)
    original, others = figure.subplots(1, 2, width_ratios=(1, draws))
    original.imshow(np.vstack(list(image)), cmap="gray_r", vmin=0, vmax=1)
    others.imshow(np.vstack([np.hstack(list(row)) for row in np.swapaxes(variants, 0, 1)]),
                  cmap="gray_r", vmin=0, vmax=1)  # fmt: skip
    original.set_title("as it is")
    others.set_title("in training, different at each step")
    bare(original)
    bare(others)
    return figure


@with_style
def weights_figure(weights: np.ndarray, *, most: int = 40) -> "Figure":
    """Draw the weights of each neuron or kernel as an image.

    One scale for all; 0 is the grey in the middle.

    Args:
      weights: [N, H, W]; the largest norms are shown, in that order.
      most: number of images.

    Raises:
      ValueError: for weights that are not [N, H, W].
    """
    if np.ndim(weights) != 3 or not len(weights):
        raise ValueError(f"weights must be [N, H, W], got {np.shape(weights)}")
    order = np.argsort(-np.linalg.norm(weights.reshape(len(weights), -1), axis=1))[:most]
    columns = min(8, len(order))
    rows = -(-len(order) // columns)
    figure = new_figure(WIDTH, max(1.2, 4.5 / columns * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    largest = np.quantile(np.abs(weights[order]), 0.998) or 1.0
    for axes in grid.ravel():
        bare(axes)
    pictures = [
        axes.imshow(weights[n], cmap=SIGNED, vmin=-largest, vmax=largest)
        for axes, n in zip(grid.ravel(), order, strict=False)
    ]
    figure.colorbar(pictures[0], ax=grid, label="weight", aspect=8 * rows, pad=0.02)
    return figure


@with_style
def saliency_figure(
    image: np.ndarray, saliency: np.ndarray, *, names: Sequence[str] = ()
) -> "Figure":
    """Draw images, and below each the pixels that decide.

    Light where more ink would speak for the digit, dark where it would speak against.  Each
    image has a scale of its own; the white line is the edge of its ink.

    Args:
      image: [N, H, W] ink.
      saliency: [N, H, W] derivative by each pixel, from `jaxdigits.measure.saliency`.
      names: of the images.

    Raises:
      ValueError: if images and saliency differ in shape.
    """
    if np.shape(image) != np.shape(saliency) or np.ndim(image) != 3:
        raise ValueError(
            f"images {np.shape(image)} and saliency {np.shape(saliency)} must be [N, H, W]"
        )
    count = len(image)
    figure = new_figure(WIDTH, 11.2 / count + 0.35)
    grid = figure.subplots(2, count, squeeze=False)
    for n, (above, below) in enumerate(grid.T):
        above.imshow(image[n], cmap="gray_r", vmin=0)
        largest = np.quantile(np.abs(saliency[n]), 0.995) or 1.0
        below.imshow(saliency[n], cmap=SIGNED, vmin=-largest, vmax=largest)
        below.contour(image[n], [np.max(image[n]) / 2], colors="white", linewidths=0.9)
        above.set_title(names[n] if len(names) else "", fontsize=9, loc="center")
        bare(above)
        bare(below)
    return figure
