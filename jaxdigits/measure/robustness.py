"""Accuracy on corrupted images, per corruption and severity."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.keys import example_keys, require_key
from jaxdigits.measure.corruptions import CORRUPTIONS, SEVERITIES, corrupt

Predict = Callable[[Array], np.ndarray]


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
      data: test images and their labels; in a dict with sounds only the images are corrupted.
      key: one key for the corruptions; example n depends on `key` and n alone.
      names: of `CORRUPTIONS`; all of them by default.
      severities: 1 to 5; all of them by default.
      report: called with each result as it comes.

    Returns:
      {name: {severity: accuracies [networks], 0 to 1}}.  For a run on disk:

        run = jaxdigits.runs.load_run(folder)
        robustness(jaxdigits.runs.predictor(run), mnist()[1], jax.random.key(0))

    Raises:
      ValueError: for an unknown corruption or severity, or unless key is one key.
    """
    if np.shape(require_key(key, "robustness")):
        raise ValueError(f"robustness takes one key, got {np.shape(key)} of them")
    names = [names] if isinstance(names, str) else names
    severities = tuple(severities)  # read once for each name
    label, hears = np.asarray(data.label), isinstance(data.image, Mapping)
    image = data.image["image"] if hears else data.image
    keys = example_keys(key, jnp.arange(len(label)))
    accuracies: dict[str, dict[int, np.ndarray]] = {}
    for name in names:
        accuracies[name] = {}
        for severity in severities:
            worse = jax.jit(partial(corrupt, name, severity=severity))(keys, image)
            right = (
                predict(data.image | {"image": worse} if hears else worse).argmax(-1) == label
            )
            accuracies[name][severity] = right.mean(-1)
            report(name, severity, accuracies[name][severity])
    return accuracies
