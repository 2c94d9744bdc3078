"""Adversarial training [1]: learning from images that were changed to mislead the network.

The loss rises fastest with the pixels along x̄ = ∂L/∂x, which `backward` returns besides the
gradient of the params.  A step along its sign, of ε in each pixel, is the worst for the loss to
first order, and the network learns from both images alike:

    x′ = clip(x + ε sign x̄, 0, 1)        L = (1 − a) L(x) + a L(x′)

x′ is a constant: L has no gradient through x̄.  It costs a second pass.

[1] Goodfellow, Shlens & Szegedy, ICLR 2015, arXiv:1412.6572 (there ε = 0.25, a = 1/2).
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.gradients.estimators import Estimator, passes_by_hand
from jaxdigits.layer import Layer, to_unit
from jaxdigits.losses import Loss


def adversarial(epsilon: float, *, share: float = 0.5) -> Callable[[Layer, Loss], Estimator]:
    """Make the estimator of adversarial training, from a network and a loss.

    Args:
      epsilon: ε, the change of each pixel, for images in [0, 1].
      share: a, the weight of the changed images in the loss.

    uint8 images are converted to floats.  A pixel without a slope does not change.  The
    estimator returns the residual of the changed images.

    Raises:
      ValueError: unless 0 < epsilon <= 1 and 0 < share <= 1; when called, for inputs that are
        not one array, or have no gradient.
    """
    for name, value in (("epsilon", epsilon), ("share", share)):
        if checks.known(value) and not 0 < value <= 1:
            raise ValueError(f"{name} must be in (0, 1], got {value}")

    def make(network: Layer, loss: Loss) -> Estimator:
        def estimate(params, batch, key):
            x, label = batch
            if isinstance(x, Mapping):
                raise ValueError("adversarial training takes one array of images, got the "
                                 f"senses {', '.join(x)}: train without it")  # fmt: skip
            x = to_unit(jnp.asarray(x))
            passes = lambda x: passes_by_hand(network, loss, params, (x, label), key)
            value, grads, x_bar, _ = passes(x)
            if x_bar is None:
                raise ValueError("adversarial training needs the gradient of the images, and "
                                 "this network's rule has none: train by BPTT")  # fmt: skip
            x_adv = jnp.clip(x + epsilon * jnp.sign(x_bar), 0, 1)
            value_adv, grads_adv, _, residual = passes(x_adv)
            mix = lambda a, b: (1 - share) * a + share * b
            return mix(value, value_adv), jax.tree.map(mix, grads, grads_adv), residual

        return estimate

    return make
