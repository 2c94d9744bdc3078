"""The table of workloads: sizes and operations by hand, and products that fit the networks."""

import re

import jax
import pytest

from jaxdigits.bench import WORKLOADS, select
from jaxdigits.bench import workloads as w
from jaxdigits.bench.workloads import cuts

SHAPES = {  # the weights of each network, from the description in the table
    "W1-T25": [(784, 512), (512, 10)],
    "W2": [(784, 1000), (1000, 1000), (1000, 10)],
    "W3": [(5, 5, 1, 12), (5, 5, 12, 64), (1024, 10)],
    "W5": [(784, 800), (800, 800), (800, 10)],
    "W6": [(3, 3, 1, 32), (3, 3, 32, 64), (9216, 128), (128, 10)],
}
NETWORKS = {
    "W1-T25": lambda: w.spiking((784, 512, 10), 25),
    "W2": lambda: w.spiking((784, 1000, 1000, 10), 50),
    "W3": lambda: w.spiking_conv(25),
    "W5": lambda: w.perceptron((784, 800, 800, 10)),
    "W6": w.convolutional,
}


@pytest.mark.parametrize("name", SHAPES)
def test_networks_have_the_weights_that_the_table_says(name):
    params = jax.eval_shape(lambda k: NETWORKS[name]().init(k, (28, 28))[0], jax.random.key(0))
    weights = [leaf.shape for leaf in jax.tree.leaves(params) if len(leaf.shape) > 1]
    assert weights == SHAPES[name]
    assert name.split("-")[0] in {n.split("-")[0] for n in WORKLOADS}


@pytest.mark.parametrize("name", SHAPES)
def test_products_use_those_weights_and_the_first_layer_sends_nothing_back(name):
    products = WORKLOADS[name].products(1)
    kinds = lambda kind: [p for p in products if p.name.startswith(kind)]
    assert [p.shapes[1] for p in kinds("forward")] == SHAPES[name]
    assert [p.shapes[1] for p in kinds("input")] == SHAPES[name][:0:-1]
    assert len(kinds("weight")) == len(SHAPES[name])


@pytest.mark.parametrize("name", WORKLOADS)
def test_products_of_parts_are_those_of_the_whole(name):
    workload = WORKLOADS[name]
    of = lambda parts: sum(p.flops for p in workload.products(parts)) * parts
    assert {of(parts) for parts in workload.cuts} == {of(1)}


def test_a_batch_is_cut_into_parts_of_four_examples_or_more():
    assert cuts(128) == (1, 2, 4, 8, 16, 32)
    assert cuts(24) == (1, 2, 4)
    assert cuts(3) == (1,)


def test_operations_by_hand():
    flops = lambda name: WORKLOADS[name].flops
    # forward and weights of both layers, the input of the second: 2 T B (2·784·512 + 3·512·10)
    assert flops("W1-T25") == 2 * 25 * 128 * (2 * 784 * 512 + 3 * 512 * 10)
    assert flops("W1-T100") == 4 * flops("W1-T25")
    assert flops("W2") == 2 * 50 * 256 * 1000 * (2 * 784 + 3 * 1000 + 3 * 10)
    # the first convolution once for all steps
    conv = 2 * 128 * 24**2 * 25 * 12 + 3 * 25 * 128 * 8**2 * 25 * 12 * 64
    assert flops("W3") == 2 * (conv + 3 * 25 * 128 * 1024 * 10)
    assert flops("W4-forward") == flops("W4-backward") == 2 * 500 * 16 * 512 * 512
    assert flops("W5") == 2 * 128 * (2 * 784 * 800 + 3 * 800 * 800 + 3 * 800 * 10)
    conv = 2 * 26**2 * 9 * 32 + 3 * 24**2 * 9 * 32 * 64
    assert flops("W6") == 2 * 128 * (conv + 3 * 9216 * 128 + 3 * 128 * 10)
    assert flops("W7-snn-10000") == 2 * 25 * 10_000 * (784 * 512 + 512 * 10)
    assert flops("W7-mlp-1") == 2 * (784 * 800 + 800 * 800 + 800 * 10)
    one = 2 * 128 * (2 * 784 * 128 + 3 * 128 * 10)
    assert flops("W8-population") == flops("W8-loop") == 16 * one


def test_samples_are_those_of_all_networks():
    assert WORKLOADS["W1-T25"].samples == 128
    assert WORKLOADS["W7-mlp-10000"].samples == 10_000
    assert WORKLOADS["W8-population"].samples == WORKLOADS["W8-loop"].samples == 16 * 128


def test_a_population_shares_the_first_product_and_no_other():
    first, second = WORKLOADS["W8-population"].products(1)[:2]
    assert first.shapes == ((128, 784), (784, 16 * 128))
    assert second.shapes == ((16, 128, 128), (16, 128, 10))


def test_select_takes_names_and_groups_in_the_order_of_the_table():
    known = ["W1-a", "W1-b", "W10", "W2"]
    assert select([], known) == known
    assert select(["w2", "W1"], known) == ["W1-a", "W1-b", "W2"]
    assert select(["W1-B"], known) == ["W1-b"]
    with pytest.raises(ValueError, match="unknown workload 'W3': choose from W1-a, W1-b"):
        select(["W3"], known)


def test_every_workload_has_a_line_of_its_own_with_its_sizes():
    assert len({of.title for of in WORKLOADS.values()}) == len(WORKLOADS)
    for name, workload in WORKLOADS.items():
        networks = 16 if name.startswith("W8") else 1
        assert f"batch {workload.samples // networks}" in workload.title
    for name, weights in SHAPES.items():
        convs = [f"{shape[-1]}C{shape[0]}" for shape in weights if len(shape) == 4]
        dense = [str(shape[-1]) for shape in weights if len(shape) == 2]
        sizes = convs + dense if convs else [str(weights[0][0]), *dense]
        assert re.split("-P2-|-", WORKLOADS[name].title.split(" ")[1].rstrip(",")) == sizes
