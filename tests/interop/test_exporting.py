"""Networks as graphs: the same spikes after export and import, or a reason why not."""

import itertools

import jax
import jax.numpy as jnp
import nir
import numpy as np
import pytest

from jaxdigits import cnn, conv_snn, event_snn, layers, mlp, serial, snn, spikes
from jaxdigits.interop import (
    PEERS,
    Discretisation,
    from_graph,
    node_spikes,
    read_graph,
    to_graph,
    write_graph,
)
from jaxdigits.spikes import Convention

STEPS, IMAGE = 6, (12, 12)
KEY = jax.random.key(1)
INNER = {
    "rate": (snn, dict(hidden=(9, 7), threshold=0.25)),
    "direct": (snn, dict(hidden=(9, 7), encoder="direct", threshold=0.25)),
    "cuba": (snn, dict(hidden=(9,), encoder="latency", neuron="cuba_lif", threshold=0.25)),
    "learned": (snn, dict(hidden=(9,), threshold=0.25, learn=("decay", "threshold"))),
    "conv": (conv_snn, dict(channels=(3, 4), kernel=3, norm=None, pool="average",
                            threshold=0.0625)),
    "conv rate": (conv_snn, dict(channels=(3,), kernel=3, norm=None, pool="average",
                                 encoder="rate", threshold=0.0625)),
    "conv norm": (conv_snn, dict(channels=(3,), kernel=3, norm="batch", pool="average",
                                 encoder="rate", threshold=0.25,
                                 statistics=[layers.Statistics(np.ones(3) / 8, np.ones(3))])),
}  # fmt: skip


def images():
    return jnp.asarray(np.random.default_rng(0).random((3, *IMAGE)), jnp.float32)


def compared(network, tmp_path, discretisation=None):
    """Export, write, type-check by nir, read and import; compare spikes; return the notes."""
    params, _ = network.init(KEY, IMAGE)
    graph = to_graph(network, params, IMAGE, discretisation)
    path = tmp_path / "network.nir"
    write_graph(path, graph)
    assert set(nir.read(path).nodes) == set(graph.nodes)
    layer, theirs = from_graph(read_graph(path))
    shape = tuple(graph.nodes["input"].values["shape"])

    @jax.jit
    def both(params, theirs, x):
        y, residual = network.forward(params, x, KEY)
        first = entered(network, params, x, shape)
        potential, other = layer.forward(theirs, first, None)
        ours = [t.spikes for t in spikes.traces(residual)]
        outputs = y, potential.mean(0) if "readout" in str(graph.edges) else potential.sum(0)
        return [channels_first(s) for s in ours], node_spikes(other), outputs

    ours, others, outputs = both(params, theirs, images())
    np.testing.assert_allclose(*outputs, atol=1e-5)
    others = [s for name, s in others.items() if "readout" not in name]
    for one, other in zip(ours, others, strict=True):
        np.testing.assert_array_equal(one.reshape(other.shape), other)
        assert other.any()
    return graph


def channels_first(s):
    return jnp.moveaxis(s, -1, 2) if s.ndim == 5 else s


def entered(network, params, x, shape):
    """The output of the layers in front of the graph, at each step."""
    from jaxdigits.interop.exporting import ENTRIES
    from jaxdigits.keys import fold_in

    row = network.about.find(serial).arguments["layers"]
    for i, (layer, p) in enumerate(zip(row, params, strict=True)):
        if layer.about.constructor not in ENTRIES:
            break
        x, _ = layer.forward(p, x, fold_in(KEY, i))
    x = jnp.broadcast_to(x, (STEPS, *x.shape)) if x.ndim == len(shape) + 1 else x
    return channels_first(x)


@pytest.mark.parametrize("name", INNER)
def test_a_network_leaves_and_comes_back_with_its_spikes(name, tmp_path):
    build, options = INNER[name]
    graph = compared(build(steps=STEPS, training=False, **options), tmp_path)
    assert any("take their mean over all steps" in note for note in graph.notes)
    assert any("resets by subtraction" in note for note in graph.notes)


CONVENTIONS = [
    Convention(reset, step, fires, several, since, gain=gain, normalise=gain != 1)
    for i, (reset, step, fires, several, since, gain) in enumerate(
        itertools.product(("subtract", 0.125), ("next", "same"), ("above", "at"),
                          ("one", "several"), ("new", "old"), (1.0, 8.0))
    )
    if i % 5 == 0
]  # fmt: skip


