"""The statistics of experiments, and the cutting of rows of digits."""

import itertools
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.measure import wilson
from jaxdigits.reader.automaton import weighted_sum

FOLDER = Path(__file__).parent.parent / "experiments"
bootstrap_of_pairs = runpy.run_path(str(FOLDER / "pairs.py"))["bootstrap_of_pairs"]
cutting = runpy.run_path(str(FOLDER / "cutting.py"))


def test_pairs_that_share_nothing_have_the_interval_of_examples_times_root_three():
    right = np.arange(2000) % 20 != 0
    low, high = bootstrap_of_pairs(right, np.arange(2000))
    of_examples = np.diff(wilson(int(right.sum()), 2000))
    # The product of two counts of mean and variance 1 has the variance 2 · 2 − 1.
    assert (high - low) / of_examples == pytest.approx(3**0.5, rel=0.1)
    assert low < right.mean() < high


def test_shared_recordings_widen_the_interval():
    partner = np.arange(3000) % 30
    by_recording = partner >= 3  # three recordings of thirty nobody understands
    by_chance = np.random.default_rng(0).permutation(by_recording)
    wide, narrow = (np.ptp(bootstrap_of_pairs(r, partner)) for r in (by_recording, by_chance))
    assert wide > 5 * narrow


def test_the_bootstrap_is_the_same_each_time_and_all_right_has_no_width():
    assert bootstrap_of_pairs(np.ones(50), np.zeros(50, int)) == (1.0, 1.0)
    some = np.arange(50) % 3 > 0
    partner = np.zeros(50, int)
    assert bootstrap_of_pairs(some, partner) == bootstrap_of_pairs(some, partner)


def test_the_best_path_over_cuts_is_that_of_enumeration():
    rng, automaton = np.random.default_rng(0), weighted_sum((3, 7), 5)
    score = rng.normal(-1, 2, (30, 4, 2, 10))
    score[rng.random(score.shape[:3]) < 0.3] = -np.inf
    score[0] = -np.inf  # no path at all
    score[:, 3, 1] = -np.inf  # would end behind the last piece
    spans = [(n, k) for n in range(4) for k in range(2)]
    pairs = [(a, b) for a, b in itertools.product(spans, spans) if a[0] + a[1] < b[0]]
    strings = [s for s in itertools.product(range(10), repeat=2) if automaton.accepts(s)]
    best = cutting["best_strings"](score, automaton)
    assert best[0] == []
    for row, string in zip(score[1:], best[1:], strict=True):
        total = {s: max(row[a][s[0]] + row[b][s[1]] for a, b in pairs) for s in strings}
        assert tuple(string) == max(total, key=total.get)


def test_cuts_run_through_slanted_gaps_and_segments_are_classed_by_their_ink():
    # Three slanted bars, whose columns overlap, and a bar of two halves.
    alone = np.zeros((3, 32, 96), np.float32)
    for place, start in enumerate((20, 32, 44)):
        for y in range(6, 26):
            left = start + (25 - y) // 2
            alone[place, y, left : left + (6 if place < 2 else 4)] = 1
            if place == 2:
                alone[place, y, left + 6 : left + 10] = 1
    ink, text = alone.sum(0), jnp.array([7, 1, 3])
    assert ink.any(0)[20:60].all(), "no column is free"
    images, fits, pixels = jax.jit(cutting["segments_of"])(jnp.asarray(ink))
    assert (pixels.sum(0) == 1).all(), "each pixel is in one piece"
    label, place = map(np.asarray, cutting["labels_of"](pixels, jnp.asarray(alone), text))
    fits = np.asarray(fits)
    assert set(label[fits].tolist()) == {7, 1, 3, 10}
    for digit, at in ((7, 0), (1, 1), (3, 2)):
        assert (place[label == digit] == at).all()
        image = np.asarray(images)[fits & (label == digit)] / 255
        np.testing.assert_allclose(image.sum((1, 2)), alone[at].sum(), rtol=0.05)
        middle = (image * np.arange(32)).sum((1, 2)) / image.sum((1, 2))
        np.testing.assert_allclose(middle, 16, atol=1)
    halves = np.asarray(images)[fits & (label == 10)].sum((1, 2)) / 255
    assert np.isclose(halves, alone[2].sum() / 2, rtol=0.1).any()


HLO = """
%body (p: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %a.1 = f32[8]{0} fusion(%x), kind=kLoop, calls=%fused
  ROOT %copy.2 = f32[8]{0} copy(%a.1)
}

%cond (p: (s32[], f32[4,8])) -> pred[] {
  %c = s32[]{:T(128)} constant(25)
  ROOT %lt = pred[] compare(%i, %c), direction=LT
}

ENTRY %main (x: f32[4,8]) -> f32[4,8] {
  %w.1 = (s32[], f32[4,8]) while(%t), condition=%cond, body=%body
  %w.2 = (s32[], f32[4,8]) while(%t), condition=%cond, body=%body, \
backend_config={"known_trip_count":{"n":"3"}}
  %r = (f32[800]{0}, bf16[2,3]{1,0}) all-reduce-start(%a, %b)
  ROOT %d = f32[4,8]{1,0} dot(%w.1, %w.2)
}
"""


def test_kernels_of_a_loop_count_as_often_as_it_runs(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    absent = runpy.run_path(str(FOLDER / "absent.py"))
    assert absent["count"](HLO.replace("\\\n", "")) == (2 * 25 + 2 * 3 + 1, 2)
    ((shapes, kind),) = absent["COLLECTIVE"].findall(HLO)
    assert (kind, absent["size_of"](shapes)) == ("all-reduce", 4 * 800 + 2 * 6)


def test_each_form_of_a_recurrence_is_timed():
    accelerator = runpy.run_path(str(FOLDER / "accelerator.py"))
    rows = {name: measure() for name, measure in accelerator["recurrences"](True).items()}
    assert len(rows) == 4
    assert all(list(row) == [f"blocks of {n}" for n in (1, 5, 10, 25)] for row in rows.values())
    assert accelerator["tables"]({"parts": {"recurrences": rows}}).count("ward, T = 3") == 4
