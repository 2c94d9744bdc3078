"""Is a hand-derived gradient right?

A check sends one random ∂L/∂y back through the gradient in question and through its
witnesses, all in float64, and compares leaf by leaf:

* JAX: `jax.vjp` of the same forward pass (or of a plain twin, or a reference estimator);
* central differences, which know nothing of derivatives (`jaxdigits.gradients.differences`);
* for spiking layers, central differences of the *soft twin*.  The difference quotient of a
  hard threshold is zero or infinite, so for the layer itself that witness is "not
  applicable".  The twin fires F(u) instead of 0 or 1, where F′ is the surrogate slope: the same
  backward code, which is now an ordinary gradient.

The subject is a `Layer` or a network (`check`), a spiking layer by its builder
(`check_spiking`), a pair in the convention of `jax.custom_vjp` (`check_pair`), a function with
a rule of its own (`check_function`), a network with a loss (`check_network`), an estimator
(`check_estimator`) or a loss (`check_loss`).  All return a `Report`.
"""

from collections.abc import Callable
from typing import Any

from jax import Array

from jaxdigits import spikes as sp
from jaxdigits.gradients import subjects
from jaxdigits.gradients.differences import Differences
from jaxdigits.gradients.estimators import Estimator, by_autodiff, by_hand
from jaxdigits.gradients.report import Report
from jaxdigits.gradients.witnesses import examine
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss

DIFFERENCES = Differences()


def check(
    layer: Layer, params: Any, x: Any, key: Array | None = None, *,
    tolerance: float = 1e-10, differences: Differences | None = DIFFERENCES,
    soft: Layer | None = None, steps: int | None = None,
) -> Report:  # fmt: skip
    """Check `layer.backward` against `jax.vjp(layer.forward)` and differences.

    Args:
      layer: a layer, or a whole network.
      params: its parameters, converted to float64.
      x: its input, a pytree of arrays: floats, converted to float64, and integers (uint8
        images), which have no gradient.
      key: for layers that draw random numbers; the same for both sides.
      tolerance: the largest relative error per leaf that agrees with JAX.
      differences: the options of the differences; None for no differences.
      soft: the soft twin of a spiking layer, over the same params; `check_spiking` builds it.
      steps: number of time steps, if x is a time series [T, ...]; by default that of the
        spiking layers.  The report then has the steps at which two series part ways.

    Raises:
      ValueError: if the two gradients are not alike in leaves, shapes or dtypes, naming the
        leaf; if JAX cannot differentiate `forward`; unless tolerance > 0.
    """
    subject = subjects.of_layer(layer, params, x, key)
    twin = soft and subjects.of_layer(soft, params, x, key)
    return examine(subject, tolerance, differences, twin, steps)


def check_spiking(
    build: Callable[[sp.Surrogate], Layer], surrogate: sp.Surrogate, params: Any, x: Any,
    key: Array | None = None, **options: Any,
) -> Report:  # fmt: skip
    """Check the layer that `build` makes of a surrogate, and its soft twin.

    Args:
      build: surrogate -> a spiking layer or network, as `functools.partial(lif, decay=0.9)`.
      surrogate: the firing function, its slope and the slope's primitive.
      params: the parameters of both layers.
      x: as for `check`, and so are `key` and the options.

    The layers must leave `Traces` in their residuals for the report to be ok: a silent layer
    agrees with any gradient.
    """
    soft = build(sp.soft_twin(surrogate))
    report = check(build(surrogate), params, x, key, soft=soft, **options)
    if report.firing_rates:
        return report
    reason = "its firing rate is not known: leave Traces(v, spikes) in the residual"
    return report._replace(ok=False, reason=f"{report.reason}; {reason}".removeprefix("; "))


def check_pair(
    forward: Callable, backward: Callable, *arguments: Any, tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES, steps: int | None = None,
) -> Report:  # fmt: skip
    """Check a pair of functions as `jax.custom_vjp` takes them in `defvjp`.

    Args:
      forward: (*arguments) -> (y, residual).
      backward: (residual, ∂L/∂y) -> a tuple of gradients, one per argument (None for integers).
      *arguments: pytrees of arrays.
      tolerance, differences, steps: as for `check`.

    Raises:
      ValueError: as `check`, and unless `backward` returns such a tuple.
    """
    subject = subjects.of_pair(forward, backward, arguments)
    return examine(subject, tolerance, differences, steps=steps)


def check_function(
    function: Callable, *arguments: Any, twin: Callable | None = None, tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES, steps: int | None = None,
) -> Report:  # fmt: skip
    """Check a function with a `custom_vjp` or `custom_jvp` against a plain twin.

    Args:
      function: (*arguments) -> y, a pytree of floats.
      *arguments: pytrees of arrays; the floats among them are differentiated.
      twin: the same function without a rule of its own.  Without it, differences are the only
        witness, and a function to which they do not apply does not pass.
      tolerance, differences, steps: as for `check`.

    Raises:
      ValueError: as `check`; if the outputs differ in shape or dtype; without any witness.
    """
    if twin is None and differences is None:
        raise ValueError("check_function needs a witness: pass a twin, differences, or both")
    subject = subjects.of_function(function, arguments, twin)
    return examine(subject, tolerance, differences, steps=steps)


def check_network(
    network: Layer, loss: Loss, params: Any, batch: Any, key: Array | None = None, *,
    tolerance: float = 1e-10, differences: Differences | None = DIFFERENCES,
    soft: Layer | None = None,
) -> Report:  # fmt: skip
    """Check the gradient of a network with a loss, for one batch (x, label [B]).

    The loss's slope and the network's `backward` are compared with `jax.grad` and differences
    of the loss; arguments as for `check`.
    """

    def of(network: Layer) -> subjects.Subject:
        def pair(scale: Any) -> tuple[Estimator, Estimator]:
            steeper = Loss(lambda *a: scale * loss.value(*a), lambda *a: scale * loss.slope(*a))
            return by_hand(network, steeper), by_autodiff(network, steeper)

        return subjects.of_estimator(pair, params, batch, key)

    subject = of(network)._replace(witness="jax.vjp", sides=("by hand", "by JAX"))
    return examine(subject, tolerance, differences, soft and of(soft))


def check_estimator(
    estimator: Estimator, reference: Estimator, params: Any, batch: Any,
    key: Array | None = None, *, tolerance: float = 1e-10,
    differences: Differences | None = None,
) -> Report:  # fmt: skip
    """Check a gradient estimator against a reference estimator, loss and gradient.

    An approximate rule does not agree to 1e-10: read `report.cosine` and the rows then.

    Args:
      estimator: (params, batch, key) -> (loss, grads, residual).
      reference: another estimator, as `by_autodiff(network, loss)`.
      params, batch, key: for both, the floats in float64.
      tolerance: the largest relative error per leaf, and of the loss, that agrees.
      differences: options for differences of the estimator's loss; none by default.

    Raises:
      ValueError: as `check`.
    """
    subject = subjects.of_estimator(lambda scale: (estimator, reference), params, batch, key)
    return examine(subject, tolerance, differences)


def check_loss(
    loss: Loss, logits: Array, label: Any, *, tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES,
) -> Report:  # fmt: skip
    """Check `loss.slope` against `jax.grad(loss.value)` and differences, at logits [B, K]."""
    return examine(subjects.of_loss(loss, logits, label), tolerance, differences)
