"""The lattice against the enumeration of all strings, and of all alignments."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from jaxdigits.losses import ctc
from jaxdigits.reader import (
    best_alignment,
    log_partition,
    make_format,
    marginals,
    pattern,
    search,
)
from jaxdigits.reader.lattice import of_each

BATCH, FRAMES = 3, 5
STRINGS = [s for n in range(4) for s in itertools.product(range(10), repeat=n)]
AUTOMATA = {
    "digits:1-3": make_format("digits:1-3").automaton,
    "amount:7-120": make_format("amount:7-120").automaton,
    "with an empty string": pattern("1{0,2}2?"),
    "(19|91)0?": pattern("(19|91)0?"),
}

pytestmark = pytest.mark.usefixtures("float64")


def spelled(alignment):
    return tuple(k for k, _ in itertools.groupby(alignment) if k != 10)


def row(string, length=3):
    return [*string] + [-1] * (length - len(string))


@pytest.fixture(scope="module")
def logp():
    """Log-probabilities [B, T, 11] of no network at all."""
    return log_softmax(np.random.default_rng(0).normal(0, 2, (BATCH, FRAMES, 11)), axis=-1)


@pytest.fixture(scope="module")
def chances(logp):
    """log P of each of the strings of at most three digits [B, strings], by CTC."""
    labels = np.array([row(s) for s in STRINGS])
    of_one = jax.jit(jax.vmap(lambda z, y: -ctc().value(z[None], y[None]), (None, 0)))
    with jax.enable_x64(True):
        return np.stack([np.asarray(of_one(jnp.asarray(z), labels)) for z in logp])


@pytest.fixture(params=AUTOMATA)
def known(request, chances):
    """(automaton, log P of its strings and −∞ of others [B, strings], log Z [B])"""
    automaton = AUTOMATA[request.param]
    allowed = np.array([automaton.accepts(s) for s in STRINGS])
    log_p = np.where(allowed, chances, -np.inf)
    return automaton, log_p, np.logaddexp.reduce(log_p, axis=1)


def test_the_partition_is_the_sum_over_every_string(known, logp):
    automaton, _, log_z = known
    np.testing.assert_allclose(log_partition(logp, automaton), log_z, rtol=1e-12)


def test_the_search_finds_the_best_strings_with_their_probabilities(known, logp):
    automaton, log_p, log_z = known
    best = search(logp, automaton, k=4)
    order = np.argsort(-log_p, axis=1)[:, :4]
    assert best.exact.all()
    np.testing.assert_allclose(best.log_z, log_z, rtol=1e-12)
    for b, strings in enumerate(order):
        wanted = [
            row(STRINGS[i], best.digits.shape[-1]) for i in strings if np.isfinite(log_p[b, i])
        ]
        assert best.digits[b, : len(wanted)].tolist() == wanted
        np.testing.assert_allclose(best.log_p[b, : len(wanted)],
                                   log_p[b, strings[: len(wanted)]] - log_z[b],
                                   atol=1e-10)  # fmt: skip
        assert np.isneginf(best.log_p[b, len(wanted) :]).all()


def test_the_marginals_are_those_of_all_strings(known, logp):
    automaton, log_p, log_z = known
    got = np.asarray(marginals(logp, automaton))
    wanted = np.zeros((BATCH, 3, 10))
    for string, chance in zip(STRINGS, np.exp(log_p - log_z[:, None]).T, strict=True):
        for place, digit in enumerate(string):
            wanted[:, place, digit] += chance
    np.testing.assert_allclose(got, wanted[:, : got.shape[1]], atol=1e-10)


def test_the_best_alignment_is_the_best_of_all(logp):
    automaton = make_format("pattern:(19|91)0?").automaton
    alignment, score = best_alignment(logp, automaton)
    every = [a for a in itertools.product([0, 1, 9, 10], repeat=FRAMES)
             if automaton.accepts(spelled(a))]  # fmt: skip
    for b in range(BATCH):
        sums = logp[b][np.arange(FRAMES), np.array(every)].sum(1)
        assert tuple(alignment[b].tolist()) == every[sums.argmax()]
        assert score[b] == pytest.approx(sums.max(), rel=1e-12)


def test_the_best_alignment_is_not_the_best_string():
    """Two frames: blank is likeliest in both, but "1" has three alignments."""
    p = np.full((1, 2, 11), 1e-9)
    p[..., 10], p[..., 1] = 0.55, 0.45
    automaton = pattern("1?")
    alignment, score = best_alignment(np.log(p), automaton)
    assert alignment.tolist() == [[10, 10]]
    assert np.exp(score[0]) == pytest.approx(0.55**2)
    best = search(np.log(p), automaton)
    assert best.digits[0].tolist() == [[1], [-1]]
    both = 0.45**2 + 2 * 0.45 * 0.55
    assert np.exp(best.log_p[0, 0]) == pytest.approx(both / (both + 0.55**2), rel=1e-6)


def test_no_string_fits_too_few_frames(logp):
    automaton = make_format("digits:6").automaton
    assert np.isneginf(log_partition(logp, automaton)).all()
    best = search(logp, automaton)
    assert (best.digits == -1).all()
    assert not np.isfinite(best.log_p).any()
    np.testing.assert_array_equal(marginals(logp, automaton), 0)


def test_a_search_that_is_cut_short_says_so_and_still_answers(logp):
    automaton = make_format("digits:3").automaton
    best = search(logp, automaton, slots=11, most=3)
    assert not best.exact.any()
    assert automaton.accepts(best.digits[0, 0])
    whole = search(logp, automaton)
    assert (best.log_p[:, 0] <= whole.log_p[:, 0] + 1e-12).all()


def test_the_surest_frames_lose_nothing_in_float32():
    """A repeat whose blank has hardly a chance: the sum over others must not cancel."""
    logits = np.zeros((1, 3, 11), np.float32)
    logits[0, :, 4] = 200.0
    logp = jax.nn.log_softmax(jnp.asarray(logits))
    automaton = make_format("pattern:44").automaton
    assert log_partition(logp, automaton)[0] == pytest.approx(float(logp[0, 1, 10]), rel=1e-6)


def test_it_is_the_same_in_a_program_and_in_any_batch(logp):
    automaton = make_format("amount:7-120").automaton
    alone = search(logp[1:2], automaton)
    together = jax.jit(lambda p: search(p, automaton))(logp)
    assert together.digits[1].tolist() == alone.digits[0].tolist()
    np.testing.assert_allclose(together.log_p[1], alone.log_p[0], rtol=1e-12)


def test_a_second_call_compiles_nothing(logp):
    search(logp, make_format("digits:2").automaton)
    programs = of_each._cache_size()
    search(logp, make_format("digits:2").automaton)  # equal, and made anew
    assert of_each._cache_size() == programs
    search(logp, make_format("digits:1").automaton)
    assert of_each._cache_size() == programs + 1


def test_other_shapes_are_refused(logp):
    automaton = make_format("digits:3").automaton
    for bad in (logp[0], logp[..., :10], logp[:, :0]):
        with pytest.raises(ValueError, match=r"logp must be \[B, T, 11\] with T >= 1, got"):
            log_partition(bad, automaton)
    for wrong in (dict(k=0), dict(slots=5), dict(k=1.5)):
        with pytest.raises(ValueError, match="must be a whole number >= "):
            search(logp, automaton, **wrong)
    for number in (np.nan, 1.0):
        bad = logp.copy()
        bad[0, 0, 0] = number
        with pytest.raises(ValueError, match="got NaN, or a number > 0"):
            search(bad, automaton)


@pytest.mark.parametrize("most", [2, 9])
def test_a_search_in_noise_ends_with_a_string_of_the_format(most):
    noise = jax.nn.log_softmax(np.random.default_rng(3).normal(size=(3, 40, 11)))
    automaton = make_format("digits:1-12").automaton
    best = search(noise, automaton, slots=11, most=most)
    for row, exact in zip(best.digits[:, 0].tolist(), best.exact, strict=True):
        assert automaton.accepts([digit for digit in row if digit >= 0])
        assert not exact
    longer = search(noise, automaton)
    assert (best.log_p[:, 0] > longer.log_p[:, 0] - 1).all(), "not any string will do"