@pytest.mark.parametrize("convention", CONVENTIONS, ids=range(len(CONVENTIONS)))
def test_each_convention_leaves_and_comes_back(convention, tmp_path):
    constants = dict(threshold=0.25, decay=0.75, convention=convention)
    network = serial(
        spikes.rate(STEPS), layers.flatten(), layers.dense(8),
        spikes.recurrent(spikes.lif_neuron(**constants)), layers.dense(5),
        spikes.cuba_lif(**constants), spikes.spike_count(),
    )  # fmt: skip
    compared(network, tmp_path)


def test_a_discretisation_of_another_kind_writes_other_numbers(tmp_path):
    network = snn(hidden=(9,), steps=STEPS, threshold=0.25, training=False)
    params, _ = network.init(KEY, IMAGE)
    d = Discretisation(0.5, "exact", Convention(), input_gain="r")
    compared(network, tmp_path, d)
    tau = to_graph(network, params, IMAGE, d).nodes["3_lif"].values["tau"]
    np.testing.assert_allclose(np.exp(-0.5 / tau), 0.95, rtol=1e-6)
    euler = to_graph(network, params, IMAGE, dt=0.5).nodes["3_lif"].values["tau"]
    np.testing.assert_allclose(euler, 10.0, rtol=1e-6)


def test_what_a_graph_cannot_say_is_refused_by_name():
    options = dict(steps=STEPS, training=False)
    cases = {
        r"layer 3, alif: NIR has no neuron 'alif_neuron'": snn(neuron="alif", **options),
        r"layer \d, dropout: drops neurons; build .*training=False": snn(steps=STEPS),
        r"layer 3, max_pool: NIR has no such node": conv_snn(norm=None, **options),
        r"batch_norm folds into .* with training=False": conv_snn(pool="average", steps=STEPS),
        r"relu: NIR has no such node": mlp(training=False),
        r"layer 3, max_pool": cnn(norm=None, training=False),
        r"event_lif: NIR has no such node": event_snn(),
        "computes in mixed precision": snn(precision="mixed", **options),
        "network, snn: build it with recompute=False": snn(recompute=True, **options),
        r"lif: .*decay of 1 lets no input": serial(
            layers.flatten(), layers.dense(3), spikes.lif(decay=np.array([1, 0.5, 0.5]))),
    }  # fmt: skip
    for match, network in cases.items():
        shape = (28, 28)
        params, _ = network.init(KEY, shape)
        with pytest.raises(ValueError, match=match):
            to_graph(network, params, shape)


def test_how_spikes_are_stored_makes_no_difference():
    build = lambda storage: snn(hidden=(9,), steps=STEPS, storage=storage, training=False)
    params, _ = build("full").init(KEY, IMAGE)
    full, bit = (to_graph(build(storage), params, IMAGE) for storage in ("full", "bit"))
    assert list(full.nodes) == list(bit.nodes)
    assert list(full.nodes)[1:4] == ["1_flatten", "2_dense", "3_lif"]
    for one, other in zip(full.nodes.values(), bit.nodes.values(), strict=True):
        for key, value in one.values.items():
            np.testing.assert_array_equal(value, other.values[key])


def test_a_step_is_named_once():
    network = snn(hidden=(9,), steps=STEPS, training=False)
    params, _ = network.init(KEY, IMAGE)
    with pytest.raises(ValueError, match="a discretisation has its own dt: leave out one"):
        to_graph(network, params, IMAGE, PEERS["spyx"], dt=1e-3)


def test_another_convention_than_the_discretisation_is_refused():
    network = snn(hidden=(9,), steps=STEPS, training=False)
    params, _ = network.init(KEY, IMAGE)
    with pytest.raises(ValueError, match="layer 3, lif: reset is 'subtract', and the discret"):
        to_graph(network, params, IMAGE, PEERS["norse"])


@pytest.mark.parametrize("name", ["recurrent", "conv", "conv1d"])
def test_a_tuned_graph_leaves_again(name, graphs, tmp_path):
    layer, params = from_graph(graphs[name], Discretisation(1.0))
    tuned = jax.tree.map(lambda p: p + 0.125, params)
    write_graph(tmp_path / "g.nir", to_graph(layer, tuned, ()))
    nir.read(tmp_path / "g.nir", type_check=name != "conv")  # its types leave groups out
    _, back = from_graph(read_graph(tmp_path / "g.nir"))
    for one, other in zip(*map(jax.tree.leaves, (tuned, back)), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r"its own discretisation and dt = 1: leave it out"):
        to_graph(layer, tuned, (), PEERS["norse"])
    with pytest.raises(ValueError, match=r"its own discretisation and dt = 1: leave it out"):
        to_graph(layer, tuned, (), dt=1e-3)
