"""What the tests share."""

import jax
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from jaxdigits.data import digits


def pytest_configure(config):
    """Keep compiled programs in pytest's cache folder: a later test or run reads them there."""
    if hasattr(config, "cache"):
        jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("jax")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="module")
def all_compiled():
    """For tests that measure programs or their compilation: none is read from the cache."""
    jax.config.update("jax_enable_compilation_cache", False)
    reset_cache()
    yield
    jax.config.update("jax_enable_compilation_cache", True)
    reset_cache()


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
