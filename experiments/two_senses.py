"""A network that sees a digit and hears it: the gain of each sense, and the loss without it.

    JAXDIGITS_DATA=FOLDER python experiments/two_senses.py train [ARM ...]
    JAXDIGITS_DATA=FOLDER python experiments/two_senses.py speakers [SPEAKER ...]
    JAXDIGITS_DATA=FOLDER python experiments/two_senses.py noise
    python experiments/two_senses.py table

Images are MNIST's, and sounds come from the Free Spoken Digit Dataset.  In training an image is
paired with any recording of its digit; in the test with the recordings of its digit in turn.  A
twelfth of the images and of each digit's recordings choose the epoch.

`train` trains each arm over `SEEDS` seeds and tests it: on pairs, with one sense missing, and
on pairs of different digits, which a network should notice.  `speakers` trains without one of
the six speakers and tests on that speaker alone.  `noise` tests seed 0 of three arms on worse
images and worse sounds.  Results join two_senses.json; existing results are not repeated.
"""

import sys
from dataclasses import replace
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
from jaxdigits.data import (
    SPEAKERS,
    Dataset,
    Drawn,
    Stored,
    any_recording,
    fsdd,
    leave_speaker_out,
    mnist,
    mnist_fsdd,
    recordings_in_turn,
)
from jaxdigits.fast.flags import set_flags
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
    """Train the network of an arm and a seed."""
    return trained(config_of("multimodal", ARMS[name], seed, "mnist+fsdd"))


def of_speaker(name: str, speaker: str) -> tuple[Trained, Dataset]:
    """Train an arm without a speaker, and return its test with that speaker's recordings."""
    train, test = mnist()
    heard, left_out = leave_speaker_out(fsdd(), speaker)
    data = lambda: (any_recording(train, heard), test)
    config = config_of("multimodal", ARMS[name] | UNHEARD, 0, "mnist+fsdd")
    return trained(config, data, f"without {speaker}"), recordings_in_turn(test, left_out)


def probabilities(network: Trained, inputs: Any) -> np.ndarray:
    """Return probabilities [N, 10]."""
    logits = predictor(load_run(network.folder))(inputs)[0]
    return np.asarray(jax.nn.softmax(logits, -1))


def without(test: Dataset, sense: str) -> dict[str, Any]:
    """Return the inputs of a test in which a sense is absent."""
    absent = _blank if sense == "image" else _silenced
    return test.inputs.senses | {sense: absent(test.inputs[sense])}


def mismatched(test: Dataset) -> dict[str, Any]:
    """Return the inputs of a test in which each image has a recording of another digit."""
    sound, label = test.inputs["sound"], np.asarray(test.label)
    spoken = (label + 1 + np.arange(len(label)) % 9) % 10
    by_digit = {d: sound.among[label == d, 0] for d in range(10)}
    turn = np.array([by_digit[d][n % len(by_digit[d])] for n, d in enumerate(spoken)])
    return test.inputs.senses | {"sound": replace(sound, among=turn[:, None])}


def results_of(network: Trained, test: Dataset, partner: np.ndarray) -> dict[str, Any]:
    """Test a network on pairs; if it has both senses, also with one and in conflict."""
    right = lambda p: p.argmax(-1) == test.label
    both = right(probabilities(network, test.inputs))
    found = dict(
        test=float(both.mean()), interval=bootstrap_of_pairs(both, partner),
        wrong=np.flatnonzero(~both).tolist(),
    ) | network.record  # fmt: skip
    if len(load_run(network.folder).config.options.get("senses", "both")) == 1:
        return found
    alone = {
        sense: probabilities(network, without(test, sense)) for sense in test.inputs.senses
    }
    found |= {f"without {sense}": float(right(p).mean()) for sense, p in alone.items()}
    # The probability that the eye alone and the ear alone mean the same digit.
    agree = lambda eye, ear: (eye * ear).sum(-1)
    eye, ear = alone["sound"], alone["image"]
    other = probabilities(network, without(replace(test, inputs=mismatched(test)), "image"))
    score = -np.concatenate([agree(eye, ear), agree(eye, other)])
    conflict = np.repeat([False, True], len(test.label))
    return found | {"conflict": float(roc_auc_score(conflict, score))}


def noise() -> dict[str, Any]:
    """Test the arms for one sense and middle fusion, as image and sound get worse."""
    test = mnist_fsdd()[1]
    rows = jnp.arange(len(test.label))
    keys = example_keys(jax.random.key(1), rows)
    pair = test.inputs.take(rows, keys)
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
        set_flags()  # as `jaxdigits` sets them
        for name in names or known[todo]:
            {"train": train_arm, "speakers": train_speaker}[todo](name)
    elif todo == "noise":
        set_flags()
        found = noise()
        join(RESULTS, {}, lambda r: r.update(noise=found))
        draw(load(RESULTS, {}))
    else:
        sys.exit(__doc__)


def train_arm(name: str) -> None:
    """Train all seeds of an arm."""
    test = mnist_fsdd()[1]
    partner = test.inputs["sound"].among[:, 0]
    for seed in range(SEEDS):
        if str(seed) not in load(RESULTS, {}).get("arms", {}).get(name, {}):
            found = results_of(arm(name, seed), test, partner)
            add = lambda r, s=str(seed), found=found: (
                r.setdefault("arms", {}).setdefault(name, {}).update({s: found})
            )
            join(RESULTS, {}, add)
            print(name, seed, f"{100 * found['test']:.2f}", flush=True)


def train_speaker(speaker: str) -> None:
    """Train the ear and both senses, without a speaker."""
    for name in ("sound", "middle"):
        if name not in load(RESULTS, {}).get("speakers", {}).get(speaker, {}):
            network, test = of_speaker(name, speaker)
            found = results_of(network, test, test.inputs["sound"].among[:, 0])
            add = lambda r, n=name, found=found: (
                r.setdefault("speakers", {}).setdefault(speaker, {}).update({n: found})
            )
            join(RESULTS, {}, add)
            print(speaker, name, f"{100 * found['test']:.2f}", flush=True)


def _blank(images: Stored) -> np.ndarray:
    return np.zeros_like(images.array)


def _silenced(sound: Drawn) -> np.ndarray:
    return np.zeros((len(sound.group), sound.value.shape[1]), np.float32)


if __name__ == "__main__":
    main()
