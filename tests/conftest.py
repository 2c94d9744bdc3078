"""What the tests share."""

import jax
import pytest


@pytest.fixture
def float64():
    """JAX in 64 bits, for as long as a test lasts."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def quick_compile():
    """Programs that run once on tiny arrays, without what XLA does for those that run long."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
