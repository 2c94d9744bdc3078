"""What the tests share."""

import jax
import pytest

from jaxdigits.data import digits


@pytest.fixture
def float64():
    """JAX in 64 bits, for as long as a test lasts."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def quick_compile():
    """For programs that run once on tiny arrays: without what helps those that run long."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def small():
    """(train, valid) of 256 and 60 digits."""
    train, test = digits()
    return train[:256], test[:60]
