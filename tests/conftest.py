"""What the tests share."""

import jax
import pytest


@pytest.fixture
def float64():
    """JAX in 64 bits, for as long as a test lasts."""
    with jax.enable_x64(True):
        yield
