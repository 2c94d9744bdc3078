"""Displacements are what their names say, and images are read between pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.augment import affine, elastic, warp
from jaxdigits.augment.warp import read_at

B, SHAPE = 64, (28, 28)
KEYS = jax.random.split(jax.random.key(3), B)
RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.random((B, *SHAPE)), jnp.float32)
Y, X = (np.arange(n) - (n - 1) / 2 for n in SHAPE)


def matrices(displacement):
    """The affine maps p -> A p + t of a displacement: A [B, 2, 2] and t [B, 2]."""
    dy, dx = (np.asarray(d, np.float64) for d in displacement(KEYS, SHAPE))
    y, x = np.broadcast_arrays(Y[:, None], X)
    places = np.stack([y.ravel(), x.ravel(), np.ones(y.size)], 1)
    moved = np.stack([(dy + y).reshape(B, -1), (dx + x).reshape(B, -1)], 2)
    found, *_ = np.linalg.lstsq(places, moved.transpose(1, 0, 2).reshape(y.size, -1))
    assert np.allclose(places @ found, moved.transpose(1, 0, 2).reshape(y.size, -1), atol=1e-4)
    found = found.reshape(3, B, 2).transpose(1, 2, 0)
    return found[:, :, :2], found[:, :, 2]


def spreads(values, limit):
    """Whether values fill [−limit, limit] and no more."""
    return np.abs(values).max() <= limit * (1 + 1e-4) and np.ptp(values) > 1.6 * limit


def test_without_limits_nothing_moves():
    assert (warp(affine())(KEYS, IMAGES) == IMAGES).all()
    assert (warp(elastic(0.0))(KEYS, IMAGES) == IMAGES).all()


def test_rotation_turns_by_up_to_its_angle():
    a, t = matrices(affine(rotation=20))
    assert np.allclose(a @ a.transpose(0, 2, 1), np.eye(2), atol=1e-4)
    assert np.allclose(np.linalg.det(a), 1, atol=1e-4)
    assert np.allclose(t, 0, atol=1e-4)
    assert spreads(np.degrees(np.arctan2(a[:, 1, 0], a[:, 0, 0])), 20)


def test_shift_moves_all_pixels_alike():
    a, t = matrices(affine(shift=2.5))
    assert np.allclose(a, np.eye(2), atol=1e-4)
    assert spreads(t[:, 0], 2.5)
    assert spreads(t[:, 1], 2.5)
    assert abs(np.corrcoef(t.T)[0, 1]) < 0.3


def test_scale_makes_ink_larger_by_up_to_its_limit():
    a, _ = matrices(affine(scale=0.25))
    assert np.allclose(a[:, [0, 1], [1, 0]], 0, atol=1e-4)
    sizes = 1 / a[:, [0, 1], [0, 1]]
    assert spreads(sizes[:, 0] - 1, 0.25)
    assert spreads(sizes[:, 1] - 1, 0.25)


def test_shear_slants_and_keeps_the_area():
    a, _ = matrices(affine(shear=0.3))
    assert np.allclose(a[:, [0, 1], [0, 1]], 1, atol=1e-4)
    assert np.allclose(a[:, 0, 1], 0, atol=1e-4)
    assert spreads(a[:, 1, 0], 0.3)


def test_all_of_them_are_scale_after_shear_after_rotation():
    a, t = matrices(affine(rotation=20, shift=2, scale=0.2, shear=0.2))
    drawn = 2 * np.asarray(jax.vmap(lambda k: jax.random.uniform(k, (6,)))(KEYS)) - 1
    for matrix, move, u in zip(a, t, drawn, strict=True):
        angle = np.radians(20 * u[0])
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        slant, size = [[1, 0], [0.2 * u[1], 1]], np.diag(1 / (1 + 0.2 * u[2:4]))
        assert np.allclose(matrix, size @ slant @ turn, atol=1e-4)
        assert np.allclose(move, 2 * u[4:], atol=1e-4)


def test_elastic_is_smoothed_noise_times_alpha():
    sigma = 3.0
    dy, dx = (np.asarray(d) for d in elastic(20.0, sigma)(KEYS, SHAPE))
    inside = (slice(None), slice(9, -9), slice(9, -9))
    # A Gaussian filter leaves of white noise a deviation of 1 / (2 σ √π); of ±1 that is 1/√3.
    expected = 20 / np.sqrt(3) / (2 * sigma * np.sqrt(np.pi))
    for field in (dy[inside], dx[inside]):
        assert np.isclose(field.std(), expected, rtol=0.1)
        assert abs(field.mean()) < 0.2 * expected
    # Filtered so, noise a distance r apart has the correlation exp(−r² / 4σ²).
    apart = np.corrcoef(dy[:, 10, 10:13].ravel(), dy[:, 10, 13:16].ravel())[0, 1]
    assert np.isclose(apart, np.exp(-9 / (4 * sigma**2)), atol=0.12)
    assert abs(np.corrcoef(dy[inside].ravel(), dx[inside].ravel())[0, 1]) < 0.2
    twice = elastic(40.0, sigma)(KEYS, SHAPE)[0]
    assert np.allclose(twice, 2 * dy, rtol=1e-5)


def test_displacements_add_up():
    both = warp(lambda k, s: (jnp.ones((B, *s)), jnp.zeros((B, *s))),
                lambda k, s: (jnp.ones((B, *s)), jnp.full((B, *s), -1.0)))  # fmt: skip
    moved = both(KEYS, IMAGES)
    assert (moved[:, :-2, 1:] == IMAGES[:, 2:, :-1]).all()
    assert not moved[:, -2:].any()
    assert not moved[:, :, 0].any()


def test_pixels_are_read_between_their_neighbours():
    ramp = jnp.asarray(
        np.broadcast_to(3.0 * np.arange(28)[:, None] + np.arange(28), (B, 28, 28))
    )
    dy, dx = (jnp.asarray(RNG.uniform(-2, 2, (B, 28, 28))) for _ in range(2))
    inner = (slice(None), slice(3, -3), slice(3, -3))
    wanted = ramp + 3 * dy + dx
    assert np.allclose(read_at(ramp, dy, dx)[inner], wanted[inner], atol=1e-3)


def test_beyond_the_edge_is_paper_and_fades_in():
    ones, zero = jnp.ones((B, *SHAPE)), jnp.zeros((B, *SHAPE))
    half = read_at(ones, zero + 0.5, zero)
    assert (half[:, :-1] == 1).all()
    assert (half[:, -1] == 0.5).all()
    for far in (1e6, -1e6, 28.0, -28.0):
        assert not read_at(ones, zero + far, zero).any()
        assert not read_at(ones, zero, zero + far).any()


def test_an_oblong_image_keeps_its_shape():
    oblong = IMAGES[:, :, :20]
    assert warp(affine(rotation=10), elastic())(KEYS, oblong).shape == oblong.shape
    moved = warp(affine(shift=1))(KEYS, oblong)
    assert jnp.isfinite(moved).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: affine(rotation=-1), "rotation must be >= 0, got -1"),
        (lambda: affine(shift=float("nan")), "shift must be >= 0, got nan"),
        (lambda: affine(scale=1.0), r"scale must be in \[0, 1\), got 1.0"),
        (lambda: affine(shear=-0.1), "shear must be >= 0, got -0.1"),
        (lambda: elastic(-1.0), "alpha must be >= 0 and sigma > 0, got -1.0 and 4.0"),
        (lambda: elastic(1.0, 0.0), "alpha must be >= 0 and sigma > 0, got 1.0 and 0.0"),
        (warp, "warp needs a displacement"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
