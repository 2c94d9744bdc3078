"""Networks: builders that return a `Layer` from images [B, 28, 28] to logits [B, 10].

`multimodal` hears as well, and takes a dict of both.
"""

from jaxdigits.models.catalogue import NETWORKS, build
from jaxdigits.models.cnn import cnn
from jaxdigits.models.conv_snn import conv_snn
from jaxdigits.models.event_snn import event_snn
from jaxdigits.models.mlp import mlp
from jaxdigits.models.multimodal import multimodal
from jaxdigits.models.snn import snn

__all__ = ["NETWORKS", "build", "cnn", "conv_snn", "event_snn", "mlp", "multimodal", "snn"]
