"""Programs of the tests of training run for a few tiny epochs."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def quick_programs(quick_compile):
    """What runs for a few tiny epochs is not worth XLA's optimizations."""
