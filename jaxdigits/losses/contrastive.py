"""A contrastive loss for hands: the same hand near, all other hands far [1].

An example has K hands, each with V pictures, as points e_i of length one.  With the cosines
s_ij = e_i · e_j / τ, without j = i, and P_i the V − 1 other pictures of the hand of i,

    p_ij = exp s_ij / Σ_j' exp s_ij'
    L = −Σ_i Σ_{j ∈ P_i} log p_ij / N          N = B K V (V − 1)

    ∂L/∂s_ij = g_ij = (p_ij (V − 1) − [j ∈ P_i]) / N
    ∂L/∂e_i = Σ_j (g_ij + g_ji) e_j / τ

Each picture is compared with all others of its example in one pass, where pairs would compare
it with one.  An impostor counts the more the nearer it is.  The loss is smooth: a margin [2]
has kinks at the distances 0 and m.

[1] Khosla et al., NeurIPS 2020, arXiv:2004.11362.
[2] Hadsell, Chopra & LeCun, CVPR 2006, doi:10.1109/CVPR.2006.100.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.case import Case
from jaxdigits.losses.classification import Loss


def contrastive(temperature: float = 0.1) -> Loss:
    """A mean over pictures of −log P(same hand): points [B, K, V, D] of length one -> scalar.

    Labels are not read: the pictures of hand k are points [:, k].  An example is right if the
    nearest point to its very first is one of the same hand.

    Args:
      temperature: τ; the smaller it is, the more the nearest impostors count.

    Raises:
      ValueError: unless temperature > 0; when called, for another shape, or V < 2.
    """
    checks.positive(temperature=temperature)

    def compared(points):
        """Return e [B, M, D], log p [B, M, M] and [1, M, M] whether j is in P_i."""
        if points.ndim != 4 or points.shape[2] < 2:
            raise ValueError(
                f"contrastive takes points [B, K, V, D] of V >= 2 pictures, got {points.shape}"
            )
        batch, hands, views, size = points.shape
        e = points.reshape(batch, hands * views, size)
        hand = jnp.repeat(jnp.arange(hands), views)
        itself = jnp.eye(len(hand), dtype=bool)[None]
        s = jnp.where(itself, -jnp.inf, e @ e.swapaxes(1, 2) / temperature)
        return e, jax.nn.log_softmax(s), (hand[None, :, None] == hand[None, None]) & ~itself

    def value(points, label):
        _, logp, same = compared(points)
        return -jnp.where(same, logp, 0).sum() / (len(points) * same.sum())

    def slope(points, label):
        e, logp, same = compared(points)
        g = (jnp.exp(logp) * (points.shape[2] - 1) - same) / (len(points) * same.sum())
        return ((g + g.swapaxes(1, 2)) @ e / temperature).reshape(points.shape)

    return Loss(value, slope, first_is_nearest)


def first_is_nearest(points: Array, label: Any) -> Array:
    """Return [..., B] whether the first point of [..., B, K, V, D] is nearest to its hand's."""
    *lead, hands, views, size = points.shape
    e = points.reshape(*lead, hands * views, size)
    near = jnp.argmax((e[..., 1:, :] * e[..., :1, :]).sum(-1), -1)
    return near < views - 1


CASES = {"contrastive": Case(contrastive, (3, 2, 4))}
