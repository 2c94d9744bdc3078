"""The table of everything here that has a hand-derived gradient, option by option.

The certificate checks it, and the contract tests run over it too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.layer import Layer, parallel, recomputed, residual, serial
from jaxdigits.losses import cross_entropy, rate_error
from jaxdigits.models import cnn, conv_snn, event_snn, mlp, multimodal, snn

EXAMPLES, STEPS = 4, 10


class Case(NamedTuple):
    """One thing to check, small enough to be quick."""

    kind: str
    """"layer", "spikes", "loss" or "network"."""
    make: Callable[[], Any]
    """-> Layer or Loss"""
    features: Any = ()
    """feature shape of one example, or a dict of them"""
    input: str = "normal"
    """"normal" floats, "pixels" in uint8, "grey" floats in [0, 1], each [B, ...]; "current",
    floats over time [T, B, ...]; or "senses", a dict of a grey image and a normal sound"""


_layer = partial(Case, "layer")
_spikes = partial(Case, "spikes")
_network = partial(Case, "network")
_image = (7, 6, 4)
_lif = partial(sp.lif, decay=0.9, threshold=0.75)
_constants = np.linspace(0.7, 0.9, 5)
_learn = ("decay", "threshold")
_event = sp.EventNeuron(4.0, 2.0, threshold=0.75)
_presets: dict[str, sp.LifOptions] = {  # thresholds so low that a small input crosses them
    "snntorch_leaky": sp.snntorch_leaky(0.9, 0.75),
    "spikingjelly_lif": sp.spikingjelly_lif(2.0, v_threshold=0.5),
    "norse_lif_box": sp.norse_lif_box(500.0, v_th=0.5),
    "sinabs_lif": sp.sinabs_lif(2.0, spike_threshold=0.5),
    "spyx_lif": sp.spyx_lif(0.9, 0.75),
    "nir_lif": sp.nir_lif(2.0, dt=1.0, v_threshold=0.5),
}
_resets = {
    "subtract, held": sp.Convention(),
    "subtract, differentiated": sp.Convention(differentiate_reset=True),
    "zero, held": sp.Convention(reset=0.0),
    "zero, differentiated": sp.Convention(reset=0.0, differentiate_reset=True),
}
_conventions = {
    "same step, several spikes": sp.Convention(reset_step="same", spikes="several"),
    "old potential, at the threshold": sp.Convention(spike_from="old", fires="at"),
    "to a value, normalised input": sp.Convention(
        reset=0.25, reset_step="same", differentiate_reset=True, gain=8.0, normalise=True
    ),
}
_neurons = {
    "lif": partial(sp.lif_neuron, decay=0.9, threshold=0.5, learn=_learn),
    "cuba_lif": partial(
        sp.cuba_lif_neuron,
        synapse_decay=0.5,
        decay=0.75,
        threshold=0.75,
        learn=(*_learn, "synapse_decay"),
    ),
    "alif": partial(
        sp.alif_neuron,
        adaptation=1.0,
        adaptation_decay=0.75,
        decay=0.9,
        threshold=0.5,
        learn=(*_learn, "adaptation", "adaptation_decay"),
    ),
}
_free = _resets["subtract, differentiated"]
_some = {"image": (3, 2), "sound": (4,)}
_senses = {"image": (12, 12), "sound": (900,)}

CASES: dict[str, Case] = {
    "dense": _layer(lambda: ly.dense(5), (7,)),
    "dense, wide, no bias": _layer(lambda: ly.dense(65, bias=False), (7,)),
    "dense over time": _layer(lambda: ly.dense(5), (7,), "current"),
    "conv2d": _layer(lambda: ly.conv2d(3), _image),
    "conv2d, even kernel": _layer(lambda: ly.conv2d(3, (2, 4)), _image),
    "conv2d, many channels": _layer(lambda: ly.conv2d(2), (4, 3, 16)),
    "conv2d VALID": _layer(lambda: ly.conv2d(3, 3, padding="VALID"), _image),
    "conv2d, stride 2": _layer(lambda: ly.conv2d(3, 3, stride=2), _image),
    "conv2d VALID, stride 2, no bias": _layer(
        lambda: ly.conv2d(3, (2, 3), stride=2, padding="VALID", bias=False), _image
    ),
    "conv2d, stride 3 over time": _layer(lambda: ly.conv2d(2, 2, stride=3), _image, "current"),
    "max_pool": _layer(lambda: ly.max_pool(2), _image),
    "max_pool 3": _layer(lambda: ly.max_pool(3), _image),
    "max_pool of ties": _layer(lambda: serial(_lif(), ly.max_pool(2)), _image, "current"),
    "average_pool": _layer(lambda: ly.average_pool(2), _image),
    "average_pool 3 over time": _layer(lambda: ly.average_pool(3), _image, "current"),
    "flatten": _layer(lambda: ly.flatten(3), _image),
    "add_channel": _layer(lambda: ly.add_channel(), (5, 4)),
    "standardise": _layer(lambda: ly.standardise(0.13, 0.31), _image, "grey"),
    "standardise pixels": _layer(lambda: ly.standardise(0.13, 0.31), _image, "pixels"),
    "relu": _layer(ly.relu, (9,)),
    "leaky_relu": _layer(lambda: ly.leaky_relu(0.1), (9,)),
    "gelu": _layer(ly.gelu, (9,)),
    "tanh": _layer(ly.tanh, (9,)),
    "dropout": _layer(lambda: ly.dropout(0.3), (9,)),
    "gaussian_noise": _layer(lambda: ly.gaussian_noise(0.3), (9,)),
    "dropout through time": _layer(lambda: ly.dropout(0.3, time=True), (9,), "current"),
    "layer_norm": _layer(lambda: _shuffled(ly.layer_norm()), (9,)),
    "layer_norm of images": _layer(lambda: _shuffled(ly.layer_norm(3)), _image),
    "group_norm": _layer(lambda: _shuffled(ly.group_norm(2)), _image),
    "group_norm over time": _layer(lambda: _shuffled(ly.group_norm(2)), _image, "current"),
    "batch_norm": _layer(lambda: _shuffled(ly.batch_norm()), _image),
    "batch_norm through time": _layer(lambda: _shuffled(ly.batch_norm()), (9,), "current"),
    "batch_norm, remembered": _layer(lambda: _shuffled(ly.batch_norm(_remembered())), _image),
    "image_norm": _layer(lambda: ly.image_norm(), (5, 4), "grey"),
    "image_norm of pixels": _layer(lambda: ly.image_norm(), (5, 4), "pixels"),
    "image_norm of channels": _layer(lambda: ly.image_norm(3), _image),
    "log_mel": _layer(lambda: ly.log_mel(length=16, hop=7, bands=3), (40,)),
    "log_mel, odd frames": _layer(
        lambda: ly.log_mel(length=17, hop=8, bands=3, window="hamming", low=200.0), (40,)
    ),
    "log_bands": _layer(lambda: ly.log_bands(length=16, bands=3), (5, 16)),
    "spoken_frames": _layer(lambda: ly.spoken_frames(5, length=6, share=0.05), (40,)),
    "spoken_frames that overlap": _layer(lambda: ly.spoken_frames(9, length=12), (40,)),
    "subtract_mean": _layer(ly.subtract_mean, (7, 4)),
    "modality_dropout": _layer(
        lambda: ly.modality_dropout({"image": 0.3, "sound": 0.3}), _some, "senses"
    ),
    "pick": _layer(lambda: ly.pick(["sound"]), _some, "senses"),
    "if_present": _layer(lambda: ly.if_present(ly.dense(4)), (9,)),
    "delays": _layer(lambda: sp.delays(3), (5,), "current"),
    "bernoulli": _spikes(sp.bernoulli, (5,), "current"),
    "steps_first": _spikes(lambda: sp.steps_first(6), (6, 5)),
    "add_row": _layer(ly.add_row, (5, 4)),
    "residual": _layer(lambda: residual(serial(ly.dense(9), ly.tanh())), (9,)),
    "parallel, concatenated": _layer(lambda: parallel(_branches()), (9,)),
    "parallel, summed": _layer(lambda: parallel(_branches(), fuse="sum"), (9,)),
    "recomputed": _layer(
        lambda: recomputed(serial(ly.dense(4), ly.tanh(), ly.dropout(0.3))), (9,)
    ),
    "rate of floats": _spikes(lambda: sp.rate(STEPS), (9,), "grey"),
    "direct": _spikes(lambda: sp.direct(STEPS), (9,), "grey"),
    "at_each_step": _spikes(lambda: sp.at_each_step(ly.dense(4), STEPS), (9,)),
    "spikes_stored, byte": _spikes(
        lambda: serial(_lif(), sp.spikes_stored(ly.conv2d(2), "byte")), _image, "current"
    ),
    "spikes_stored, bit, behind dropout": _spikes(
        lambda: serial(_lif(), ly.dropout(0.3, time=True),
                       sp.spikes_stored(ly.dense(3), "bit")), (9,), "current",
    ),
    "saccades": _spikes(lambda: sp.saccades(5, size=8, amplitude=1.5), (5, 6), "grey"),
    "frames_to_steps": _spikes(lambda: sp.frames_to_steps(5), (7, 3)),
    "level_crossing": _spikes(lambda: sp.level_crossing(0.5), (9,), "current"),
    "latency": _spikes(lambda: sp.latency(STEPS), (9,), "grey"),
    **{
        f"lif, {name}, {learned}": _spikes(
            partial(_lif, convention=convention, learn=learn), (5,), "current")
        for learned, learn in (("given", ()), ("learned", _learn))
        for name, convention in _resets.items()
    },
    **{
        f"lif, {name}": _spikes(partial(_lif, convention=convention, learn=_learn),
                                (5,), "current")
        for name, convention in _conventions.items()
    },
    **{
        f"lif, {name}": _spikes(partial(sp.lif, **options), (5,), "current")
        for name, options in _presets.items()
    },
    "lif, constants per neuron": _spikes(
        lambda: sp.lif(decay=_constants, threshold=1 - _constants), (5,), "current"
    ),
    **{
        f"lif, {name}": _spikes(partial(_lif, surrogate), (5,), "current")
        for name, surrogate in (("arctan", sp.arctan()), ("triangle", sp.triangle()),
                                ("sigmoid", sp.sigmoid()),
                                ("exponential", sp.exponential()),
                                ("scaled", sp.scaled(sp.triangle(), 0.5)))
    },
    "lif, soft twin": _spikes(
        partial(_lif, sp.soft_twin(sp.fast_sigmoid(4.0)), convention=_free), (5,), "current"
    ),
    "cuba_lif": _spikes(lambda: sp.cuba_lif(threshold=0.75), (5,), "current"),
    "alif": _spikes(lambda: sp.alif(threshold=0.5), (5,), "current"),
    **{
        f"{name}, learned, reset differentiated": _spikes(
            lambda make=make: sp.over_time(make(convention=_free)), (5,), "current")
        for name, make in _neurons.items() if name != "lif"
    },
    "over_time, potential of lif": _spikes(
        lambda: sp.over_time(_neurons["lif"](), emit="potential"), (5,), "current"
    ),
    **{
        f"recurrent, {name}": _spikes(
            lambda make=make: sp.recurrent(make(convention=_free), gain=1.0), (5,), "current")
        for name, make in _neurons.items()
    },
    **{
        f"leaky_readout, {way}": _spikes(partial(sp.leaky_readout, 0.9, reduce=way),
                                         (5,), "current")
        for way in ("mean", "max", "last")
    },
    "spike_count": _spikes(lambda: serial(_lif(), sp.spike_count()), (5,), "current"),
    "spike_count, mean": _spikes(lambda: serial(_lif(), sp.spike_count(mean=True)), (5,),
                                 "current"),
    "rate_penalty": _spikes(lambda: serial(_lif(), sp.rate_penalty(3.0, 0.1)), (5,), "current"),
    "event_lif": _spikes(lambda: sp.event_lif(_event, duration=14.0), (5,), "current"),
    "event_lif, any time constants": _spikes(
        lambda: sp.event_lif(sp.EventNeuron(3.0, 2.0, threshold=1.0), duration=14.0), (5,),
        "current",
    ),
    "event_dense": _spikes(
        lambda: serial(sp.event_lif(_event, duration=14.0),
                       sp.event_dense(3, _event, duration=14.0, gain=400.0)), (5,), "current",
    ),
    "first_spike": _spikes(
        lambda: serial(sp.event_lif(_event, duration=14.0), sp.first_spike()), (5,), "current"
    ),
    "mean_potential": _spikes(
        lambda: serial(sp.event_lif(_event, duration=14.0),
                       sp.mean_potential(_event, duration=14.0)), (5,), "current",
    ),
    "cross_entropy": Case("loss", cross_entropy),
    "cross_entropy, smoothed": Case("loss", lambda: cross_entropy(0.1)),
    "rate_error": Case("loss", lambda: rate_error(0.9, 0.1)),
    "mlp": _network(lambda: mlp(hidden=(12, 12)), (28, 28), "pixels"),
    "mlp, gelu, batch norm": _network(
        lambda: mlp(hidden=(12,), activation=ly.gelu, norm="batch"), (28, 28), "pixels"
    ),
    "cnn": _network(lambda: cnn(channels=(3, 4), hidden=(8,)), (12, 12), "pixels"),
    "cnn, each image to its own scale": _network(
        lambda: cnn(channels=(3,), hidden=(8,), scale="image"), (12, 12), "grey"
    ),
    "cnn, group norm, average pool": _network(
        lambda: cnn(channels=(8,), hidden=(16,), norm="group", pool="average"), (12, 12), "grey"
    ),
    "snn": _network(lambda: snn(hidden=(12, 12), steps=STEPS, neuron=_lively), (14, 14),
                    "pixels"),
    "snn of floats, layer norm, dropout": _network(
        lambda: snn(hidden=(12,), steps=STEPS, norm="layer", dropout_rate=0.2), (14, 14), "grey"
    ),
    "snn, latency, learned constants": _network(
        lambda: snn(hidden=(12,), steps=STEPS, encoder=sp.latency,
                    neuron=partial(_lively, learn=_learn)), (14, 14), "pixels"
    ),
    "snn, direct": _network(
        lambda: snn(hidden=(12, 12), steps=STEPS, encoder=sp.direct, neuron=_lively), (14, 14),
        "pixels",
    ),
    "snn, recomputed, spikes in bits": _network(
        lambda: snn(hidden=(12,), steps=STEPS, recompute=True, storage="bit", neuron=_lively),
        (14, 14), "pixels",
    ),
    "snn, firing rates penalised": _network(
        lambda: snn(hidden=(12, 12), steps=STEPS, neuron=_lively, rate_penalty=2.0), (14, 14),
        "pixels",
    ),
    "conv_snn": _network(lambda: conv_snn(channels=(3, 4), kernel=3, steps=STEPS), (14, 14),
                         "pixels"),
    "conv_snn, rate": _network(
        lambda: conv_snn(channels=(3, 4), kernel=3, steps=STEPS, encoder=sp.rate), (14, 14),
        "pixels",
    ),
    "event_snn": _network(lambda: event_snn(hidden=(12,), steps=STEPS), (14, 14), "pixels"),
    "multimodal": _network(lambda: _both(), _senses, "senses"),
    "multimodal, early": _network(lambda: _both(fusion="early", hearing="rate"), _senses,
                                  "senses"),
    "multimodal, late": _network(
        lambda: _both(fusion="late", vision="saccades", hearing="crossings"), _senses, "senses"
    ),
    "multimodal, sound alone": _network(lambda: _both(senses=("sound",)), _senses, "senses"),
}  # fmt: skip


_lively = partial(sp.lif, threshold=0.25)  # so few inputs hardly reach the usual threshold
_both = partial(
    multimodal, steps=6, image_hidden=(10,), sound_channels=(2,), sound_hidden=(8,), taps=2,
    bands=12, absent=0.25, neuron=_lively,
)  # fmt: skip


def _branches() -> dict[str, Layer]:
    return {"a": serial(ly.dense(4), ly.tanh()), "b": ly.dense(4)}


def _shuffled(norm: Layer) -> Layer:
    """`norm` with params that are not its initial ones and zeros."""

    def init(key, shape):
        params, shape = norm.init(key, shape)
        noise = jax.random.normal(key, (len(params), *jnp.shape(params["scale"])))
        return {k: v + n for (k, v), n in zip(params.items(), noise, strict=True)}, shape

    return norm._replace(init=init)


def _remembered() -> ly.Statistics:
    return ly.Statistics(jnp.array([0.5, -0.5, 0.0, 1.0]), jnp.array([0.5, 1.0, 2.0, 4.0]))
