"""The README's picture: a handwritten digit becomes spikes, and the spikes an answer.

    python experiments/raster.py

trains a small `snn` on the embedded digits (half a minute) and draws docs/images/raster.png.
The picture shows a test digit that the network reads correctly; spikes of some of its pixels
and of some hidden neurons over the time steps; and the growing probability of each class, the
softmax of the output's membrane potentials averaged over the steps so far.
"""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdigits import snn
from jaxdigits.data import digits, split
from jaxdigits.keys import fold_in
from jaxdigits.spikes import rate, traces
from jaxdigits.train import Recipe, fit

FIGURE = Path(__file__).parent.parent / "docs" / "images" / "raster.png"
STEPS, SHOWN = 25, 36  # time steps; about how many pixels and neurons that fire are shown
DIGIT, INK, ACCENT, PALE = 2, "#1f2937", "#d9480f", "#c3c9d2"
build = partial(snn, hidden=(100,), steps=STEPS)


def seen() -> dict[str, Any]:
    """Return a test digit, and the state of a trained network at each step."""
    train, test = digits()
    train, valid = split(train, (1317, 120), seed=0)
    key = jax.random.key(0)
    fitted = fit(Recipe(build, optax.adam(2e-3), epochs=15, batch=64), train, valid, key)
    network = build(training=False)
    for n in range(len(test.label)):
        image = test.inputs[n : n + 1]
        logits, residual = network.forward(fitted.params, image, key)
        if test.label[n] == DIGIT == logits.argmax():
            break
    else:
        raise SystemExit("the network reads no such digit of the test set: train it for longer")
    spikes, _ = rate(STEPS).forward((), image, fold_in(key, 0))  # as layer 0 of the network
    u = residual[-1][:, 0]  # the readout's membrane potentials [T, K]
    mean = jnp.cumsum(u, 0) / jnp.arange(1, STEPS + 1)[:, None]
    assert np.allclose(mean[-1], logits[0], atol=1e-5)
    return dict(
        image=image[0],
        label=int(test.label[n]),
        pixels=np.asarray(spikes).reshape(STEPS, -1),
        hidden=np.asarray(traces(residual)[0].spikes).reshape(STEPS, -1),
        belief=np.asarray(jax.nn.softmax(mean)),
    )


def draw(image, label, pixels, hidden, belief) -> None:
    """Draw the picture, from left to right as the digit becomes an answer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 2.9), layout="constrained", facecolor="white")
    digit, eye, neurons, answer = figure.subplots(1, 4, width_ratios=(1, 1.5, 1.5, 1.5))
    digit.imshow(image, cmap="Greys")
    digit.set(title="an image", xticks=[], yticks=[])
    for axes, spikes, title in (
        (eye, pixels, "pixels fire"),
        (neurons, hidden, "neurons fire"),
    ):
        lit = spikes[:, spikes.any(0)]
        step, unit = np.nonzero(lit[:, :: max(1, lit.shape[1] // SHOWN)])
        axes.scatter(step + 1, unit, s=14, color=INK, marker="|", linewidths=1)
        axes.set(title=title, xlabel="time step", yticks=[], xlim=(0, STEPS + 1))
    steps = np.arange(1, STEPS + 1)
    for k, p in enumerate(belief.T):
        answer.plot(steps, p, color=ACCENT if k == label else PALE, lw=2.2 if k == label else 1)
    answer.text(STEPS, 0.9, f"{label} ", color=ACCENT, ha="right", va="top", fontsize=20)
    answer.set(title="an answer grows", xlabel="time step", yticks=[0, 1], ylim=(-0.03, 1.03))
    for axes in (eye, neurons, answer):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    draw(**seen())
