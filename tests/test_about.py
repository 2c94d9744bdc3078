"""Layers remember their constructor: it is printed, found, pickled and copied."""

import copy
import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import layers as ly
from jaxdigits import models
from jaxdigits import spikes as sp
from jaxdigits.about import children_of, constructor, gather_tables
from jaxdigits.certificate import KINDS
from jaxdigits.layer import Layer, parallel, recomputed, residual, serial


def test_a_layer_has_its_constructor_and_all_arguments():
    about = ly.dense(5, gain=1.0).about
    assert about.constructor is ly.dense
    assert about.arguments == dict(n=5, bias=True, gain=1.0, precision="full")


def test_combinators_have_their_children():
    first, second = ly.dense(3), ly.tanh()
    assert serial(first, second).about.arguments["layers"] == (first, second)
    branches = {"a": first, "b": second}
    assert parallel(branches).about.arguments["branches"] == branches
    for combinator in (residual, recomputed, ly.if_present):
        assert combinator(first).about.arguments["layer"] is first
    assert [name for name, _ in children_of(serial(first, second).about)] == ["0", "1"]
    assert [name for name, _ in children_of(parallel(branches).about)] == ["a", "b"]


def test_every_layer_and_network_of_the_certificate_remembers():
    for kind in ("layers", "spikes", "networks"):
        for name, case in KINDS[kind].items():
            assert case.make().about is not None, name


def test_inside_a_layer_over_time_is_its_neuron():
    about = sp.lif(decay=0.75).about
    assert about.name == "lif"
    neuron = about.find(sp.over_time).arguments["neuron"]
    assert neuron.about.constructor is sp.lif_neuron
    assert neuron.about.arguments["decay"] == 0.75
    assert about.find(sp.recurrent) is None


def test_repr_is_the_call_without_defaults_and_a_line_for_each_layer():
    assert repr(ly.dense(5)) == "dense(n=5)"
    assert repr(sp.lif(sp.arctan(3.0), decay=0.5)) == (
        "lif(surrogate=arctan(alpha=3.0), decay=0.5)"
    )
    network = models.snn(hidden=12, threshold=0.5, dropout_rate=0.25, storage="byte")
    lines = repr(network).splitlines()
    assert lines[0] == "snn(hidden=12, dropout_rate=0.25, storage='byte', threshold=0.5)"
    assert lines[1:3] == ["  0  rate(steps=25)", "  1  flatten()"]
    stored = "spikes_stored(layer=dense(n=12, gain=0.3333333333333333), storage='byte')"
    assert lines[3] == f"  2  {stored}"
    assert lines[4].startswith("  3  lif(")
    assert len(lines) == 8
    branches = repr(parallel({"left": ly.dense(2), "right": serial(ly.tanh())}))
    assert branches == "parallel()\n  left  dense(n=2)\n  right  serial()\n    0  tanh()"


THREE_ONES = np.ones(3)


def test_arrays_and_functions_are_short():
    wide = constructor(lambda scale=THREE_ONES: ly.tanh())(np.ones(4))
    assert repr(wide) == "<lambda>(scale=array[4])"
    text = repr(sp.lif(decay=np.linspace(0.5, 0.9, 5), surrogate=sp.triangle()))
    assert text == "lif(surrogate=triangle(), decay=array[5])"
    remembered = ly.batch_norm(ly.Statistics(np.zeros(2), np.ones(2)))
    text = "batch_norm(statistics=Statistics(mean=array[2], variance=array[2]))"
    assert repr(remembered) == text
    assert repr(models.mlp(activation=partial(ly.leaky_relu, 0.1))).splitlines()[0] == (
        "mlp(activation=partial(leaky_relu))"
    )


@pytest.mark.parametrize("kind", ["layers", "spikes", "networks"])
def test_a_layer_pickles_and_is_the_same_layer(kind):
    for name, case in KINDS[kind].items():
        layer = case.make()
        if "about" not in repr(layer.init) and name.startswith(("layer_norm", "group_norm",
                                                                "batch_norm")):  # fmt: skip
            continue  # their cases move the params: that is no constructor of the library
        again = pickle.loads(pickle.dumps(layer))
        assert repr(again) == repr(layer), name


def test_a_pickled_network_computes_the_same_bits():
    network = models.snn(hidden=6, steps=5, surrogate=sp.triangle(0.5), threshold=0.25)
    again = copy.deepcopy(pickle.loads(pickle.dumps(network)))
    key, x = jax.random.key(0), jnp.full((2, 4, 4), 200, jnp.uint8)
    outputs = []
    for each in (network, again):
        params, _ = each.init(key, (4, 4))
        outputs.append(each.forward(params, x, key)[0])
    np.testing.assert_array_equal(*outputs)


def test_what_cannot_be_pickled_says_how_to_send_it():
    layer = ly.dense(3)
    own = Layer(layer.init, layer.forward, layer.backward)
    assert repr(own) == "Layer(init, forward, backward)"

    @constructor
    def local(n: int = 3) -> Layer:
        return ly.dense(n)

    assert copy.deepcopy({"net": own})["net"] is copy.copy(own) is own
    for each in (own, local()):
        with pytest.raises(pickle.PicklingError, match="send params and options"):
            pickle.dumps(each)


def test_tables_are_gathered_from_the_files_of_the_names():
    assert set(gather_tables(vars(sp), "NEURONS")) == {"lif", "alif", "cuba_lif"}
    assert set(gather_tables({"snn": models.snn}, "NETWORKS")) == {"snn"}
    assert gather_tables({"snn": models.snn}, "NOTHING") == {}
