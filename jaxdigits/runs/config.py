"""What a training run is, in plain values: what `config.json` holds."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

import jax

from jaxdigits.augment import AUGMENTS, Augment, of_senses, other_speech
from jaxdigits.data import DATASETS
from jaxdigits.data.catalogue import FEATURES, blank
from jaxdigits.gradients import ESTIMATORS, Estimator, adversarial
from jaxdigits.gradients.rules import RULES
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss
from jaxdigits.models.catalogue import NETWORKS, build
from jaxdigits.train.microbatch import check_microbatch, require_apart
from jaxdigits.train.optimizer import SCHEDULES

LATER: dict[str, Any] = {
    "microbatch": None,
    "augment": None,
    "schedule": "cosine",
    "adversarial": 0.0,
    "steps_per_save": None,
}  # what runs of an earlier version do not have


@dataclass(frozen=True)
class Config:
    """A run, apart from its data: enough to train it again, and to read its params.

    Raises:
      ValueError: for a value out of range, an unknown name, or a network that does not fit
        the images, saying which.
    """

    network: str
    """a name of `NETWORKS`"""
    data: str
    """a name of `DATASETS`"""
    epochs: int
    batch: int
    learning_rate: float
    """peak of the schedule"""
    schedule: str = "cosine"
    """a name of `SCHEDULES`"""
    weight_decay: float = 1e-4
    smoothing: float = 0.1
    """label smoothing of the cross-entropy"""
    ema: float | None = 0.99
    """decay of the average of the params that is validated and kept; None: no average"""
    microbatch: int | None = None
    """examples that a step takes at a time; None: as many as are quick on the device"""
    augment: str | None = None
    """a name of `AUGMENTS`; None: the images stay as they are. Sounds are changed with them"""
    adversarial: float = 0.0
    """by how much pixels in [0, 1] change to mislead the network that learns; 0: not at all"""
    patience: int | None = None
    """stop after so many epochs without a better validation accuracy"""
    steps_per_save: int | None = None
    """save within an epoch too, after each so many steps; None: an epoch is one program"""
    gradient: str = "by_hand"
    """a name of `ESTIMATORS` or `RULES`"""
    seed: int = 0
    seeds: int = 1
    """networks trained, with seed, seed + 1, ..."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """the network's own options, as `jaxdigits.models.build` takes them"""

    def __post_init__(self):
        _require(self.data in DATASETS, f"unknown data {self.data!r}: {[*DATASETS]}")
        _require(
            self.augment is None or self.augment in AUGMENTS,
            f"unknown augmentation {self.augment!r}: choose from {', '.join(AUGMENTS)}",
        )
        _require(
            self.schedule in SCHEDULES,
            f"unknown schedule {self.schedule!r}: choose from {', '.join(SCHEDULES)}",
        )
        known = [*ESTIMATORS, *RULES]
        _require(self.gradient in known, f"unknown gradient {self.gradient!r}: {known}")
        for name in ("epochs", "batch", "seeds", "patience", "steps_per_save"):
            value = getattr(self, name)
            if name not in ("patience", "steps_per_save") or value is not None:
                _require_whole(name, value)
                _require(value >= 1, f"{name} must be >= 1, got {value}")
        if self.microbatch is not None:
            _require_whole("microbatch", self.microbatch)
            check_microbatch(self.microbatch, self.batch)
        _require_whole("seed", self.seed)
        _require(0 <= self.seed < 2**32, f"seed must be in [0, 2³²), got {self.seed}")
        _require(
            self.seed + self.seeds <= 2**32,
            f"the last seed must be below 2³², got {self.seed + self.seeds - 1}",
        )
        _require(
            0 < self.learning_rate < float("inf"),
            f"learning rate must be > 0, got {self.learning_rate}",
        )
        _require(
            0 <= self.weight_decay < float("inf"),
            f"weight decay must be >= 0, got {self.weight_decay}",
        )
        _require(0 <= self.smoothing < 1, f"smoothing must be in [0, 1), got {self.smoothing}")
        _require(
            self.ema is None or 0 <= self.ema < 1, f"ema must be in [0, 1), got {self.ema}"
        )
        _require(
            self.seeds == 1 or self.patience is None,
            "patience stops one run: not with several seeds",
        )
        _require(
            0 <= self.adversarial <= 1,
            f"adversarial must be in [0, 1], got {self.adversarial}",
        )
        # The worst image is found by the network's own input gradient.
        _require(
            not self.adversarial or (self.gradient == "by_hand" and self.network in SEEING),
            f"adversarial is for {', '.join(SEEING)}, and the gradient by hand",
        )
        hears, sounds = self.network in HEARING, isinstance(FEATURES[self.data], Mapping)
        _require(
            hears == sounds,
            f"{self.network} {'sees and hears' if hears else 'only sees'}: choose data from "
            + ", ".join(d for n, d in DEFAULTS if n == self.network),
        )
        network = self.build()(training=True)
        jax.eval_shape(lambda: network.init(jax.random.key(0), FEATURES[self.data])[0])
        if self.microbatch is not None and self.microbatch < self.batch:
            jax.eval_shape(partial(self._try_part, network, self.microbatch))

    def build(self) -> partial:
        """The network's builder, which takes `training` and `statistics`."""
        if self.gradient in ESTIMATORS:
            return partial(build, self.network, self.options)
        rule = RULES[self.gradient]
        parts = {} if rule.parts is None else {"parts": rule.parts}
        return partial(build, self.network, self.options, chain=rule.chain, **parts)

    def augmentation(self) -> Augment | None:
        """What makes other images of each step's, and other speech."""
        if self.augment is None:
            return None
        of_image = AUGMENTS[self.augment]
        if self.network not in HEARING:
            return of_image
        return of_senses({"image": of_image, "sound": other_speech()})

    def estimator(self) -> Callable[[Layer, Loss], Estimator]:
        """What makes the gradient, from the network and the loss."""
        if self.adversarial:
            return adversarial(self.adversarial)
        if self.gradient in ESTIMATORS:
            return ESTIMATORS[self.gradient]
        return RULES[self.gradient].estimator

    def _try_part(self, network: Layer, examples: int) -> None:
        """Raise a ValueError unless the network takes each example by itself."""
        key, features = jax.random.key(0), FEATURES[self.data]
        x = jax.tree.map(jax.numpy.asarray, blank(features, examples))
        keys = jax.random.split(key, examples)
        require_apart(network, network.init(key, features)[0], x, keys)


