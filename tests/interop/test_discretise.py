"""Discretisations: into metadata and back, and each name once."""

import numpy as np
import pytest

from jaxdigits.interop import PEERS, Discretisation
from jaxdigits.interop.discretise import decay_of, from_metadata, tau_of, to_metadata
from jaxdigits.spikes import Convention

OWN = Discretisation(0.5, "exact", Convention(0.25, spikes="several"), floor=-2.0)


@pytest.mark.parametrize("d", [*PEERS.values(), OWN])
def test_metadata_hold_a_discretisation(d):
    plain = to_metadata(d)
    assert all(isinstance(v, str | int | float | bool) for v in plain.values())
    arrays = {k: v if isinstance(v, str) else np.asarray(v) for k, v in plain.items()}
    assert from_metadata(arrays | {"other": 1.0}) == d
    assert from_metadata({"other": 1.0}) is None


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("dt", "long", "dt must be a number, got 'long'"),
        ("dt", True, "dt must be a number, got True"),
        ("dt", -1.0, "dt must be > 0, got -1.0"),
        ("floor", "low", "floor must be a number, got 'low'"),
        ("v_reset", np.array([1, 2]), "v_reset must be true or false"),
        ("what", 1.0, "an unknown key 'what'"),
        ("convention.what", 1.0, "an unknown key 'what'"),
        ("convention.fires", "never", "fires must be one of above, at"),
        ("input_gain", "2 r", "input_gain must be one of"),
    ],
)
def test_bad_metadata_are_refused(key, value, match):
    with pytest.raises(ValueError, match=match):
        from_metadata(to_metadata(OWN) | {f"jaxdigits.{key}": value})


@pytest.mark.parametrize("decay", ["euler", "exact"])
def test_a_time_constant_gives_its_decay_back(decay):
    d, beta = Discretisation(0.25, decay), np.array([0.5, 0.9])
    np.testing.assert_allclose(decay_of(tau_of(beta, d), d), beta)


def test_a_discretisation_needs_a_step():
    plain = to_metadata(OWN)
    with pytest.raises(ValueError, match=r"must have a number jaxdigits\.dt"):
        from_metadata({k: v for k, v in plain.items() if k != "jaxdigits.dt"})
