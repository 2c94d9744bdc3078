"""Reading digits the way brains and machines do, in pure JAX functions.

A layer is three functions, `init`, `forward` and `backward`; a network is a layer.  Networks
are parameter pytrees, every gradient is derived by hand and checked against `jax.grad`, and
nothing keeps state.  The map:

    jaxdigits.layer        Layer, and how layers compose: serial, parallel, residual, recomputed
    jaxdigits.about        a layer remembers its constructor
    jaxdigits.options      signatures as tables of options
    jaxdigits.layers       dense, convolution, pooling, norms, activations, dropout
    jaxdigits.spikes       encoders, surrogate slopes, LIF neurons, readouts
    jaxdigits.losses       losses with their slopes
    jaxdigits.models       builders: mlp, cnn, snn, conv_snn, event_snn, multimodal
    jaxdigits.gradients    gradient estimators, learning rules, the checker
    jaxdigits.data         digits, mnist, pictures, sounds, events, splits
    jaxdigits.augment      other images and sounds in each step
    jaxdigits.certificate  the gradient certificate
    jaxdigits.train        fit, populations of networks, evaluation, many devices
    jaxdigits.measure      intervals, confusion, saliency, corruptions, costs
    jaxdigits.runs         configurations, run folders, checkpoints
    jaxdigits.plots        figures, and the report of a run
    jaxdigits.bench        workloads, each timed beside the floor of its matrix products

The public names stand in `__init__.pyi`; each room is imported at its first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
