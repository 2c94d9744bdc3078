"""A network that sees a digit and hears it: what each sense adds, and what it does without one.

    JAXDIGITS_DATA=FOLDER python experiments/two_senses.py train [ARM ...]
    JAXDIGITS_DATA=FOLDER python experiments/two_senses.py speakers [SPEAKER ...]
    JAXDIGITS_DATA=FOLDER python experiments/two_senses.py noise
    python experiments/two_senses.py table

Images are MNIST's, sounds those of the Free Spoken Digit Dataset.  In training an image is
heard with any recording of its digit; in the test with the recordings of its digit in turn.  A
twelfth of the images and of each digit's recordings choose the epoch.

`train` trains each arm over `SEEDS` seeds and tests it: on pairs, with one sense missing, and
on pairs of different digits, which a network should notice.  `speakers` trains without one of
the six speakers and tests on that one alone.  `noise` tests seed 0 of three arms on worse
images and worse sounds.  All join two_senses.json, where what is there is not done again.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from pairs import bootstrap_of_pairs
from sklearn.metrics import roc_auc_score
from trained import Trained, config_of, join, load, trained
from two_senses_tables import (
    DECIBELS,
    SEEDS,
    SEVERITIES,
    claims,
    draw,
    noise_table,
    speakers_table,
    table,
)

from jaxdigits.augment import add_noise
from jaxdigits.cli import _set_flags
from jaxdigits.data import (
    SPEAKERS,
    Dataset,
    Drawn,
    any_recording,
    fsdd,
    leave_speaker_out,
    mnist,
    mnist_fsdd,
    recordings_in_turn,
)
from jaxdigits.data.inputs import take
from jaxdigits.keys import example_keys
from jaxdigits.measure import corrupt
from jaxdigits.runs import load_run, predictor

RESULTS = Path(__file__).with_suffix(".json")
ARMS: dict[str, dict[str, Any]] = {
    "image": dict(senses=["image"], weight_decay=1e-4),
    "sound": dict(senses=["sound"]),
    "early": dict(fusion="early", image_hidden=[1000]),
    "middle": dict(fusion="middle"),
    "late": dict(fusion="late"),
    "events": dict(fusion="late", vision="saccades"),
}
UNHEARD: dict[str, Any] = dict(dropout_rate=0.3)  # more, for voices not in training
CORRUPTION = "gaussian_noise"


def arm(name: str, seed: int) -> Trained:
    """The network of an arm and a seed."""
    return trained(config_of("multimodal", ARMS[name], seed, "mnist+fsdd"))


def of_speaker(name: str, speaker: str) -> tuple[Trained, Dataset]:
    """An arm that never heard a speaker, and the test with that speaker's recordings."""
    train, test = mnist()
    heard, left_out = leave_speaker_out(fsdd(), speaker)
    data = lambda: (any_recording(train, heard), test)
    config = config_of("multimodal", ARMS[name] | UNHEARD, 0, "mnist+fsdd")
    return trained(config, data, f"without {speaker}"), recordings_in_turn(test, left_out)


def probabilities(network: Trained, inputs: Any) -> np.ndarray:
    """[N, 10]"""
    logits = predictor(load_run(network.folder))(inputs)[0]
    return np.asarray(jax.nn.softmax(logits, -1))


def without(test: Dataset, sense: str) -> dict[str, Any]:
    """The inputs of a test in which a sense is absent."""
    absent = np.zeros_like if sense == "image" else _silenced
    return test.image | {sense: absent(test.image[sense])}


def mismatched(test: Dataset) -> dict[str, Any]:
    """The inputs of a test in which each image has a recording of another digit."""
    sound, label = test.image["sound"], np.asarray(test.label)
    spoken = (label + 1 + np.arange(len(label)) % 9) % 10
    by_digit = {d: sound.among[label == d, 0] for d in range(10)}
    turn = np.array([by_digit[d][n % len(by_digit[d])] for n, d in enumerate(spoken)])
    return test.image | {"sound": sound._replace(among=turn[:, None])}


