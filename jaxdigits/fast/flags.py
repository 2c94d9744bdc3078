"""Flags with which XLA compiles for the CPU, set before JAX starts.

`xla_disable_hlo_passes=cse_barrier_expander`: `jax.lax.optimization_barrier` is to hold until
programs are fused.  Otherwise XLA drops the barriers of `jaxdigits.fast.products` before.

`xla_cpu_experimental_ynn_fusion_type`: jaxlib 0.10 to 0.12 have two kinds of convolution, of
which the older is the faster one.  Later versions may not know the flag, and an unknown flag
ends the process.

Measured with jax 0.10.2: without `xla_disable_hlo_passes`, W7-mlp-1 takes 1.22 times as long;
with the newer convolutions W6 takes 2.4 times as long, and with jax 0.12.0.1 it takes 1.6 times
(`experiments/xla_flags.py`).
Try without after jax 0.12.
"""

import os
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec

TWO_CONVOLUTIONS = "0.10.", "0.11.", "0.12."  # versions of jaxlib


def flags() -> str:
    """Return the flags for this version of jaxlib; none where `JAXDIGITS_FAST=0`."""
    if os.environ.get("JAXDIGITS_FAST") == "0":
        return ""
    flags = ["--xla_disable_hlo_passes=cse_barrier_expander"]
    if version("jaxlib").startswith(TWO_CONVOLUTIONS):
        kinds = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"
        flags.append(f"--xla_cpu_experimental_ynn_fusion_type={kinds}")
    return " ".join(flags)


def set_flags(args: Sequence[str] = ()) -> None:
    """Set the flags where JAX will run on the CPU; a user's own flags come last.

    An accelerator has none of them: its compiler cannot take a barrier that was kept.
    """
    if on_cpu(args):
        os.environ["XLA_FLAGS"] = f"{flags()} {os.environ.get('XLA_FLAGS', '')}".strip()


def on_cpu(args: Sequence[str] = ()) -> bool:
    """Whether JAX will run on the CPU, as far as can be told before it starts."""
    words = [word for arg in args for word in arg.split("=", 1)]
    if "--device" in words[:-1]:
        return words[words.index("--device") + 1] == "cpu"
    if chosen := os.environ.get("JAX_PLATFORMS"):
        return chosen == "cpu"
    return not any(map(find_spec, ("jax_plugins", "libtpu")))
