"""Figures of a network that compares signatures: its errors, and the strokes that decide."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.data import Dataset, Hands
from jaxdigits.keys import fold_in
from jaxdigits.layer import to_unit
from jaxdigits.plots.images import saliency_figure
from jaxdigits.plots.of_network import Drawing, Member
from jaxdigits.plots.style import INK, WIDTH, look, new_figure, with_style
from jaxdigits.runs.job import validation_split
from jaxdigits.runs.verification import joined, pictures_of, scores_by_references
from jaxdigits.verify import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCES = (1, 3)
TICKS = (0.001, 0.01, 0.05, 0.2, 0.5)


@with_style
def errors_figure(scores: Mapping[str, Scores]) -> "Figure":
    """Draw both kinds of errors against each other: a ROC and a DET curve.

    Args:
      scores: by name, as `jaxdigits.verify.scores_of` returns them.
    """
    from scipy.stats import norm

    figure = new_figure(WIDTH, 0.52 * WIDTH)
    roc, det = figure.subplots(1, 2)
    for i, (name, each) in enumerate(scores.items()):
        style = look(i) | dict(marker="")
        limits = np.sort(np.concatenate([each.genuine, each.impostor]))
        reached = lambda kind, limits=limits: np.searchsorted(np.sort(kind), limits, "right")
        passed = reached(each.impostor) / len(each.impostor)
        missed = 1 - reached(each.genuine) / len(each.genuine)
        roc.plot(passed, 1 - missed, label=name, **style)
        inside = (passed > 0) & (missed > 0) & (passed < 1) & (missed < 1)
        det.plot(*norm.ppf([passed[inside], missed[inside]]), **style)
    roc.set(xlabel="others called the same", ylabel="same hand recognised", title="ROC")
    at, names = norm.ppf(TICKS), [f"{100 * tick:g} %" for tick in TICKS]
    det.plot(at[[0, -1]], at[[0, -1]], color=INK, lw=0.5)
    det.set(xlabel="others called the same", ylabel="same hand missed", title="DET",
            xticks=at, yticks=at, xticklabels=names, yticklabels=names)  # fmt: skip
    roc.legend(loc="lower right")
    return figure


def hands_of(
    member: Member, points_of: Callable[[Any], np.ndarray], train: Dataset, test: Dataset
) -> list[Drawing]:
    """Draw the errors on test writers, and the strokes that make two pictures one hand."""
    cohort = joined(points_of(pictures_of(validation_split(train)[0].inputs)[0]))
    rows = scores_by_references(points_of, cohort, test.inputs)
    scores = {
        f"{n} reference{'s' * (n > 1)}": rows[n - 1] for n in REFERENCES if n <= len(rows)
    }
    text = "Writers that no training step saw: the same name by the same hand, and by others. "
    text += "The thin line is where both kinds of errors are equal."
    drawings = [Drawing("errors", "Errors of the comparison", text, errors_figure(scores))]
    return [*drawings, *_strokes(member, test.inputs)]


def _strokes(member: Member, hands: Hands) -> list[Drawing]:
    """Draw the slope of the cosine of a hand's two pictures, and of another hand's, by ink."""
    rows = jnp.arange(min(3, hands.size))
    keys = jax.random.split(fold_in(member.key, 0), len(rows))
    x = to_unit(hands.take(rows, keys)[:, 0])  # [rows, 2, H, W] of the own hand

    @jax.jit
    def slope(params, x, keys):
        points, residual = member.network.forward(params, x, keys)
        other = points[:, ::-1]  # ∂(e₀ · e₁)/∂e₀ = e₁
        return member.network.backward(params, residual, other)[1]

    gradient = slope(member.params, x, keys)
    if gradient is None or not np.any(gradient):
        return []
    flat = lambda a: np.asarray(a).reshape(-1, *a.shape[2:])
    names = [f"writer {i + 1}, {word}" for i in range(len(rows)) for word in ("one", "other")]
    text = "Pairs of one hand.  Light where more ink would bring both closer together, dark "
    text += "where it would part them, by the hand-derived backward pass."
    figure = saliency_figure(flat(x), flat(gradient), names=names)
    return [Drawing("strokes", "The strokes that decide", text, figure)]
