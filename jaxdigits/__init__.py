"""Reading digits the way brains and machines do, in pure JAX functions.

A layer is three functions, `init`, `forward` and `backward`; a network is a layer.  Networks
are parameter pytrees, every gradient is derived by hand and checked against `jax.grad`, and
nothing keeps state.  The map:

    jaxdigits.layer        Layer, and how layers compose: serial, parallel, residual, recomputed
    jaxdigits.layers       dense, convolution, pooling, norms, activations, dropout
    jaxdigits.spikes       encoders, surrogate slopes, LIF neurons, readouts
    jaxdigits.losses       losses with their slopes
    jaxdigits.models       builders: mlp, cnn, snn, conv_snn, event_snn
    jaxdigits.gradients    gradient estimators, learning rules, the checker
    jaxdigits.data         digits, mnist, pictures, splits
    jaxdigits.train        fit, populations of networks, evaluation, runs on disk
    jaxdigits.measure      intervals, confusion, saliency, the certificate of all gradients
    jaxdigits.plots        figures, and the report of a run
    jaxdigits.bench        workloads, each timed beside the floor of its matrix products

`train` and `measure` are imported when they are first used: they need optax and SciPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxdigits import data, gradients, layers, losses, models, spikes
from jaxdigits.gradients import by_autodiff, by_hand, check
from jaxdigits.layer import Layer, differentiable, parallel, recomputed, residual, serial
from jaxdigits.models import cnn, conv_snn, event_snn, mlp, snn

if TYPE_CHECKING:
    from jaxdigits import measure, plots, train

__all__ = [
    "Layer",
    "by_autodiff",
    "by_hand",
    "check",
    "cnn",
    "conv_snn",
    "data",
    "differentiable",
    "event_snn",
    "gradients",
    "layers",
    "losses",
    "measure",
    "mlp",
    "models",
    "parallel",
    "plots",
    "recomputed",
    "residual",
    "serial",
    "snn",
    "spikes",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in ("measure", "plots", "train"):
        return import_module(f"jaxdigits.{name}")
    raise AttributeError(f"module 'jaxdigits' has no attribute {name!r}")
