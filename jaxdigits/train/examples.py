"""Checks of the examples that a training is called with, before anything is compiled."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxdigits.data import Dataset
from jaxdigits.layer import Layer
from jaxdigits.models import NETWORKS


def check_examples(network: Layer, train: Dataset, valid: Dataset) -> None:
    """Check that both data sets have inputs of one kind, and that these can be learned from.

    Args:
      network: the layer to train; a network of `jaxdigits.models` takes images in bytes, or in
        floats from 0 to 1.

    Raises:
      ValueError: naming the argument, and the cure.
    """
    if train.inputs.shape != valid.inputs.shape:
        raise ValueError(
            f"valid has inputs of {valid.inputs.shape} and train of {train.inputs.shape}: "
            "bring both to one shape"
        )
    kinds = [_kinds(data) for data in (train, valid)]
    if kinds[0] != kinds[1]:
        texts = [", ".join(dict.fromkeys(kind.values())) for kind in kinds]
        raise ValueError(f"valid has inputs in {texts[1]} and train in {texts[0]}: convert one")
    ours = network.about is not None and network.about.find(*NETWORKS.values())
    for name, data in dict(train=train, valid=valid).items():
        for path, array in _floats(data).items():
            if not (finite := jnp.isfinite(array)).all():
                count = int(jnp.size(array) - finite.sum())
                raise ValueError(
                    f"{name} has {count} values in {path} that are not finite: remove these "
                    "examples, or replace the values"
                )
        if ours:
            _check_image(name, _image(data))


def _check_image(name: str, image: Any) -> None:
    """Check that an image is of bytes, or of floats from 0 to 1."""
    if image is None or image.dtype in (jnp.uint8, jnp.bool_):
        return
    low, high = image.min(), image.max()
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise ValueError(
            f"{name} has images in {image.dtype}, {low} to {high}: convert them with "
            ".astype('uint8'), 255 for the darkest stroke"
        )
    if low < 0 or high > 1:
        divide = "divide them by 255" if low >= 0 and high <= 255 else "scale them"
        raise ValueError(
            f"{name} has images from {low:g} to {high:g}: {divide}, as the network takes "
            "floats from 0 to 1, or uint8"
        )


def _image(data: Dataset) -> Any:
    """Return the array of images, where the data have some as an array."""
    inputs: Any = data.inputs
    if isinstance(inputs.shape, Mapping):
        inputs = inputs["image"] if "image" in inputs.shape else None
    return getattr(inputs, "array", None)


def _kinds(data: Dataset) -> dict[str, str]:
    """Return the dtypes of all arrays of the inputs, by path; 64 bits are 32 on the device."""
    leaves = jax.tree.leaves_with_path(data.inputs)
    dtype = lambda leaf: jax.dtypes.canonicalize_dtype(leaf.dtype).name
    return {jax.tree_util.keystr(path): dtype(leaf) for path, leaf in leaves}


def _floats(data: Dataset) -> dict[str, Any]:
    """Return the arrays of floats of the inputs, by a name of a sense or `inputs`."""
    leaves = jax.tree.leaves_with_path(data.inputs)
    is_float = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.floating)
    name = lambda path: next((str(k.key) for k in path if hasattr(k, "key")), "inputs")
    return {name(path): leaf for path, leaf in leaves if is_float(leaf)}
