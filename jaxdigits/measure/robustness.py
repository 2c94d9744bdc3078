"""Accuracy on corrupted images, per corruption and severity."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data import Dataset, Senses
from jaxdigits.keys import example_keys, require_key
from jaxdigits.measure.corruptions import CORRUPTIONS, SEVERITIES, corrupt

Predict = Callable[[Any], np.ndarray]


def robustness(
    predict: Predict,
    data: Dataset,
    key: Array,
    *,
    names: str | Iterable[str] = tuple(CORRUPTIONS),
    severities: Iterable[int] = SEVERITIES,
    report: Callable[[str, int, np.ndarray], None] = lambda name, severity, accuracy: None,
) -> dict[str, dict[int, np.ndarray]]:
    """Measure the accuracy of each network, by corruption and severity.

    Args:
      predict: images [N, 28, 28] in [0, 1] -> logits [networks, N, K], as
        `jaxdigits.runs.predictor` returns it for a run.
      data: test images and their labels; where there are sounds too, only images are corrupted.
      key: one key for the corruptions; example n depends on `key` and n alone.
      names: of `CORRUPTIONS`; all of them by default.
      severities: 1 to 5; all of them by default.
      report: called with each result.

    Returns:
      {name: {severity: accuracies [networks], 0 to 1}}.  For a run on disk:

        run = jaxdigits.runs.load_run(folder)
        robustness(jaxdigits.runs.predictor(run), mnist()[1], jax.random.key(0))

    Raises:
      ValueError: for an unknown corruption or severity, or another number of keys.
    """
    if np.shape(require_key(key, "robustness")):
        raise ValueError(f"robustness takes one key, got {np.shape(key)} of them")
    names = [names] if isinstance(names, str) else names
    severities = tuple(severities)  # read once for each name
    label = np.asarray(data.label)
    senses = data.inputs.senses if isinstance(data.inputs, Senses) else {}
    images: Any = senses["image"] if senses else data.inputs
    keys = example_keys(key, jnp.arange(len(label)))
    accuracies: dict[str, dict[int, np.ndarray]] = {}
    for name in names:
        accuracies[name] = {}
        for severity in severities:
            worse = jax.jit(partial(corrupt, name, severity=severity))(keys, images.array)
            logits = predict(senses | {"image": worse} if senses else worse)
            accuracies[name][severity] = (logits.argmax(-1) == label).mean(-1)
            report(name, severity, accuracies[name][severity])
    return accuracies
