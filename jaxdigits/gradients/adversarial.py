"""Adversarial training [1]: learning from images that were changed to mislead the network.

Where the loss rises fastest with the pixels is what `backward` gives besides the params'
gradient: the hand-derived x̄ = ∂L/∂x.  A step along its sign, of ε in each pixel, is the worst
that the loss's slope knows of, and the network learns from both images alike:

    x′ = clip(x + ε sign x̄, 0, 1)        L = (1 − a) L(x) + a L(x′)

x′ is taken as it is, a constant: L has no gradient through x̄.  It costs a second pass.

[1] Goodfellow, Shlens & Szegedy, ICLR 2015, arXiv:1412.6572 (there ε = 0.25, a = 1/2).
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxdigits.gradients.estimators import Estimator, passes_by_hand
from jaxdigits.layer import Layer, to_unit
from jaxdigits.losses import Loss


def adversarial(epsilon: float, *, share: float = 0.5) -> Callable[[Layer, Loss], Estimator]:
    """What makes the gradient of adversarial training by hand, from a network and a loss.

    Args:
      epsilon: ε, by how much each pixel may change, of images in [0, 1].
      share: a, what the changed images count.

    Images may be uint8, and are taken as floats.  A pixel without a slope stays as it is.  The
    residual is that of the changed images.

    Raises:
      ValueError: unless 0 < epsilon <= 1 and 0 < share <= 1; when called, for inputs that are
        not one array, or have no gradient.
    """
    if not 0 < epsilon <= 1:
        raise ValueError(f"epsilon must be in (0, 1], got {epsilon}")
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share}")

    def make(network: Layer, loss: Loss) -> Estimator:
        def estimate(params, batch, key):
            x, label = batch
            if isinstance(x, Mapping):
                raise ValueError(
                    "adversarial training is of one array of images, not of senses"
                )
            x = to_unit(jnp.asarray(x))
            passes = lambda x: passes_by_hand(network, loss, params, (x, label), key)
            clean, of_clean, x_bar, _ = passes(x)
            if x_bar is None:
                raise ValueError("adversarial training needs the gradient of the images, and "
                                 "this network's rule has none")  # fmt: skip
            worse, of_worse, _, kept = passes(jnp.clip(x + epsilon * jnp.sign(x_bar), 0, 1))
            mixed = lambda a, b: (1 - share) * a + share * b
            return mixed(clean, worse), jax.tree.map(mixed, of_clean, of_worse), kept

        return estimate

    return make
