"""The figures that suit a run: how it learned, where it errs, what its first network does."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.augment import AUGMENTS
from jaxdigits.data import Dataset
from jaxdigits.measure import CORRUPTIONS, confusion_matrix, robustness, score
from jaxdigits.plots.curves import corruption_figure, learning_figure
from jaxdigits.plots.images import augmentation_figure
from jaxdigits.plots.mistakes import confusion_figure, mistakes_figure
from jaxdigits.plots.of_network import (
    Drawing,
    first_member,
    gradients_of,
    images_of,
    saliency_of,
    spikes_of,
    weights_of,
)
from jaxdigits.runs import Run, predictor


def drawings(
    run: Run,
    history: Sequence[Mapping[str, Any]],
    train: Dataset,
    test: Dataset,
    *,
    best_epoch: Sequence[int] = (),
    severities: Sequence[int] = (),
) -> list[Drawing]:
    """All figures that suit the run; what is about one network is about its first.

    Args:
      history: a row an epoch, as `metrics.jsonl` has them; none draws no learning curves.
      train, test: the data that it was trained on.
      best_epoch: the epochs that validation chose, one a network.
      severities: of corruptions to test it under, from 1 to 5; none by default, as nineteen
        corruptions take their time.

    Raises:
      ImportError: without matplotlib, saying how to install it.
    """
    predict, member = predictor(run), first_member(run)
    logits = predict(test.inputs)
    found = [*_learning(history, best_epoch), *_errors(logits, test)]
    if severities:
        found += [_corruptions(predict, test, severities)]
    found += spikes_of(run, member, test)
    found += weights_of(member)
    if run.config.augment:
        found += [_augmentation(run.config.augment, train)]
    found += saliency_of(member, logits[0].argmax(-1), test)
    return [*found, *gradients_of(run, member, train)]


def _learning(history, best_epoch) -> list[Drawing]:
    if not history:
        return []
    column = lambda name: np.array([row[name] for row in history], float)
    losses = {"training": column("loss"), "validation": column("valid_loss")}
    figure = learning_figure(losses, column("valid_accuracy"), chosen=best_epoch)
    text = "The loss of an epoch's steps, and loss and accuracy on validation data after it"
    text += ", of the average of the weights if one is kept."
    return [Drawing("learning", "Learning", text, figure)]


def _errors(logits: np.ndarray, test: Dataset) -> list[Drawing]:
    label = np.asarray(test.label)
    confusion = confusion_matrix(np.tile(label, len(logits)), logits.argmax(-1).ravel())
    probability = np.asarray(jax.nn.softmax(logits, axis=-1)).mean(0)
    many = "" if len(logits) == 1 else f", each once for each of {len(logits)} networks"
    doubts = "The test digits whose own probability was the least: it is the blue bar, and the "
    doubts += "hatched orange one is what was read instead."
    return [
        Drawing("confusion", "What is taken for what", f"Counts of test digits{many}.",
                confusion_figure(confusion)),
        Drawing("mistakes", "The worst mistakes", doubts,
                mistakes_figure(images_of(test.inputs), label, probability)),
    ]  # fmt: skip


def _corruptions(predict, test: Dataset, severities: Sequence[int]) -> Drawing:
    found = robustness(predict, test, jax.random.key(0), severities=severities)
    kinds = {name: corruption.kind for name, corruption in CORRUPTIONS.items()}
    score_clean = score(predict(test.inputs), test.label).test_accuracy
    text = f"Test digits made worse; as they are it reads {100 * score_clean:.2f} % of them."
    return Drawing("corruptions", "Accuracy against corruption", text,
                   corruption_figure(found, kinds))  # fmt: skip


def _augmentation(name: str, train: Dataset) -> Drawing:
    image = jnp.asarray(images_of(train.inputs)[:5])
    draws = [AUGMENTS[name](key, image) for key in jax.random.split(jax.random.key(0), 7)]
    figure = augmentation_figure(np.asarray(image) / 255, np.stack(draws))
    return Drawing("augmentation", "Augmentation", f"Training digits under “{name}”.", figure)
