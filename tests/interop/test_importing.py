"""Imported graphs against traces of released importers, and their gradient against JAX's."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import differentiable
from jaxdigits.interop import (
    PEERS,
    Discretisation,
    Graph,
    Node,
    from_graph,
    node_potentials,
    node_spikes,
    read_graph,
)
from jaxdigits.interop.discretise import to_metadata
from jaxdigits.spikes import Convention, sigmoid

FILES = {"lif": "lif_norse.nir", "two_lif": "two_lif_neurons.nir", "scnn": "cnn_sinabs.nir",
         "braille_bias": "braille_noDelay_bias_zero.nir",
         "braille_nobias": "braille_noDelay_noBias_subtract.nir"}  # fmt: skip
COUNT = {"lif": 6, "two_lif": 2, "scnn": 5, "braille_bias": 2, "braille_nobias": 2}


def meaning(peer):
    name, _, dt = peer.partition("_dt")
    return PEERS[name]._replace(dt=float(dt)) if dt else PEERS[name]


def run(layer, params, x):
    y, residual = jax.jit(layer.forward)(params, x, None)
    spikes, v = node_spikes(residual), node_potentials(layer, residual)
    return jax.tree.map(lambda a: np.asarray(a[:, 0]), (y, spikes, v))


def flattened_as_spyx(params):
    """Params whose dense weights meet the features in height, width, channel order."""
    weight = np.asarray(params["9"]["weight"]).reshape(4, 4, 8, -1).transpose(2, 0, 1, 3)
    return params | {"9": params["9"] | {"weight": jnp.asarray(weight.reshape(128, -1))}}


@pytest.mark.parametrize("name", FILES)
def test_spikes_of_every_layer_are_those_of_each_importer(name, shared, entries):
    graph = read_graph(shared / FILES[name])
    traces = np.load(shared / f"traces_{name}.npz")
    inputs = np.load(shared / "inputs.npz")[name.split("_")[0] if "br" in name else name]
    x = jnp.asarray(inputs, jnp.float32)[:, None]
    ours = [e for e in entries if e["graph"] == FILES[name] and e.get("reproduced")]
    assert len(ours) == COUNT[name]
    for entry in ours:
        peer = entry["peer"]
        layer, params = from_graph(graph, meaning(peer))
        params = flattened_as_spyx(params) if (name, peer) == ("scnn", "spyx") else params
        y, spikes, v = run(layer, params, x)
        np.testing.assert_array_equal(y, traces[f"{peer}/out"])
        unit = 25 if peer == "snntorch" else 1  # its membrane is ours / (1 − β)
        for key in (k for k in traces if k.startswith(f"{peer}/") and k.count("/") == 2):
            _, node, of = key.split("/")
            trace, n = traces[key], spikes[node].shape[1]
            if of == "v":
                np.testing.assert_allclose(unit * v[node], trace, atol=1e-4, rtol=0)
            else:
                packed = trace.shape[1] != n
                trace = np.unpackbits(trace, axis=1)[:, :n] if packed else trace
                np.testing.assert_array_equal(spikes[node], trace)


@pytest.mark.parametrize("name", ["braille_bias", "braille_nobias"])
def test_recurrent_current_based_neurons_of_spyx(name, shared):
    """They reset in the same step, and have no bias in the recurrent weights."""
    layer, params = from_graph(read_graph(shared / FILES[name]), PEERS["spyx"])
    params["lif1.w_rec"] = {k: p if k == "weight" else 0 * p
                            for k, p in params["lif1.w_rec"].items()}  # fmt: skip
    x = jnp.asarray(np.load(shared / "inputs.npz")["braille"], jnp.float32)[:, None]
    trace = np.load(shared / f"traces_{name}.npz")["spyx/out"]
    np.testing.assert_array_equal(run(layer, params, x)[0], trace)
    assert trace.sum() > 50


@pytest.mark.parametrize("name", ["braille_bias", "braille_nobias"])
def test_rockpool_takes_a_step_for_each_node_and_drops_the_recurrence(name, shared):
    """dt = min(tau_mem / (1 + r)) of each node: the same as other time constants at one dt."""
    graph = read_graph(shared / FILES[name])
    nodes = dict(graph.nodes)
    del nodes["lif1.w_rec"]
    for key in ("lif1.lif", "lif2"):
        values = dict(nodes[key].values)
        dt = (values["tau_mem"] / (1 + values["r"])).min()
        nodes[key] = Node(
            "CubaLIF", values | {k: values[k] / dt for k in ("tau_mem", "tau_syn")}
        )
    edges = tuple(edge for edge in graph.edges if "lif1.w_rec" not in edge)
    convention = Convention(reset_step="same", fires="at", spikes="several")
    d = Discretisation(1.0, "exact", convention, "1", synapse_gain="alpha")
    layer, params = from_graph(Graph(nodes, edges), d)
    x = jnp.asarray(np.load(shared / "inputs.npz")["braille"], jnp.float32)[:, None]
    trace = np.load(shared / f"traces_{name}.npz")["rockpool/out"]
    np.testing.assert_array_equal(run(layer, params, x)[0], trace)


def test_a_nested_graph_is_the_flat_graph_bit_for_bit(shared):
    flat = read_graph(shared / FILES["braille_bias"])
    nested = read_graph(shared / "spyx_braille_bias_zero_subgraph.nir")
    assert isinstance(nested.nodes["lif1"], Graph)
    x = jnp.asarray(np.load(shared / "inputs.npz")["braille"], jnp.float32)[:, None]
    for peer in ("spikingjelly", "sinabs"):
        one, other = (run(*from_graph(g, PEERS[peer]), x) for g in (flat, nested))
        np.testing.assert_array_equal(one[0], other[0])
        for kind in (1, 2):
            np.testing.assert_array_equal(one[kind]["lif1.lif"], other[kind]["lif1.lif1"])


@pytest.mark.parametrize(
    ("file", "match"),
    [
        ("nirviz_srnn.nir", r"node affine1: bias must be numbers, got False"),
        ("braille_noDelay_bias_zero_subgraph.nir", r"edge lif1.input -> lif: no node 'lif'"),
        ("spyx_shd.nir", r"edge input -> linear: \[128\] into a node that takes \[64\]"),
        ("braille_noDelay_bias_zero.nir", r"node lif1.lif: tau_mem = 0.00099.* is below dt"),
    ],
)
def test_graphs_that_mean_nothing_are_refused_by_name(shared, file, match):
    d = Discretisation(1e-3, "exact" if "shd" in file else "euler")
    with pytest.raises(ValueError, match=match):
        from_graph(read_graph(shared / file), d)


def test_sizes_of_one_are_dropped(shared):
    layer, params = from_graph(read_graph(shared / "lif_rockpool.nir"), PEERS["spikingjelly"])
    y, _ = layer.forward(params, jnp.ones((40, 2, 1)), None)
    assert y.shape == (40, 2, 1, 1, 1)
    assert 0 < y.mean() < 1


MEANINGS = {
    "format": Discretisation(1.0),
    "norse": PEERS["norse"]._replace(dt=1.0),
    "sinabs": PEERS["sinabs"],
    "spyx": PEERS["spyx"]._replace(dt=1.0),
    "exact": Discretisation(1.0, "exact", start="zero"),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "neuron", "peer"),
    [("recurrent", "lif", peer) for peer in ("format", "norse", "sinabs", "spyx")]
    + [("conv", "l1", "sinabs"), ("conv", "l1", "exact"), ("conv1d", "l", "spyx")],
)
def test_the_gradient_by_hand_is_that_of_jax(name, neuron, peer, graphs):
    free = name == "recurrent"
    d = MEANINGS[peer]
    d = d._replace(convention=replace(d.convention, differentiate_reset=free))
    graph = graphs[name]
    shape = tuple(graph.nodes["input"].values["shape"])
    layer, params = from_graph(graph, d, surrogate=sigmoid(2.0))
    x = np.random.default_rng(0).normal(0.2, 1.0, (7, 2, *shape))

    @jax.jit
    def both(params, x):
        y, vjp, residual = jax.vjp(lambda p, x: layer.forward(p, x, None), params, x,
                                   has_aux=True)  # fmt: skip
        y_bar = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
        return layer.backward(params, residual, y_bar), vjp(y_bar), node_spikes(residual)

    by_hand, by_jax, spikes = both(params, jnp.asarray(x))
    assert spikes[neuron].mean() > 0.02
    for ours, theirs in zip(*map(jax.tree.leaves, (by_hand, by_jax)), strict=True):
        assert np.abs(theirs).max() > 0
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * np.abs(theirs).max())


def test_an_imported_graph_is_tuned(graphs):
    """Ten steps down the slope of a loss, through `differentiable`."""
    layer, params = from_graph(graphs["recurrent"], Discretisation(1.0))
    x = jnp.asarray(np.random.default_rng(0).normal(0.2, 1.0, (8, 16, 4)), jnp.float32)
    apply = differentiable(layer)
    loss = lambda p: ((apply(p, x, None).mean(0) - jnp.array([0.0, 0.5, 1.0])) ** 2).mean()
    step = jax.jit(lambda p: jax.tree.map(lambda a, g: a - 0.05 * g, p, jax.grad(loss)(p)))
    before, start = loss(params), params
    for _ in range(10):
        params = step(params)
    assert loss(params) < 0.9 * before
    assert all(
        (a != b).any() for a, b in zip(*map(jax.tree.leaves, (params, start)), strict=True)
    )


def test_late_edges_deliver_one_step_later(make):
    """By hand: β = 1/2, gain 1, θ = 3/4; its spike comes back as 1/2 a step later."""
    lif = make.lif(1, tau=2.0, r=2.0, v_leak=0.0, v_threshold=0.75)
    loop = Node("Linear", {"weight": np.array([[0.5]])})
    graph = make.chain(input=make.end("Input", 1), lif=lif, output=make.end("Output", 1))
    graph = Graph({**graph.nodes, "w": loop}, (*graph.edges, ("lif", "w"), ("w", "lif")))
    layer, params = from_graph(graph, Discretisation(1.0))
    x = jnp.array([1.0, 0.25, 0.0, 0.75]).reshape(4, 1, 1)
    _, residual = layer.forward(params, x, None)
    trace = residual["lif"]
    # v: 1 (spike, to 0); 0.25 + 0.5 = 0.75 is not above; 0.375; 0.1875 + 0.75 (spike)
    np.testing.assert_array_equal(trace.v.ravel(), [1.0, 0.75, 0.375, 0.9375])
    np.testing.assert_array_equal(trace.spikes.ravel(), [1, 0, 0, 1])


def test_delays_are_whole_steps_by_neuron(make):
    delay = Node("Delay", {"delay": np.array([0.0, 0.1, 0.3])})
    graph = make.chain(input=make.end("Input", 3), d=delay, output=make.end("Output", 3))
    layer, params = from_graph(graph, Discretisation(0.1))
    x = jnp.arange(1.0, 19.0).reshape(6, 1, 3)
    y, _ = layer.forward(params, x, None)
    for n, steps in enumerate((0, 1, 3)):
        np.testing.assert_array_equal(y[steps:, 0, n], x[: 6 - steps, 0, n])
        assert not y[:steps, 0, n].any()
    with pytest.raises(ValueError, match=r"node d: delay must be whole steps of dt = 0\.07"):
        from_graph(graph, Discretisation(0.07))


def test_without_a_discretisation_it_asks(make):
    graph = make.chain(input=make.end("Input", 3), l=make.lif(3, tau=1e-3),
                       output=make.end("Output", 3))  # fmt: skip
    with pytest.raises(
        ValueError, match=r"how long a step is.*those that fit: snntorch, norse, "
    ):
        from_graph(graph)


def test_a_discretisation_counts_more_than_the_metadata(make):
    graph = make.chain(input=make.end("Input", 3), l=make.lif(3), output=make.end("Output", 3))
    graph = graph._replace(metadata=to_metadata(Discretisation(1.0)))
    assert from_graph(graph)[0].about.arguments["discretisation"] == Discretisation(1.0)
    with pytest.warns(UserWarning, match="another discretisation than this one, which counts"):
        layer, _ = from_graph(graph, Discretisation(0.5))
    assert layer.about.arguments["discretisation"].dt == 0.5


def values(node, **changes):
    return node._replace(values={**node.values, **changes})


def test_bad_nodes_are_refused_by_name(make):
    lif, ends = make.lif(3), (make.end("Input", 3), make.end("Output", 3))
    cases = {
        "node l: tau must be > 0, got -1": values(lif, tau=np.array([1.0, -1, 1])),
        r"node l: tau is \[3\], but r is \[2\]": values(lif, r=np.ones(2)),
        r"edge i -> l: \[3\] into a node that takes \[4\]": make.lif(4),
        "node l: tau = 0.5 is below dt = 1": make.lif(3, tau=0.5),
        "node l: LIF needs tau": Node("LIF", {"r": np.ones(3)}),
        "node l: LIF has no value 'x'": values(lif, x=np.ones(3)),
        "node l: r has numbers that are not finite": make.lif(3, r=np.nan),
        "node l: unknown kind 'Izhikevich'": Node("Izhikevich", {}),
        r"node l: bias must be \[3\], got \[2\]":
            Node("Affine", {"weight": np.ones((3, 3)), "bias": np.ones(2)}),
    }  # fmt: skip
    for match, node in cases.items():
        with pytest.raises(ValueError, match=match):
            from_graph(make.chain(i=ends[0], l=node, o=ends[1]), Discretisation(1.0))


def test_bad_wires_are_refused_by_name(make):
    i, o, lin = make.end("Input", 3), make.end("Output", 3), make.affine(3, 3)
    cases = {
        "edge i -> x: no node 'x'": ({"i": i, "o": o}, (("i", "x"), ("i", "o"))),
        "edge i -> o is there twice": ({"i": i, "o": o}, (("i", "o"), ("i", "o"))),
        "node a: a cycle without a neuron": (
            {"i": i, "a": lin, "b": lin, "o": o},
            (("i", "a"), ("a", "b"), ("b", "a"), ("b", "o")),
        ),
        "the graph needs one Input node, it has 0": ({"o": o}, ()),
        "node a: not reached from the input i": ({"i": i, "a": lin, "o": o}, (("i", "o"),)),
    }
    for match, (nodes, edges) in cases.items():
        with pytest.raises(ValueError, match=match):
            from_graph(Graph(nodes, edges), Discretisation(1.0))


def test_bad_inputs_and_discretisations_are_refused(graphs):
    layer, params = from_graph(graphs["conv1d"], Discretisation(1.0))
    with pytest.raises(ValueError, match=r"the graph takes \[T, B, 2, 9\], got \(4, 1, 9, 2\)"):
        layer.forward(params, jnp.ones((4, 1, 9, 2)), None)
    with pytest.raises(ValueError, match="convert spikes to floats"):
        layer.forward(params, jnp.ones((4, 1, 2, 9), int), None)
    for d, match in {
        Discretisation(0.0): "dt must be > 0, got 0.0",
        Discretisation(1.0, decay="trapezoid"): "decay must be one of euler, exact",
        "norse": "must be a Discretisation or PEERS",
    }.items():
        with pytest.raises(ValueError, match=match):
            from_graph(graphs["conv1d"], d)
