"""Networks: builders that return a `Layer` from images [B, 28, 28] to logits [B, 10].

`multimodal` takes a dict of images and sounds.  `columns` and `spiking_columns` read a row of
digits in a picture of any width, for `losses.ctc`.
"""

from collections.abc import Callable as _Callable

from jaxdigits import about as _about
from jaxdigits.layer import Layer as _Layer
from jaxdigits.models.cnn import cnn as cnn
from jaxdigits.models.columns import columns as columns
from jaxdigits.models.conv_snn import conv_snn as conv_snn
from jaxdigits.models.embedding import embedding as embedding
from jaxdigits.models.event_snn import event_snn as event_snn
from jaxdigits.models.mlp import mlp as mlp
from jaxdigits.models.multimodal import multimodal as multimodal
from jaxdigits.models.snn import snn as snn
from jaxdigits.models.spiking_columns import spiking_columns as spiking_columns
from jaxdigits.models.spiking_embedding import spiking_embedding as spiking_embedding

NETWORKS: dict[str, _Callable[..., _Layer]] = _about.gather_tables(globals(), "NETWORKS")
"""builders by name; each file has its own"""
