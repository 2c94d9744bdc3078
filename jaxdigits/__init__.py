"""Networks that read digits, in pure JAX functions with hand-derived gradients.

A layer is three functions, `init`, `forward` and `backward`; a network is a layer.  Params are
pytrees, every gradient is derived by hand and checked against `jax.grad`, and nothing keeps
state.  The map:

    jaxdigits.layer        Layer, and how layers compose: serial, parallel, residual, recomputed
    jaxdigits.layers       dense, convolution, pooling, norms, activations, dropout, noise,
                           log-mel, the spoken part of a sound
    jaxdigits.spikes       encoders, surrogate slopes, LIF neurons, synapses, adaptive
                           thresholds, recurrence, readouts, event-driven neurons
    jaxdigits.losses       losses with their slopes
    jaxdigits.models       builders: mlp, cnn, snn, conv_snn, event_snn, multimodal
    jaxdigits.gradients    gradient estimators, learning rules, the checker
    jaxdigits.data         digits, MNIST, spoken digits, events, pictures, sounds, splits
    jaxdigits.augment      other images and sounds in each step
    jaxdigits.certificate  the gradient certificate
    jaxdigits.train        fit, populations of networks, evaluation, many devices, warnings
    jaxdigits.measure      intervals, confusion, saliency, corruptions, costs
    jaxdigits.runs         configurations, run folders, checkpoints
    jaxdigits.plots        figures, and the report of a run
    jaxdigits.bench        workloads, each timed beside the floor of its matrix products
    jaxdigits.cli          the command line

Rooms from `augment` to `bench` are imported at first use, since some need optax or SciPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxdigits import data, gradients, layers, losses, models, spikes
from jaxdigits.gradients import by_autodiff, by_hand, check
from jaxdigits.layer import Layer, differentiable, parallel, recomputed, residual, serial
from jaxdigits.models import cnn, conv_snn, event_snn, mlp, multimodal, snn

if TYPE_CHECKING:
    from jaxdigits import augment, bench, certificate, measure, plots, runs, train

__all__ = [
    "Layer",
    "augment",
    "bench",
    "by_autodiff",
    "by_hand",
    "certificate",
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
    "multimodal",
    "parallel",
    "plots",
    "recomputed",
    "residual",
    "runs",
    "serial",
    "snn",
    "spikes",
    "train",
]

LATER = ("augment", "bench", "certificate", "measure", "plots", "runs", "train")


def __getattr__(name: str) -> Any:
    if name in LATER:
        return import_module(f"jaxdigits.{name}")
    raise AttributeError(f"module 'jaxdigits' has no attribute {name!r}")
