"""Folds: each image is held out once, a fold is `fit` alone, and copies stay together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.runs.usual import config_for
from jaxdigits.search.finals import FRESH, fresh_seeds, train_anew
from jaxdigits.search.folds import fold_count, folds_of
from jaxdigits.search.groups import Facts, member_of, trial_seed
from jaxdigits.search.lanes import FOLD, Judgement, Task, compiled_lanes, joined, train_tasks
from jaxdigits.search.protocol import TRIAL, extend
from jaxdigits.search.records import next_rung, trials_of
from jaxdigits.search.space import Real, Space
from jaxdigits.search.work import Hooks, Plan, Work, cost_of
from jaxdigits.train import fit

SPACE = Space(network="mlp", hidden=(8,), batch=16, learning_rate=Real(1e-3, 3e-2, log=True))
DATA = digits()[0][:120]
FOLDS = folds_of(DATA.label, 3, seed=0)


@pytest.mark.parametrize("count", [3, 5])
def test_each_image_is_held_out_once_and_classes_have_their_share(count):
    label = digits()[0].label[: 40 * count]
    folds = folds_of(label, count, seed=0)
    assert folds.valid.shape[0] == folds.train.shape[0] == count
    assert len(set(folds.valid.ravel().tolist())) == folds.valid.size >= len(label) - 2 * count
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(train) & set(valid)
        shares = np.bincount(label[valid], minlength=10) * count - np.bincount(label)
        assert np.abs(shares).max() <= 2 * count
    assert (folds_of(label, count, seed=0).train == folds.train).all()
    assert folds_of(label, count, seed=1).valid.tolist() != folds.valid.tolist()


def test_a_group_is_in_one_fold():
    label = np.tile(np.arange(4), 30)
    groups = np.repeat(np.arange(15), 8)
    folds = folds_of(label, 3, seed=0, groups=groups)
    homes = [set(groups[valid].tolist()) for valid in folds.valid]
    assert len(set.union(*homes)) == sum(map(len, homes)) == 15
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(groups[train]) & set(groups[valid])
    with pytest.raises(ValueError, match="2 groups cannot be in 3 folds"):
        folds_of(label, 3, seed=0, groups=label % 2)


def test_few_images_have_folds_and_many_a_split():
    assert fold_count(60_000, 5_000) == 1
    assert fold_count(1437, 119) == 3
    assert fold_count(100, 8) == 5


def test_a_fold_in_a_lane_is_fit_alone_on_its_rows(float64):
    config = config_for("mlp", "digits", epochs=2, batch=16, options=dict(hidden=(8,)))
    hyper = {"learning_rate": 5e-3, "weight_decay": 0.01}
    lanes, pool = compiled_lanes(config, DATA, DATA, 2, folds=FOLDS), {}
    tasks = [Task(i, 7 + i, hyper, 2, fold) for i, fold in enumerate((2, 0, 1))]
    judged = train_tasks(lanes, tasks, pool, DATA, DATA)
    for task in tasks:
        train, valid = DATA[FOLDS.train[task.fold]], DATA[FOLDS.valid[task.fold]]
        numbers = {name: jnp.asarray(value, float) for name, value in hyper.items()}
        recipe = member_of(config, len(train))(numbers)
        fitted = fit(recipe, train, valid, jax.random.key(task.seed))
        ours, theirs = (jax.tree.leaves(p) for p in (pool[task.trial][1].params, fitted.params))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
        best = fitted.history[fitted.best_epoch - 1]["valid_accuracy"]
        assert judged[task.trial].accuracy == pytest.approx(best)
    assert FOLD not in hyper


def test_a_score_is_of_all_held_out_images_together():
    parts = [Judgement(a, 1.0 + i, np.arange(4) < 4 * a, 8.0) for i, a in enumerate((0.5, 1.0))]
    both = joined(parts)
    assert both[:2] == (0.75, 1.5)
    assert both.right.tolist() == [True, True, False, False] + [True] * 4
    assert joined([*parts, parts[0]._replace(accuracy=-1.0)]).accuracy == -1


def test_a_search_with_folds_goes_on_with_the_states_of_all():
    plan = Plan(SPACE, Facts("digits", None, 3), seed=4, folds=3)
    work, records, pool = Work(plan, DATA, DATA, FOLDS), [], {}
    extend(work, records, pool, Hooks(may_start=lambda epochs, _: len(records) < 2))
    trials = trials_of(records)
    assert len(trials) == 24
    assert len(trials[0].right) == FOLDS.valid.size
    assert trials[0].scores[1].accuracy == trials[0].right.mean()
    rung = next_rung(records)
    assert rung is not None
    assert sorted(pool) == sorted(3 * t + fold for t in rung.trials for fold in range(3))
    assert cost_of(work, rung)[0] == 16
    best = trials[rung.trials[0]]
    final = train_anew(work, best, fresh_seeds(4, 2))
    assert final.right.shape == (2, FOLDS.valid.size)
    assert final.seed in [trial_seed(4, FRESH, i) for i in range(2)]
    assert TRIAL != FRESH