def results_of(network: Trained, test: Dataset, partner: np.ndarray) -> dict[str, Any]:
    """How a network did on pairs, and if it has both senses, with one and in conflict."""
    right = lambda p: p.argmax(-1) == test.label
    both = right(probabilities(network, test.image))
    found = dict(
        test=float(both.mean()), interval=bootstrap_of_pairs(both, partner),
        wrong=np.flatnonzero(~both).tolist(),
    ) | network.record  # fmt: skip
    if len(load_run(network.folder).config.options.get("senses", "both")) == 1:
        return found
    alone = {sense: probabilities(network, without(test, sense)) for sense in test.image}
    found |= {f"without {sense}": float(right(p).mean()) for sense, p in alone.items()}
    # What the eye alone and the ear alone say: how likely is it that they mean the same?
    agree = lambda eye, ear: (eye * ear).sum(-1)
    eye, ear = alone["sound"], alone["image"]
    other = probabilities(network, without(test._replace(image=mismatched(test)), "image"))
    score = -np.concatenate([agree(eye, ear), agree(eye, other)])
    conflict = np.repeat([False, True], len(test.label))
    return found | {"conflict": float(roc_auc_score(conflict, score))}


def noise() -> dict[str, Any]:
    """Accuracy of the arms for one sense and of middle fusion, as image and sound get worse."""
    test = mnist_fsdd()[1]
    rows = jnp.arange(len(test.label))
    keys = example_keys(jax.random.key(1), rows)
    pair = take(test.image, rows, keys)
    image, sound = pair["image"], pair["sound"]
    worse = {str(s): partial(corrupt, CORRUPTION, severity=s) for s in SEVERITIES}
    louder = {str(d): add_noise(d, d) for d in DECIBELS}
    images = {"clean": image} | {k: jax.jit(f)(keys, image) for k, f in worse.items()}
    sounds = {"clean": sound} | {k: jax.jit(f)(keys, sound) for k, f in louder.items()}
    one = [(s, "clean") for s in worse] + [("clean", d) for d in louder]
    pairs = [("clean", "clean"), *one, *zip(worse, list(louder)[1:], strict=True)]
    predict = {name: predictor(load_run(arm(name, 0).folder))
               for name in ("image", "sound", "middle")}  # fmt: skip
    found = {}
    for seen, heard in pairs:
        given = {"image": images[seen], "sound": sounds[heard]}
        right = {
            n: float((p(given)[0].argmax(-1) == test.label).mean()) for n, p in predict.items()
        }
        found[f"{seen} {heard}"] = right
        print(seen, heard, right, flush=True)
    return found


def main() -> None:
    todo, *names = sys.argv[1:] or [""]
    known = {"train": ARMS, "speakers": SPEAKERS}
    if todo == "table":
        results = load(RESULTS, {})
        print(table(results), speakers_table(results), noise_table(results), sep="\n\n")
        print("", *claims(results), sep="\n")
    elif todo in known and set(names) <= set(known[todo]):
        _set_flags()  # what `jaxdigits` sets
        for name in names or known[todo]:
            {"train": train_arm, "speakers": train_speaker}[todo](name)
    elif todo == "noise":
        _set_flags()
        found = noise()
        join(RESULTS, {}, lambda r: r.update(noise=found))
        draw(load(RESULTS, {}))
    else:
        sys.exit(__doc__)


def train_arm(name: str) -> None:
    """All seeds of an arm."""
    test = mnist_fsdd()[1]
    partner = test.image["sound"].among[:, 0]
    for seed in range(SEEDS):
        if str(seed) not in load(RESULTS, {}).get("arms", {}).get(name, {}):
            found = results_of(arm(name, seed), test, partner)
            add = lambda r, s=str(seed), found=found: (
                r.setdefault("arms", {}).setdefault(name, {}).update({s: found})
            )
            join(RESULTS, {}, add)
            print(name, seed, f"{100 * found['test']:.2f}", flush=True)


def train_speaker(speaker: str) -> None:
    """The ear and both senses, without a speaker."""
    for name in ("sound", "middle"):
        if name not in load(RESULTS, {}).get("speakers", {}).get(speaker, {}):
            network, test = of_speaker(name, speaker)
            found = results_of(network, test, test.image["sound"].among[:, 0])
            add = lambda r, n=name, found=found: (
                r.setdefault("speakers", {}).setdefault(speaker, {}).update({n: found})
            )
            join(RESULTS, {}, add)
            print(speaker, name, f"{100 * found['test']:.2f}", flush=True)


def _silenced(sound: Drawn) -> np.ndarray:
    return np.zeros((len(sound.group), sound.value.shape[1]), np.float32)


if __name__ == "__main__":
    main()
