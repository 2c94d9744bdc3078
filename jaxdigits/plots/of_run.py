"""The figures of a run: its learning, its errors, and its first network."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.augment import AUGMENTS
from jaxdigits.data import Dataset
from jaxdigits.measure import (
    CORRUPTIONS,
    confusion_matrix,
    probabilities,
    robustness,
    score,
)
from jaxdigits.plots.curves import corruption_figure, learning_figure
from jaxdigits.plots.hands import hands_of
from jaxdigits.plots.images import augmentation_figure
from jaxdigits.plots.mistakes import confusion_figure, doubt_figure, mistakes_figure
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
    """Draw all figures that suit the run; figures of one network show its first.

    Args:
      history: a row per epoch, as in `metrics.jsonl`; empty draws no learning curves.
      train, test: the data of its training.
      best_epoch: the epochs chosen on validation data, one per network.
      severities: severities of corruption, 1 to 5, to draw accuracy against; none by default,
        as nineteen corruptions take minutes.

    Raises:
      ImportError: without matplotlib, saying how to install it.
    """
    predict, member = predictor(run), first_member(run)
    if run.config.compares:
        return [*_learning(history, best_epoch), *hands_of(member, predict, train, test)]
    if run.config.reads_fields:
        return [*_learning(history, best_epoch), *weights_of(member)]
    logits = predict(test.inputs)
    figures = [*_learning(history, best_epoch), *_errors(run, logits, test)]
    if severities:
        figures += [_corruptions(predict, test, severities)]
    figures += spikes_of(run, member, test)
    figures += weights_of(member)
    if run.config.augment:
        figures += [_augmentation(run.config.augment, train)]
    figures += saliency_of(member, logits[0].argmax(-1), test, run.config.names)
    return [*figures, *gradients_of(run, member, train)]


def _learning(history, best_epoch) -> list[Drawing]:
    if not history:
        return []
    column = lambda name: np.array([row[name] for row in history], float)
    losses = {"training": column("loss"), "validation": column("valid_loss")}
    figure = learning_figure(losses, column("valid_accuracy"), chosen=best_epoch)
    text = "The mean loss of each epoch, and loss and accuracy on validation data after it"
    text += ", with averaged weights if the run averages them."
    return [Drawing("learning", "Learning", text, figure)]


def _errors(run: Run, logits: np.ndarray, test: Dataset) -> list[Drawing]:
    names, prediction = run.config.names, logits.argmax(-1).ravel()
    label = np.asarray(test.label)
    confusion = confusion_matrix(np.tile(label, len(logits)), prediction, len(names))
    probability = probabilities(logits, run.temperature)
    many = "" if len(logits) == 1 else f", each once for each of {len(logits)} networks"
    text = "The test digits whose label had the least probability (blue bar); the hatched "
    text += "orange bar is the prediction."
    return [
        Drawing("confusion", "Confusion matrix", f"Counts of test digits{many}.",
                confusion_figure(confusion, names)),
        Drawing("mistakes", "The worst mistakes", text,
                mistakes_figure(images_of(test.inputs), label, probability, names=names)),
        Drawing("doubt", "Doubt", "Whether probabilities are true: test digits in bins of the "
                f"answer's probability, at temperature {run.temperature:.2f}; and the share of "
                "errors among the surest answers.", doubt_figure(probability, label)),
    ]  # fmt: skip


def _corruptions(predict, test: Dataset, severities: Sequence[int]) -> Drawing:
    accuracies = robustness(predict, test, jax.random.key(0), severities=severities)
    kinds = {name: corruption.kind for name, corruption in CORRUPTIONS.items()}
    clean = score(predict(test.inputs), test.label).test_accuracy
    text = f"Corrupted test digits; the accuracy without corruption is {100 * clean:.2f} %."
    return Drawing("corruptions", "Accuracy against corruption", text,
                   corruption_figure(accuracies, kinds))  # fmt: skip


def _augmentation(name: str, train: Dataset) -> Drawing:
    image = jnp.asarray(images_of(train.inputs)[:5])
    draws = [AUGMENTS[name](key, image) for key in jax.random.split(jax.random.key(0), 7)]
    figure = augmentation_figure(np.asarray(image) / 255, np.stack(draws))
    return Drawing("augmentation", "Augmentation", f"Training digits under “{name}”.", figure)
