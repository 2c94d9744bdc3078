"""The workloads of the peers, in plain values, and the inputs that a check shares."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Spec = dict[str, Any]
_SNN = dict(kind="snn", sizes=[784, 512, 10], decay=0.95)
_MLP = dict(kind="mlp", sizes=[784, 800, 800, 10])
_LAYER = dict(kind="snn", sizes=[512, 512], steps=500, batch=16, decay=0.95)

# mode: "train" is a whole step, encoder to Adam; "infer" ends with the digits; "forward" and
# "backward" are one direction, for existing spikes.  Parts: the examples of one inference.
SPECS: dict[str, Spec] = {
    "W1-T25": dict(_SNN, steps=25, batch=128, mode="train"),
    "W1-T100": dict(_SNN, steps=100, batch=128, mode="train"),
    "W2": dict(_SNN, sizes=[784, 1000, 1000, 10], steps=50, batch=256, mode="train"),
    "W3": dict(kind="conv_snn", steps=25, batch=128, decay=0.5, mode="train"),
    "W4-forward": dict(_LAYER, mode="forward"),
    "W4-backward": dict(_LAYER, mode="backward"),
    "W5": dict(_MLP, batch=128, mode="train"),
    "W6": dict(kind="cnn", batch=128, mode="train"),
    "W7-snn-1": dict(_SNN, steps=25, batch=1, mode="infer"),
    "W7-snn-10000": dict(_SNN, steps=25, batch=10_000, part=500, mode="infer"),
    "W7-mlp-1": dict(_MLP, batch=1, mode="infer"),
    "W7-mlp-10000": dict(_MLP, batch=10_000, mode="infer"),
}
CHECKED = 16  # examples
CONV = [(5, 5, 1, 12), (5, 5, 12, 64), (1024, 10)]  # weights of W3: HWIO, then [m, n]
CNN = [(3, 3, 1, 32), (3, 3, 32, 64), (9216, 128), (128, 10)]


def weight_shapes(spec: Spec) -> list[tuple[int, ...]]:
    """Return each layer's weight shape: [m, n], or [k, k, C, O] of a convolution."""
    if spec["kind"] in ("conv_snn", "cnn"):
        return CONV if spec["kind"] == "conv_snn" else CNN
    sizes = spec["sizes"]
    return list(pairwise(sizes))


def check_spec(spec: Spec) -> Spec:
    """Return the spec with a decay of 1/2, which rounds nothing for many steps."""
    return spec | {"decay": 0.5}


def check_arrays(spec: Spec, *, shrinks: bool = False, seed: int = 0) -> dict[str, np.ndarray]:
    """Return inputs and weights on which all forward passes must agree.

    All are multiples of a power of two, so sums of spikes times weights are exact in any
    order, and neurons at their threshold are there in all libraries or in none.  They are large
    enough that neurons fire, and not always.

    Args:
      shrinks: for neurons that multiply their input by 1 − decay: weights and biases are
        larger by the same factor.

    Returns: "x": spikes [T, B, n], or images [B, 28, 28] in [0, 1]; and "weight0", "bias0", ...
    """
    random = np.random.default_rng(seed)
    if spec["kind"] == "snn":
        x = random.random((spec["steps"], CHECKED, spec["sizes"][0])) < 0.13
    else:
        lit = random.random((CHECKED, 28, 28)) < 0.5
        x = lit * random.integers(0, 128, (CHECKED, 28, 28)) / 128
    arrays = {"x": x.astype(np.float32)}
    scale = 1 / (1 - spec["decay"]) if shrinks else 1
    gain = 8.0 if "snn" in spec["kind"] else 2.0  # 2 keeps the scale through rectifiers
    for i, shape in enumerate(weight_shapes(spec)):
        fan_in = int(np.prod(shape[:-1]))
        deviation = 256 * (gain / fan_in) ** 0.5
        weight = np.rint(random.normal(0, deviation, shape)) / 256
        # A constant current of exactly half the threshold would creep up to it, and whether
        # it gets there be a matter of rounding; an odd bias keeps currents off that value.
        bias = np.full(shape[-1], 2.0**-4 + 2.0**-16)
        arrays[f"weight{i}"] = (scale * weight).astype(np.float32)
        arrays[f"bias{i}"] = (scale * bias).astype(np.float32)
    return arrays


def images(spec: Spec, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Return uint8 images [N, 28, 28] and labels [N] to draw batches from, the same for all."""
    from jaxdigits.bench.programs import synthetic

    data = synthetic(max(2048, spec["batch"]), seed=seed)
    return {"image": np.asarray(data.inputs[:]), "label": np.asarray(data.label)}


def save(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Write arrays for a peer to read."""
    values: Any = arrays
    np.savez(path, **values)
    return path
