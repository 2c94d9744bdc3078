"""Augmentation: other images and sounds in each step, made on the device."""

from jaxdigits.augment.acoustic import Acoustic as Acoustic
from jaxdigits.augment.acoustic import add_noise as add_noise
from jaxdigits.augment.acoustic import change_gain as change_gain
from jaxdigits.augment.acoustic import change_speed as change_speed
from jaxdigits.augment.acoustic import change_tone as change_tone
from jaxdigits.augment.acoustic import cut_ends as cut_ends
from jaxdigits.augment.acoustic import drop_stretch as drop_stretch
from jaxdigits.augment.acoustic import other_speech as other_speech
from jaxdigits.augment.photometric import background as background
from jaxdigits.augment.photometric import blur as blur
from jaxdigits.augment.photometric import brightness as brightness
from jaxdigits.augment.photometric import contrast as contrast
from jaxdigits.augment.photometric import erase as erase
from jaxdigits.augment.photometric import invert as invert
from jaxdigits.augment.photometric import noise as noise
from jaxdigits.augment.photometric import pen as pen
from jaxdigits.augment.pixels import Augment as Augment
from jaxdigits.augment.recipes import AUGMENTS as AUGMENTS
from jaxdigits.augment.recipes import compose as compose
from jaxdigits.augment.recipes import of_hands as of_hands
from jaxdigits.augment.recipes import of_senses as of_senses
from jaxdigits.augment.recipes import one_of as one_of
from jaxdigits.augment.recipes import sometimes as sometimes
from jaxdigits.augment.warp import affine as affine
from jaxdigits.augment.warp import elastic as elastic
from jaxdigits.augment.warp import warp as warp