SEEING = ("mlp", "cnn", "snn", "conv_snn")  # networks whose pixels have a gradient
HEARING = ("multimodal",)  # networks that are given a sound with each image
WANTED = {"multimodal": "; recordings are in JAXDIGITS_DATA/fsdd, or a download of 16 MB"}

# Settings that a few runs of one seed led to, whose test accuracies were seen too (the README
# says which); experiments/core.json has what they reach.  The
# average remembers about two epochs.
_DIGITS = dict(epochs=30, batch=64, learning_rate=2e-3, ema=0.99)
_MNIST = dict(batch=128, learning_rate=2e-3, ema=0.999)
_SENSES = dict(smoothing=0.0, weight_decay=0.05, augment="noisy",
               options=dict(decay=0.8, precision="mixed"))  # fmt: skip
DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("mlp", "digits"): _DIGITS | dict(learning_rate=1e-3),
    ("cnn", "digits"): _DIGITS,
    ("snn", "digits"): _DIGITS,
    ("conv_snn", "digits"): _DIGITS,
    ("event_snn", "digits"): _DIGITS | dict(learning_rate=2e-2),
    ("mlp", "mnist"): _MNIST | dict(epochs=20, learning_rate=1e-3),
    ("cnn", "mnist"): _MNIST | dict(epochs=15),
    ("snn", "mnist"): _MNIST | dict(epochs=15, weight_decay=0.01),
    ("conv_snn", "mnist"): _MNIST | dict(epochs=12),
    ("multimodal", "digits+fsdd"): _DIGITS | _SENSES | dict(epochs=90),
    ("multimodal", "mnist+fsdd"): _MNIST | _SENSES | dict(epochs=16, batch=64),
    ("event_snn", "mnist"): _MNIST | dict(epochs=10, learning_rate=2e-2, smoothing=0.0),
}


def config_for(network: str, data: str, **given: Any) -> Config:
    """The configuration for a network and a data set, with `given` in place of defaults.

    Options of the network join those that are its defaults there.

    Raises:
      ValueError: for an unknown name or a value out of range.
    """
    _require(
        network in NETWORKS, f"unknown network {network!r}: choose from {', '.join(NETWORKS)}"
    )
    if (network, data) not in DEFAULTS:
        known = ", ".join(d for n, d in DEFAULTS if n == network)
        what = f"{network} has no defaults for" if data in DATASETS else "unknown data"
        raise ValueError(f"{what} {data!r}: choose from {known}{WANTED.get(network, '')}")
    settings = DEFAULTS[network, data] | given
    options = DEFAULTS[network, data].get("options", {}) | given.get("options", {})
    return Config(network, data, **(settings | {"options": options}))


def to_json(config: Config) -> dict[str, Any]:
    """The configuration as a JSON object."""
    return asdict(config)


def from_json(values: Any) -> Config:
    """The configuration that `to_json` wrote.

    Raises:
      ValueError: if it is not one, naming what is missing, unknown or of another type.
    """
    _require(isinstance(values, dict), "the configuration is not a JSON object")
    known, values = {f.name for f in fields(Config)}, LATER | values
    for name in sorted(known ^ set(values)):
        raise ValueError(
            f"the configuration {'lacks' if name in known else 'has an unknown'} {name!r}"
        )
    try:
        return Config(**values)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"the configuration has a value of the wrong type: {error}") from error


def _require_whole(name: str, value: Any) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    _require(whole, f"{name} must be a whole number, got {value!r}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
