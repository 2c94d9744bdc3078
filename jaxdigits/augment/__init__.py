"""Augmentation: other images and sounds in each step, made on the device."""

from jaxdigits.augment.acoustic import (
    Acoustic,
    add_noise,
    change_gain,
    change_speed,
    change_tone,
    cut_ends,
    drop_stretch,
    other_speech,
)
from jaxdigits.augment.photometric import (
    background,
    blur,
    brightness,
    contrast,
    erase,
    invert,
    noise,
)
from jaxdigits.augment.pixels import Augment
from jaxdigits.augment.recipes import AUGMENTS, compose, of_senses, one_of, sometimes
from jaxdigits.augment.warp import affine, elastic, warp

__all__ = [
    "AUGMENTS",
    "Acoustic",
    "Augment",
    "add_noise",
    "affine",
    "background",
    "blur",
    "brightness",
    "change_gain",
    "change_speed",
    "change_tone",
    "compose",
    "contrast",
    "cut_ends",
    "drop_stretch",
    "elastic",
    "erase",
    "invert",
    "noise",
    "of_senses",
    "one_of",
    "other_speech",
    "sometimes",
    "warp",
]
