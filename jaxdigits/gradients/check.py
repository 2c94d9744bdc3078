"""Is a hand-derived gradient right?

A check sends one random ∂L/∂y back through the gradient in question and through its
witnesses, all in float64, and compares leaf by leaf:

* JAX: `jax.vjp` of the same forward pass (or of a plain twin, or a reference estimator);
* central differences, which know nothing of derivatives (`jaxdigits.gradients.differences`);
* for spiking layers, central differences of the *soft twin*.  The difference quotient of a
  hard threshold is zero or infinite, so for the layer itself that witness is "not
  applicable".  The twin fires F(u) instead of 0 or 1, where F′ is the surrogate slope: the same
  backward code, which is now an ordinary gradient.

What is checked is a `Layer` or a network (`check`), a spiking layer by its builder
(`check_spiking`), a pair in the convention of `jax.custom_vjp` (`check_pair`), a function with
a rule of its own (`check_function`), a network with a loss (`check_network`), an estimator
(`check_estimator`) or a loss (`check_loss`).  All return a `Report`.
"""

from collections.abc import Callable
from typing import Any

from jax import Array

from jaxdigits.gradients import subjects
from jaxdigits.gradients.estimators import Estimator, by_autodiff, by_hand
from jaxdigits.gradients.probes import Differences
from jaxdigits.gradients.report import Report
from jaxdigits.gradients.witnesses import hear
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss
from jaxdigits.spikes import Surrogate, soft_twin

DIFFERENCES = Differences()


def check(
    layer: Layer,
    params: Any,
    x: Any,
    key: Array | None = None,
    *,
    tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES,
    soft: Layer | None = None,
    steps: int | None = None,
) -> Report:
    """Check `layer.backward` against `jax.vjp(layer.forward)` and differences.

    Args:
      layer: a layer, or a whole network.
      params: its parameters; taken over into float64.
      x: its input, an array or a pytree of them.  Floats are taken over into float64;
        integers (uint8 images) have no gradient.
      key: for layers that draw random numbers; the same for both sides.
      tolerance: the largest relative error per leaf that agrees with JAX.
      differences: how differences are taken; None for none.
      soft: the soft twin of a spiking layer, over the same params; `check_spiking` builds it
        by itself.
      steps: number of time steps, if x is a time series [T, ...]; that of the spiking layers
        if there are any.  The report then has the steps at which two series part ways.

    Raises:
      ValueError: if the two gradients are not alike in leaves, shapes or dtypes, naming the
        leaf; if JAX cannot differentiate `forward`; unless tolerance > 0.
    """
    subject = subjects.of_layer(layer, params, x, key)
    twin = soft and subjects.of_layer(soft, params, x, key)
    return hear(subject, tolerance, differences, twin, steps)


def check_spiking(
    build: Callable[[Surrogate], Layer],
    surrogate: Surrogate,
    params: Any,
    x: Any,
    key: Array | None = None,
    **options: Any,
) -> Report:
    """Check the layer that `build` makes of a surrogate, and by itself its soft twin.

    Args:
      build: surrogate -> a spiking layer or network, as `functools.partial(lif, decay=0.9)`.
      surrogate: the firing function, its slope and the slope's primitive.
      params: those of both layers.
      x: as for `check`, and so are `key` and the options.

    The layers leave `Traces` in their residuals, or it is not ok: a silent layer agrees with
    any gradient.
    """
    soft = build(soft_twin(surrogate))
    report = check(build(surrogate), params, x, key, soft=soft, **options)
    if report.firing_rates:
        return report
    unknown = "how much it fires is not known: leave Traces(v, spikes) in the residual"
    return report._replace(ok=False, reason="; ".join(filter(None, [report.reason, unknown])))


def check_pair(
    forward: Callable,
    backward: Callable,
    *arguments: Any,
    tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES,
    steps: int | None = None,
) -> Report:
    """Check a pair of functions as `jax.custom_vjp` takes them in `defvjp`.

    Args:
      forward: (*arguments) -> (y, residual).
      backward: (residual, ∂L/∂y) -> a tuple of gradients, one per argument (None for integers).
      *arguments: pytrees of arrays.
      tolerance, differences, steps: as for `check`.

    Raises:
      ValueError: as `check`, and unless `backward` returns such a tuple.
    """
    return hear(
        subjects.of_pair(forward, backward, arguments), tolerance, differences, None, steps
    )


def check_function(
    function: Callable,
    *arguments: Any,
    twin: Callable | None = None,
    tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES,
    steps: int | None = None,
) -> Report:
    """Check a function with a `custom_vjp` or `custom_jvp` against a plain twin.

    Args:
      function: (*arguments) -> y, a pytree of floats.
      *arguments: pytrees of arrays; the floats among them are differentiated.
      twin: the same function without a rule of its own.  Without it, differences are the only
        witness, and a function on which they say nothing does not pass.
      tolerance, differences, steps: as for `check`.

    Raises:
      ValueError: as `check`; if the outputs differ in shape or dtype; without any witness.
    """
    if twin is None and differences is None:
        raise ValueError("check_function needs a witness: a twin, differences, or both")
    return hear(
        subjects.of_function(function, arguments, twin), tolerance, differences, None, steps
    )


def check_network(
    network: Layer,
    loss: Loss,
    params: Any,
    batch: Any,
    key: Array | None = None,
    *,
    tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES,
    soft: Layer | None = None,
) -> Report:
    """Check the gradient of a whole network with a loss, of one batch (x, label [B]).

    The slope of the loss and the network's `backward` against `jax.grad` and differences of
    the loss; arguments as for `check`.
    """
    subject = subjects.of_estimator(
        by_hand(network, loss), by_autodiff(network, loss), params, batch, key
    )
    subject = subject._replace(witness="jax.vjp", sides=("by hand", "by JAX"))
    twin = soft and subjects.of_estimator(
        by_hand(soft, loss), by_autodiff(soft, loss), params, batch, key
    )
    return hear(subject, tolerance, differences, twin, None)


def check_estimator(
    estimator: Estimator,
    reference: Estimator,
    params: Any,
    batch: Any,
    key: Array | None = None,
    *,
    tolerance: float = 1e-10,
    differences: Differences | None = None,
) -> Report:
    """Check a gradient estimator against a reference estimator, loss and gradient.

    An approximate rule does not agree to 1e-10: read `report.cosine` and the rows then.

    Args:
      estimator: (params, batch, key) -> (loss, grads, residual).
      reference: another, as `by_autodiff(network, loss)`.
      params, batch, key: for both, the floats in float64.
      tolerance: the largest relative error per leaf, and of the loss, that agrees.
      differences: of the estimator's loss; none by default.

    Raises:
      ValueError: as `check`.
    """
    subject = subjects.of_estimator(estimator, reference, params, batch, key)
    return hear(subject, tolerance, differences)


def check_loss(
    loss: Loss,
    logits: Array,
    label: Any,
    *,
    tolerance: float = 1e-10,
    differences: Differences | None = DIFFERENCES,
) -> Report:
    """Check `loss.slope` against `jax.grad(loss.value)` and differences, at logits [B, K]."""
    return hear(subjects.of_loss(loss, logits, label), tolerance, differences)
