"""Which figures a run gets, and that they show what its network does."""

import jax
import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.plots import of_network
from jaxdigits.plots.of_network import first_member
from jaxdigits.plots.of_run import drawings
from jaxdigits.runs import Run, config_for, predict
from jaxdigits.spikes import traces
from jaxdigits.train import gather_statistics
from jaxdigits.train.state import evaluation_keys

ALWAYS = ["confusion", "mistakes", "doubt", "weights", "saliency", "agreement"]
SPIKING = ["confusion", "mistakes", "doubt", "raster", "membranes", "rates", "weights",
           "saliency", "agreement"]  # fmt: skip
TIMED = ["confusion", "mistakes", "doubt", "raster", "rates", "weights", "agreement"]
SMALL = dict(hidden=[8], dropout_rate=0.0)
CASES = {
    "mlp": ("mlp", SMALL, {}, ALWAYS),
    "cnn": ("cnn", SMALL | dict(channels=[4]), {}, ALWAYS),
    "mixed": ("mlp", SMALL | dict(precision="mixed"), {}, ALWAYS),
    "alif": ("snn", SMALL | dict(steps=4, neuron="alif"), {"augment": "shift"},
            [*SPIKING[:-2], "augmentation", *SPIKING[-2:]]),
    "conv_snn": ("conv_snn", dict(channels=[4], steps=3), {}, SPIKING),
    "event_snn": ("event_snn", dict(hidden=[8], steps=4), {}, TIMED),
    "rule": ("snn", dict(hidden=[8, 8], steps=12, dropout_rate=0.0),
             {"gradient": "eprop_random"}, [*SPIKING, "alignment"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def sets():
    """80 training and 80 test digits."""
    return [d[:80] for d in digits()]


def untrained(network, options, settings):
    config = config_for(network, "digits", options=options, **settings)
    one = config.build()(training=True)
    params, _ = one.init(jax.random.key(3), (28, 28))
    image = digits()[0].inputs[:80]
    return Run(config, params, gather_statistics(one, params, image, jax.random.key(0)))


@pytest.fixture(scope="module", params=CASES)
def drawn(request, sets):
    """(run, wanted, drawings by name)"""
    *made_of, wanted = CASES[request.param]
    run = untrained(*made_of)
    return run, wanted, {d.name: d for d in drawings(run, [], *sets)}


def test_a_run_gets_the_figures_that_suit_it(drawn):
    _, wanted, found = drawn
    assert list(found) == wanted
    for drawing in found.values():
        assert drawing.title
        assert drawing.text.endswith(".")


def test_the_counts_are_those_of_its_predictions(drawn, sets):
    run, _, found = drawn
    right = (predict(run, sets[1].inputs).argmax(-1) == sets[1].label).sum()
    assert found["confusion"].figure.axes[0].get_title(loc="left") == f"{right} of 80 right"


def test_the_gradients_of_each_network_agree(drawn):
    dots = [x for x in drawn[2]["agreement"].figure.axes[0].lines if len(x.get_xdata()) == 1]
    assert dots
    assert all(dot.get_marker() == "o" for dot in dots)


def test_a_raster_is_the_residual_of_the_first_digit(drawn, sets):
    run, wanted, found = drawn
    if "membranes" not in wanted:
        return
    network, params, key = first_member(run)
    keys = evaluation_keys(key, np.arange(64))
    kept = traces(network.forward(params, sets[1].inputs[:64], keys)[1])
    for axes, layer in zip(found["raster"].figure.axes, kept, strict=True):
        spikes = np.asarray(layer.spikes[:, 0]).reshape(len(layer.spikes), -1)
        marks = {tuple(mark) for mark in axes.lines[0].get_xydata().tolist()}
        if spikes.shape[1] <= 80:
            assert marks == set(map(tuple, np.argwhere(spikes).tolist()))
        assert {step for step, _ in marks} <= set(np.nonzero(spikes)[0])
    assert any(layer.spikes[:, 0].sum() for layer in kept), "a silent network shows nothing"


def test_an_adaptive_threshold_is_not_drawn_as_a_line(drawn):
    run, wanted, found = drawn
    if "membranes" in wanted:
        lines = len(found["membranes"].figure.axes[0].lines)
        assert lines == (2 if run.config.options.get("neuron") == "alif" else 3)


def test_backpropagation_is_one_with_itself_and_random_feedback_is_not(sets):
    cosines = {}
    for gradient in ("bptt", "eprop_random"):
        run = untrained("snn", CASES["rule"][1], {"gradient": gradient})
        cosines[gradient] = of_network._alignment(run, first_member(run), sets[0])
    assert all(c == pytest.approx(1, abs=1e-5) for c in cosines["bptt"].values())
    hidden, *_, last = (c for n, c in cosines["eprop_random"].items() if "weight" in n)
    assert hidden < 0.9
    assert last == pytest.approx(1, abs=1e-5)


def test_feedback_that_is_learned_is_no_part_of_the_networks_gradient(sets):
    run = untrained("snn", CASES["rule"][1], {"gradient": "eprop_adaptive"})
    agreement, alignment = of_network.gradients_of(run, first_member(run), sets[0])
    assert (agreement.name, alignment.name) == ("agreement", "alignment")


def test_neurons_are_chosen_from_the_busiest_down_to_the_last_that_fires():
    spikes = np.zeros((10, 50))
    for n in range(20):
        spikes[: (n + 1) // 2, n] = 1
    chosen = of_network._spread(spikes)
    counts = spikes.sum(0)[chosen]
    assert len(chosen) == 5
    assert (counts[0], counts[-1]) == (10, 1)
    assert (np.diff(counts) <= 0).all()
    assert len(of_network._spread(np.zeros((10, 3)))) == 3
