"""Layers without memory, each with a `backward` derived by hand."""

from jaxdigits.layers.activation import gelu, leaky_relu, relu, tanh
from jaxdigits.layers.conv import conv2d
from jaxdigits.layers.dense import dense
from jaxdigits.layers.dropout import dropout
from jaxdigits.layers.noise import gaussian_noise
from jaxdigits.layers.norm import (
    Statistics,
    batch_norm,
    batch_statistics,
    group_norm,
    image_norm,
    layer_norm,
)
from jaxdigits.layers.pool import average_pool, max_pool
from jaxdigits.layers.reshape import add_channel, add_row, flatten, standardise
from jaxdigits.layers.senses import if_present, modality_dropout, pick
from jaxdigits.layers.spectrogram import log_bands, log_mel
from jaxdigits.layers.speech import spoken_frames, subtract_mean

__all__ = [
    "Statistics",
    "add_channel",
    "add_row",
    "average_pool",
    "batch_norm",
    "batch_statistics",
    "conv2d",
    "dense",
    "dropout",
    "flatten",
    "gaussian_noise",
    "gelu",
    "group_norm",
    "if_present",
    "image_norm",
    "layer_norm",
    "leaky_relu",
    "log_bands",
    "log_mel",
    "max_pool",
    "modality_dropout",
    "pick",
    "relu",
    "spoken_frames",
    "standardise",
    "subtract_mean",
    "tanh",
]
