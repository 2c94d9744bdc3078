"""An imported graph as a network of images: its input, its logits and its gradient."""

import jax
import numpy as np
import pytest

from jaxdigits.gradients import check
from jaxdigits.interop import Discretisation, Node, from_graph, image_graph, node_spikes
from jaxdigits.interop.discretise import to_metadata
from jaxdigits.layer import serial
from jaxdigits.spikes import rate

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).integers(0, 256, (3, 6, 5)).astype(np.uint8)


@pytest.fixture
def of_shape(make):
    """A function that makes a graph of weights and neurons on inputs of a shape."""

    def graph(*shape):
        flat = dict(start_dim=np.array(0), end_dim=np.array(-1), input_type=np.array(shape))
        nodes = make.chain(
            input=make.end("Input", *shape), flat=Node("Flatten", flat),
            fc=make.affine(4, 30), lif=make.lif(4, v_threshold=2.5),
            output=make.end("Output", 4),
        )  # fmt: skip
        return nodes._replace(metadata=to_metadata(Discretisation(1.0)))

    return graph


@pytest.mark.parametrize("shape", [(30,), (6, 5), (1, 6, 5)])
@pytest.mark.parametrize("readout", ["mean", "sum", "max", "last"])
def test_the_graph_meets_encoded_pixels_and_its_outputs_are_reduced(of_shape, shape, readout):
    graph = of_shape(*shape)
    network = image_graph(graph, steps=7, readout=readout, classes=4)
    params, features = network.init(KEY, (6, 5))
    logits, _ = network.forward(params, IMAGE, KEY)
    layer, weights = from_graph(graph)
    x, _ = serial(rate(7)).forward(((),), IMAGE, KEY)
    y, residual = layer.forward(weights, x.reshape(7, 3, *shape), None)
    reduced = {"mean": y.mean(0), "sum": y.sum(0), "max": y.max(0), "last": y[-1]}
    np.testing.assert_allclose(logits, reduced[readout], rtol=1e-6)
    assert features == (4,)
    assert node_spikes(residual)["lif"].any()


def test_its_gradient_agrees_with_jax(of_shape):
    network = image_graph(of_shape(1, 6, 5), steps=4, encoder="direct", classes=4)
    params, _ = network.init(KEY, (6, 5))
    assert check(network, params, IMAGE, KEY).ok


def test_other_images_classes_and_graphs_are_rejected_by_name(of_shape):
    graph = of_shape(30)
    with pytest.raises(ValueError, match=r"input is \[30\], and the images are \[28, 28\]"):
        image_graph(graph, classes=4).init(KEY, (28, 28))
    with pytest.raises(ValueError, match=r"output is \[4\], not 10 classes"):
        image_graph(graph)
    with pytest.raises(ValueError, match=r"name a discretisation; those that fit: .*snntorch"):
        image_graph(graph._replace(metadata={}), classes=4)
