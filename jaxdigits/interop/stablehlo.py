"""Networks as StableHLO programs, for a CPU, a GPU or a TPU, and any number of images.

    inputs [b, ...], key data [b, 2] uint32  ->  logits [b, K]

The params are inside.  The key data are one key per example, which a network without random
numbers does not read.  The bytes are those of `jax.export` [1], which later versions of JAX
read for half a year at least; nothing of this library is needed to run them.

[1] https://docs.jax.dev/en/latest/export/export.html
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jaxdigits.errors import import_extra
from jaxdigits.fast.switch import without
from jaxdigits.layer import Layer, Params

PLATFORMS = ("cpu", "cuda", "tpu")
FLATBUFFERS = "flatbuffers", "export", "StableHLO files need"


def to_stablehlo(
    network: Layer,
    params: Params,
    example: Any,
    *,
    platforms: tuple[str, ...] = PLATFORMS,
) -> bytes:
    """Return a network in evaluation as a program of any number of inputs.

    Args:
      example: inputs [N, ...] of any number, or a dict of them, for their shapes and dtypes.
      platforms: where the program can run.

    Raises:
      ImportError: without flatbuffers.
    """
    import_extra(*FLATBUFFERS)
    (batch,) = export.symbolic_shape("b")
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct((batch, *a.shape[1:]), a.dtype), example)
    words = jax.ShapeDtypeStruct((batch, 2), jnp.uint32)

    def logits(x, words):
        return network.forward(params, x, jax.random.wrap_key_data(words))[0]

    with without():  # workarounds are for one compiler
        return bytes(export.export(jax.jit(logits), platforms=platforms)(x, words).serialize())


def run_stablehlo(data: bytes) -> Callable[[Any, Any], np.ndarray]:
    """Return a program as a function of (x, key data): logits.

    Raises:
      ImportError: without flatbuffers.
      ValueError: for bytes that are no such program, or one for other platforms.
    """
    import_extra(*FLATBUFFERS)
    try:
        program = export.deserialize(bytearray(data))
    except Exception as error:  # flatbuffers raises many types on broken bytes
        raise ValueError("it is no program of jax.export: export it again") from error
    here = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    if here not in program.platforms:
        raise ValueError(f"the program is for {', '.join(program.platforms)}, not for {here}")
    call = jax.jit(program.call)
    return lambda x, words: np.asarray(call(x, words))
