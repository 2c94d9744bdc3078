"""A trial in a lane is the network that `fit` trains alone, however late it came there."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.losses import cross_entropy
from jaxdigits.runs.usual import config_for
from jaxdigits.search.buildable import require_buildable
from jaxdigits.search.groups import (
    Facts,
    all_groups,
    config_of,
    default_settings,
    group_of,
    hyper_of,
    member_of,
    settings_in,
    trial_seed,
)
from jaxdigits.search.lanes import Task, compiled_lanes, like_state, train_tasks
from jaxdigits.search.space import Choice, Real, Space
from jaxdigits.train import fit
from jaxdigits.train.evaluate import logits_of

FACTS = Facts("digits", None, 3)
SPACE = Space(
    network="mlp", hidden=Choice((16,), (8, 8)), learning_rate=Real(1e-3, 3e-2, log=True),
    weight_decay=Real(1e-5, 1e-1, log=True), ema=0.9, batch=32,
)  # fmt: skip


@pytest.fixture(scope="module")
def parts():
    train, _ = digits()
    return train[:200], train[200:260]


def tasks_of(config, count, epochs):
    rates = np.geomspace(1e-3, 1e-2, count)
    return [
        Task(i, trial_seed(7, i), {"learning_rate": float(rate), "weight_decay": 0.01 * i}, n)
        for i, (rate, n) in enumerate(zip(rates, epochs, strict=True))
    ]


def alone(config, task, parts):
    # As arrays: a schedule in float32 times a Python float is in float32.
    hyper = {name: jnp.asarray(value, float) for name, value in task.hyper.items()}
    recipe = member_of(config, len(parts[0]))(hyper)
    return fit(recipe, *parts, jax.random.key(task.seed))


@pytest.mark.parametrize("network", ["mlp", "cnn", "snn"])
def test_a_member_that_came_late_and_moved_is_fit_alone_in_float64(float64, network, parts):
    options = dict(
        mlp=dict(hidden=(16,)), cnn=dict(channels=(4, 4), hidden=(8,)),
        snn=dict(hidden=(16,), steps=4),
    )[network]  # fmt: skip
    config = config_for(network, "digits", epochs=3, batch=32, ema=0.9, options=options)
    lanes = compiled_lanes(config, *parts, width=2)
    first, second, third = tasks_of(config, 3, [1, 3, 1])
    pool = {}
    train_tasks(lanes, [first, second, third], pool, *parts)  # third follows first in its lane
    rest = [third._replace(epochs=2), first._replace(epochs=2)]  # and both change lanes
    judged = train_tasks(lanes, rest, pool, *parts)
    assert sorted(judged) == [0, 2]
    for task in (first, second, third) if network == "mlp" else (third,):
        fitted = alone(config, task, parts)
        best = pool[task.trial][1]
        assert int(best.epoch) == fitted.best_epoch
        for ours, theirs in zip(
            jax.tree.leaves((best.params, best.statistics)),
            jax.tree.leaves((fitted.params, fitted.statistics)), strict=True,
        ):  # fmt: skip
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * max(scale, 1))


@pytest.mark.parametrize("network", ["mlp", "snn"])
def test_traced_numbers_are_those_of_a_configuration(float64, network, parts):
    own = dict(mlp={}, snn=dict(steps=4))[network]
    base = config_for(network, "digits", epochs=2, batch=32, options=dict(hidden=(16,)) | own)
    fields = dict(smoothing=0.15, ema=0.8)
    options = dict(dropout_rate=0.3) | (dict(decay=0.7, threshold=0.8) if own else {})
    rates = dict(learning_rate=3e-3, weight_decay=0.05)
    lanes, pool = compiled_lanes(base, *parts, 2), {}
    train_tasks(lanes, [Task(0, 9, rates | fields | options, 2)], pool, *parts)
    config = replace(base, **fields, options=dict(base.options) | options)
    fitted = alone(config, Task(0, 9, rates, 2), parts)
    trained = jax.tree.leaves(pool[0][1].params), jax.tree.leaves(fitted.params)
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_the_width_changes_last_bits_alone_and_no_neighbour_disturbs(parts):
    config = config_for("mlp", "digits", epochs=2, batch=32, options=dict(hidden=(16,)))
    tasks = tasks_of(config, 5, [2] * 5)
    tasks[2] = tasks[2]._replace(hyper={"learning_rate": 1e30, "weight_decay": 0.0})
    pools, judgements = [], []
    for width in (2, 4):
        pools.append({})
        lanes = compiled_lanes(config, *parts, width)
        judgements.append(train_tasks(lanes, tasks, pools[-1], *parts))
    for trial in (0, 1, 3, 4):
        for a, b in zip(*(jax.tree.leaves(pool[trial]) for pool in pools), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        a, b = (judged[trial] for judged in judgements)
        assert a[:2] == b[:2]
    assert judgements[0][2].accuracy == -1


def test_a_judgement_is_without_smoothing(parts):
    config = config_for("mlp", "digits", epochs=1, batch=32, options=dict(hidden=(16,)))
    assert config.smoothing > 0
    lanes, task = compiled_lanes(config, *parts, 2), tasks_of(config, 1, [1])[0]
    ticks, pool = [], {}
    judged = train_tasks(lanes, [task], pool, *parts, tick=ticks.append)[0]
    network = config.build()(training=False)
    key, valid = jax.random.key(task.seed), parts[1]
    logits, _ = logits_of(network, pool[0][1].params, valid.inputs, key)
    assert judged.cross_entropy == pytest.approx(
        float(cross_entropy().value(logits, valid.label)), rel=1e-3
    )
    assert judged.accuracy == pytest.approx(ticks[0][0][1]["valid_accuracy"])
    assert judged.right.tolist() == (np.argmax(logits, -1) == valid.label).tolist()
    shapes = jax.tree.map(lambda a: (a.shape, a.dtype), like_state(lanes, task, parts[0]))
    assert shapes == jax.tree.map(lambda a: (a.shape, a.dtype), pool[0])


def test_groups_begin_with_the_default_and_differ_in_static_settings():
    groups = all_groups(SPACE, FACTS, seed=0)
    # The hand-tuned widths are in no choice, so the first value stands for them.
    assert groups == [{"hidden": (16,)}, {"hidden": (8, 8)}]
    group = group_of(SPACE, groups[1], FACTS)
    assert group.names == ("learning_rate", "weight_decay")
    settings = settings_in(SPACE, group, {"learning_rate": 0.0, "weight_decay": 1.0})
    config = config_of(settings, FACTS, seed=5)
    assert (config.learning_rate, config.weight_decay, config.ema) == (1e-3, 0.1, 0.9)
    assert (config.options["hidden"], config.seed) == (groups[1]["hidden"], 5)
    assert hyper_of(group, settings) == {"learning_rate": 1e-3, "weight_decay": 0.1}
    default = default_settings(SPACE, FACTS)[0]
    assert (default["learning_rate"], default["ema"]) == (1e-3, 0.9)


def test_several_networks_have_entries_of_their_own():
    space = Space(**{
        "network": Choice("mlp", "snn"), "learning_rate": Real(1e-3, 1e-2, log=True),
        "mlp.hidden": Choice((16,), (8,), when=("network", "mlp")),
        "snn.hidden": Choice((12,), (9,), when=("network", "snn")),
    })  # fmt: skip
    groups = [group_of(space, g, FACTS).config for g in all_groups(space, FACTS, 0)]
    assert [c.network for c in groups[:2]] == ["mlp", "snn"]
    both = {(c.network, c.options["hidden"]) for c in groups}
    assert both == {("mlp", (16,)), ("mlp", (8,)), ("snn", (12,)), ("snn", (9,))}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (dict(dropout_rate=Real(0.5, 1.5)), r"dropout_rate must be in \[0"),
        (dict(learning_rate=Real(-1.0, 1.0)), "learning_rate must be"),
        (dict(norm=Choice("batch", "lair")), "norm must be one of"),
        (dict(speed=Real(0.5, 1.5)), "'speed'"),
        (dict(input_noise=Real(0.0, 0.3)), r"input_noise 0..0.3 holds 0, .* write 0\|low"),
    ],
)
def test_a_space_is_checked_at_its_ends_before_anything_runs(entries, message):
    with pytest.raises((ValueError, KeyError), match=message):
        require_buildable(Space(network="mlp", **entries), FACTS)
