"""CTC against optax, `jax.grad`, the sum over all strings, and refusals by name."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.losses import ctc, frames_of, spells

FRAMES, CLASSES = 9, 5  # the last class is blank
LABELS = np.array([
    [1, 2, 3, 0], [1, 1, 2, -1], [3, -1, -1, -1], [-1, -1, -1, -1], [0, 0, 0, 0], [2, 3, 2, 3],
])  # fmt: skip
LOGITS = np.random.default_rng(0).normal(0, 2, (len(LABELS), FRAMES, CLASSES))


def of_optax(logits, labels, blank=CLASSES - 1):
    none = np.zeros(logits.shape[:2])
    end = labels < 0
    return optax.ctc_loss(logits, none, np.where(end, 0, labels), end * 1.0, blank_id=blank)


def spelled(alignment, blank):
    """The string of an alignment: without repeats, then without blanks."""
    return tuple(k for k, _ in itertools.groupby(alignment) if k != blank)


@pytest.mark.usefixtures("float64")
def test_value_and_slope_are_those_of_optax_and_of_autodiff():
    loss, z = ctc(), jnp.asarray(LOGITS)
    ours = jax.jit(jax.value_and_grad(lambda z: loss.value(z, LABELS)))(z)
    theirs = jax.jit(jax.value_and_grad(lambda z: of_optax(z, LABELS).mean()))(z)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-10)
    for _, gradient in (ours, theirs):
        np.testing.assert_allclose(loss.slope(z, LABELS), gradient, atol=1e-10)


@pytest.mark.usefixtures("float64")
def test_the_blank_may_be_another_class():
    labels, z = np.where(LABELS >= 0, LABELS + 1, -1), jnp.asarray(LOGITS)
    theirs = jax.jit(lambda z: of_optax(z, labels, 0).mean())(z)
    np.testing.assert_allclose(ctc(blank=0).value(z, labels), theirs, rtol=1e-10)


@pytest.mark.usefixtures("float64")
def test_a_string_has_the_probability_of_all_its_alignments():
    z = jnp.asarray(LOGITS[:1, :4, :3])
    p, total = np.asarray(jax.nn.softmax(z))[0], {}
    for alignment in itertools.product(range(3), repeat=4):
        chance = np.prod([p[t, k] for t, k in enumerate(alignment)])
        string = spelled(alignment, 2)
        total[string] = total.get(string, 0) + chance
    assert sum(total.values()) == pytest.approx(1)
    for string, chance in total.items():
        labels = np.array([[*string] + [-1] * (4 - len(string))])
        assert ctc().value(z, labels) == pytest.approx(-np.log(chance), rel=1e-10)


def test_the_slope_moves_no_probability_in_sum():
    slope = ctc().slope(jnp.asarray(LOGITS, jnp.float32), LABELS)
    assert slope.dtype == jnp.float32
    np.testing.assert_allclose(slope.sum(-1), 0, atol=1e-6)


def test_padding_of_labels_changes_nothing():
    wide = np.pad(LABELS, ((0, 0), (0, 3)), constant_values=-1)
    z = jnp.asarray(LOGITS, jnp.float32)
    np.testing.assert_allclose(ctc().value(z, wide), ctc().value(z, LABELS), rtol=1e-6)
    np.testing.assert_allclose(ctc().slope(z, wide), ctc().slope(z, LABELS), atol=1e-6)


def test_the_surest_logits_give_finite_numbers_in_float32():
    z = jnp.asarray(1e4 * np.sign(LOGITS), jnp.float32)
    value, slope = jax.jit(lambda z: (ctc().value(z, LABELS), ctc().slope(z, LABELS)))(z)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_a_repeat_needs_a_frame_more():
    assert frames_of(LABELS).tolist() == [4, 4, 1, 0, 7, 4]
    z = jnp.zeros((1, 2, 3))
    assert np.isfinite(ctc().value(z, np.array([[0, 1]])))
    with pytest.raises(ValueError, match=r"labels\[0\] is \[0, 0\] and needs 3 frames, but"):
        ctc().value(z, np.array([[0, 0]]))


def test_inside_a_program_an_impossible_string_is_infinite_and_moves_nothing():
    z, labels = jnp.asarray(LOGITS[:2, :3], jnp.float32), jnp.array([[0, 1, 2], [1, 1, 2]])
    value, slope = jax.jit(lambda z, y: (ctc().value(z, y), ctc().slope(z, y)))(z, labels)
    assert np.isposinf(value)
    assert np.isfinite(slope).all()
    assert np.abs(slope[0]).max() > 0
    np.testing.assert_array_equal(slope[1], 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_network_that_diverged_has_no_finite_loss_and_no_slope_of_zero(bad):
    z = jnp.asarray(LOGITS[:1], jnp.float32).at[0, 2, 1].set(bad)
    loss = ctc()
    value, slope = jax.jit(lambda z: (loss.value(z, LABELS[:1]), loss.slope(z, LABELS[:1])))(z)
    assert np.isnan(value)
    assert np.isnan(slope).any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0.0, 1.5]], r"labels must be whole numbers, got float.*: pass labels.astype\(int\)"),
        ([[0, 5]], r"labels\[0\] is \[0, 5\]: each must be in 0..4 and not 4, the blank"),
        ([[0, 4]], r"labels\[0\] is \[0, 4\]"),
        ([[0, -2]], r"labels\[0\] is \[0, -2\]"),
        ([[-1, 0]], r"labels\[0\] is \[-1, 0\]: nothing may follow -1"),
        ([0, 1], r"logits \[B, T, K\] and labels \[B, L\], got \(1, 9, 5\) and \(2,\)"),
        ([[0], [1]], r"got \(1, 9, 5\) and \(2, 1\)"),
    ],
)
def test_labels_that_are_no_strings_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        ctc().value(jnp.asarray(LOGITS[:1]), np.array(labels))


def test_a_blank_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match=r"blank must be in 0..4, got 5"):
        ctc(blank=5).value(jnp.asarray(LOGITS), LABELS)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_few_digits_of_the_logits_are_enough(dtype):
    rng = np.random.default_rng(1)
    z, labels = jnp.asarray(rng.normal(0, 1, (2, 200, 6)), dtype), rng.integers(0, 5, (2, 20))
    slope, wanted = ctc().slope(z, labels), ctc().slope(z.astype(jnp.float32), labels)
    assert slope.dtype == dtype
    np.testing.assert_allclose(slope.astype(jnp.float32), wanted, atol=4e-3)


def test_the_slope_of_many_frames_keeps_its_digits():
    rng = np.random.default_rng(2)
    z, labels = rng.normal(0, 30, (2, 400, 11)).astype(np.float32), rng.integers(0, 10, (2, 20))
    np.testing.assert_allclose(ctc().slope(jnp.asarray(z), labels).sum(-1), 0, atol=2e-6)


@pytest.mark.parametrize("blank", [CLASSES - 1, 0])
def test_right_is_a_best_alignment_that_spells_the_label(blank):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, (300, 6, CLASSES))
    strings = [spelled(row.argmax(-1).tolist(), blank) for row in logits]
    labels = np.array([[*s, *[-1] * (7 - len(s))] for s in strings])
    other = labels[rng.permutation(len(labels))]
    right = ctc(blank).right
    assert right(logits, labels).all()
    np.testing.assert_array_equal(right(logits, other), (labels == other).all(1))
    shorter = labels[:, : max(map(len, strings))]
    assert right(np.stack([logits, logits]), shorter).all(), "of several networks too"
    np.testing.assert_array_equal(spells(logits, labels[:, :2], blank),
                                  [len(s) <= 2 for s in strings])  # fmt: skip
