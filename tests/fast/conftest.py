"""The kernels of a GPU, interpreted where there is none."""

import jax
import pytest

from jaxdigits.fast import kernel, scan


@pytest.fixture
def kernels(monkeypatch):
    """Every recurrence by an interpreted kernel where a GPU has the real one; their number."""
    launched, launch = [], kernel.kernel_scan

    def interpreted(*args, **options):
        launched.append(options)
        return launch(*args, interpret=True, **options)

    monkeypatch.setattr(scan, "has_kernels", lambda: True)
    monkeypatch.setattr(kernel, "kernel_scan", interpreted)
    on_cuda = lambda *args, cuda, default: cuda(*args)
    monkeypatch.setattr(jax.lax, "platform_dependent", on_cuda)
    return launched


@pytest.fixture
def one_gpu(monkeypatch):
    """As on a machine with a GPU, whatever a program is lowered for."""
    monkeypatch.setattr(scan, "has_kernels", lambda: True)
