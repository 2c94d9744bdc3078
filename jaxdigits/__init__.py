"""Networks that read digits, in pure JAX functions with hand-derived gradients.

A layer is three functions, `init`, `forward` and `backward`; a network is a layer.  Params are
pytrees, every gradient is derived by hand and checked against `jax.grad`, and no object has
state.  The map:

    jaxdigits.layer        Layer, and how layers compose: serial, parallel, residual, recomputed
    jaxdigits.about        the constructor and arguments that a layer remembers
    jaxdigits.options      signatures as tables of options
    jaxdigits.layers       dense, convolution, pooling, norms, activations, dropout, noise,
                           log-mel, the spoken part of a sound
    jaxdigits.spikes       encoders, surrogate slopes, LIF neurons, synapses, adaptive
                           thresholds, recurrence, readouts, event-driven neurons
    jaxdigits.losses       losses with their slopes: cross-entropy, CTC
    jaxdigits.models       builders: mlp, cnn, snn, conv_snn, event_snn, multimodal, columns
    jaxdigits.quantise     weights of a few bits, integer neurons of neuromorphic chips
    jaxdigits.gradients    gradient estimators, learning rules, the checker
    jaxdigits.data         digits, MNIST, spoken digits, events, pictures, sounds, splits
    jaxdigits.augment      other images and sounds in each step
    jaxdigits.certificate  the gradient certificate
    jaxdigits.train        fit, populations of networks, evaluation, many devices, warnings
    jaxdigits.measure      intervals, confusion, saliency, corruptions, costs
    jaxdigits.reader       fields: the row of digits in a picture, formats as automata, exact
                           search for the best string
    jaxdigits.fold         batch norms folded into the weights before them
    jaxdigits.convert      networks of rectifiers as spiking networks
    jaxdigits.interop      neuromorphic graphs (NIR), read and written with their step; networks
                           for other programs: ONNX, StableHLO
    jaxdigits.runs         configurations, run folders, checkpoints, exports
    jaxdigits.search       a network for some data: spaces, halving, an honest claim
    jaxdigits.plots        figures, and the report of a run
    jaxdigits.page         a run as a page for a browser, in one file without a server
    jaxdigits.bench        workloads, each timed beside the floor of its matrix products
    jaxdigits.cli          the command line

The public names stand in `__init__.pyi`; each room is imported at its first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
