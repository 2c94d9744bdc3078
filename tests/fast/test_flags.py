"""Which flags XLA has, where, and in which order."""

import os

import pytest

from jaxdigits.fast import flags


@pytest.mark.parametrize(
    ("version", "convolutions"), [("0.10.2", 1), ("0.11.2", 1), ("0.12.0.1", 1), ("0.13.0", 0)]
)
@pytest.mark.parametrize("mine", ["--mine", "--mine --of=two", ""])
def test_the_flags_leave_the_users_own_the_last_word(monkeypatch, version, convolutions, mine):
    monkeypatch.setenv("XLA_FLAGS", mine)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(flags, "version", lambda name: version)
    flags.set_flags()
    first, *rest = os.environ["XLA_FLAGS"].split()
    assert first == "--xla_disable_hlo_passes=cse_barrier_expander"
    assert rest[convolutions:] == mine.split()
    assert all(flag.startswith("--xla_cpu_experimental") for flag in rest[:convolutions])


@pytest.mark.parametrize("plugin", ["jax_plugins", "libtpu"])
def test_an_accelerator_has_flags_of_its_own_only(monkeypatch, plugin):
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setattr(flags, "find_spec", lambda name: True if name == plugin else None)
    for platforms, count in (("", 1), ("cuda", 1), ("cuda,cpu", 1), ("cpu", 2)):
        monkeypatch.setenv("JAX_PLATFORMS", platforms)
        flags.set_flags()
        assert os.environ["XLA_FLAGS"].count("--") - ("ynn" in os.environ["XLA_FLAGS"]) == count


@pytest.mark.parametrize(
    ("args", "platforms", "count"),
    [(["--device", "cpu"], "", 2), (["--device=cpu"], "cuda", 2), (["--device"], "cpu", 2),
     (["--device", "gpu"], "cpu", 1)],
)  # fmt: skip
def test_the_device_that_is_asked_for_has_its_flags(monkeypatch, args, platforms, count):
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    monkeypatch.setattr(flags, "find_spec", lambda name: True)
    flags.set_flags(["bench", *args])
    assert os.environ["XLA_FLAGS"].count("--") - ("ynn" in os.environ["XLA_FLAGS"]) == count


def test_without_workarounds_there_are_none(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("JAXDIGITS_FAST", "0")
    flags.set_flags()
    assert os.environ["XLA_FLAGS"] == "--mine"
