"""The configuration of a training run: plain values, whole, as `config.json` holds them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from inspect import signature
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdigits.augment import AUGMENTS, Augment, of_hands, of_senses, other_speech
from jaxdigits.chain import in_series
from jaxdigits.convert import spiking
from jaxdigits.data.catalogue import CLASSES, FEATURES, blank
from jaxdigits.data.own import Own
from jaxdigits.gradients import ESTIMATORS, Estimator, adversarial
from jaxdigits.gradients.rules import RULES
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss, contrastive, cross_entropy, ctc
from jaxdigits.options import (
    Bounds,
    Option,
    names_of,
    options_of,
    require_name,
    require_within,
)
from jaxdigits.quantise import MOST, quantised
from jaxdigits.runs.graph import GraphFile, graph_of
from jaxdigits.runs.network_options import (
    BUILDERS,
    IMPORTED,
    network_options,
    plain,
    whole_options,
)
from jaxdigits.train.microbatch import check_microbatch, require_apart
from jaxdigits.train.optimizer import SCHEDULES

GRADIENTS: Mapping[str, Any] = {**ESTIMATORS, **RULES}
SEEDS = 2**32
LONGEST_SIDE = 1 << 14  # pixels of one's own images
# Fields that are no option of a training.
NOT_SETTINGS = ("network", "options", "own", "start", "spiking_steps", "graph")
OPTIONAL = ("own", "start", "bits", "spiking_steps", "graph")  # in a file unless None
LIKE = {IMPORTED: "snn"}  # networks with another's settings of training
OF_STRINGS = ("columns", "spiking_columns")  # networks whose answers are strings, by CTC
OF_HANDS = ("embedding", "spiking_embedding")  # networks whose answers are points
_FITTING = (
    "{} reads rows of digits: give the folder a labels.csv, or choose a network of images",
    "{} reads single images, and the folder has rows of digits: choose columns",
)
WITH_PIXEL_SLOPES = ("mlp", "cnn", "snn", "conv_snn")


class Start(NamedTuple):
    """The run whose params a training goes on from (`jaxdigits.runs.start`)."""

    folder: str
    digest: str
    """of its params"""


@dataclass(frozen=True)
class Config:
    """A run, apart from its data: enough to train it again, and to read its params.

    Raises:
      ValueError: for a value out of range, an unknown name, or an option that the network does
        not have.
    """

    network: Annotated[str, tuple(BUILDERS)]
    """the network"""
    data: str
    """the data set, or your own folder"""
    epochs: Annotated[int, Bounds(1, 1_000_000)]
    """passes over the training set"""
    batch: Annotated[int, Bounds(1)] = 64
    """examples per update"""
    learning_rate: Annotated[float, Bounds(0, below=True)] = 2e-3
    """peak learning rate of AdamW"""
    schedule: Annotated[str, tuple(SCHEDULES)] = "cosine"
    """learning rate over time"""
    weight_decay: Annotated[float, Bounds(0, below=True)] = 1e-4
    """weight decay of AdamW, on weights only"""
    smoothing: Annotated[float, Bounds(0, 1, below=True)] = 0.1
    """label smoothing of the cross-entropy"""
    ema: Annotated[float, Bounds(0, 1, below=True)] | None = 0.99
    """decay of the average of the weights, which is saved; or none"""
    microbatch: Annotated[int, Bounds(1, 1 << 14)] | None = None
    """examples computed at a time, to save memory; none: as many as are quick"""
    augment: Annotated[str | None, tuple(AUGMENTS)] = None
    """other images in each update"""
    adversarial: Annotated[float, Bounds(0, 1)] = 0.0
    """how far pixels move to mislead the network; 0.1 to 0.25 is usual"""
    patience: Annotated[int, Bounds(1)] | None = None
    """stop after this many epochs without a better one"""
    updates_per_save: Annotated[int, Bounds(1)] | None = None
    """save after this many updates of an epoch, too"""
    gradient: Annotated[str, tuple(GRADIENTS)] = "by_hand"
    """how the gradient is computed"""
    bits: Annotated[int, Bounds(1, MOST)] | None = None
    """bits of each weight, trained through the rounding; none: floats"""
    seed: Annotated[int, Bounds(0, SEEDS - 1)] = 0
    """all randomness comes from it"""
    seeds: Annotated[int, Bounds(1)] = 1
    """networks trained at once, with seed, seed + 1 and so on"""
    options: Mapping[str, Any] = field(default_factory=dict)
    """every option of the network, as its builder takes them"""
    own: Own | None = None
    """facts of one's own data; None for a data set of the library"""
    spiking_steps: Annotated[int, Bounds(1)] | None = None
    """time steps of integrate-and-fire neurons in place of rectifiers; None: rectifiers"""
    start: Start | None = None
    """the run to go on from; None: the networks draw their params"""
    graph: GraphFile | None = None
    """the imported graph; None for a network of the library"""

    def __post_init__(self):
        require_name("network", BUILDERS, self.network)
        if isinstance(self.graph, Mapping):  # from a file's JSON
            object.__setattr__(self, "graph", GraphFile(**self.graph))
        if (self.graph is None) == (self.network == IMPORTED):
            raise ValueError(
                f"network {IMPORTED} is for a NIR file: `jaxdigits import` makes such a run"
            )
        if self.own is None:
            require_name("data", FEATURES, self.data)
        else:
            object.__setattr__(self, "own", _whole_own(self.own, self.network))
        if isinstance(self.start, Mapping):  # from a file's JSON
            object.__setattr__(self, "start", Start(**self.start))
        if self.start is not None and not (
            isinstance(self.start, Start) and all(isinstance(text, str) for text in self.start)
        ):
            raise ValueError(f"start must be a Start, got {self.start!r}: use config_from")
        for option in options_of(Config, without=("data", *NOT_SETTINGS)):
            value, names = getattr(self, option.name), names_of(option.annotation)
            if names and not (value is None and option.default is None):
                require_name(option.name, names, value)
            require_within(option.name, option.annotation, value)
        if not self.learning_rate:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}")
        check_microbatch(self.microbatch, self.batch)
        if (self.reads_fields or self.compares) and self.smoothing:
            raise ValueError(f"smoothing must be 0 for {self.network}, got {self.smoothing}")
        if self.reads_fields and self.seeds > 1:
            raise ValueError(f"seeds must be 1 for {self.network}: train one after the other")
        if self.seed + self.seeds > SEEDS:
            last = self.seed + self.seeds - 1
            raise ValueError(f"the last seed must be < 2³², got {last}")
        if self.seeds > 1 and self.patience is not None:
            raise ValueError("patience stops one run: leave it out with several seeds")
        # The worst image is found by the network's own input gradient.
        if self.adversarial and (
            self.gradient != "by_hand" or self.network not in WITH_PIXEL_SLOPES
        ):
            networks = " or ".join(WITH_PIXEL_SLOPES)
            raise ValueError(
                f"adversarial needs gradient by_hand and {networks}, got {self.gradient} and "
                f"{self.network}"
            )
        options = whole_options(self.network, self.options)
        object.__setattr__(self, "options", options)
        if self.own is not None and options.get("classes", self._classes) != self._classes:
            raise ValueError(
                f"classes must be {self._classes}, as the data have, got {options['classes']}"
            )

    @property
    def features(self) -> Any:
        """The feature shape of an example, or one for each sense."""
        return FEATURES[self.data] if self.own is None else self.own.shape

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes: for eleven without data of one's own, digits and "no digit".

        A network that compares has none.
        """
        if self.compares:
            return ()
        if self.reads_fields:
            return CLASSES[:10]
        return CLASSES[: self.options["classes"]] if self.own is None else self.own.names

    @property
    def reads_fields(self) -> bool:
        """Whether an answer is a string of digits, and the last class is blank."""
        return self.network in OF_STRINGS

    @property
    def compares(self) -> bool:
        """Whether an answer is a point, near to others of the same hand."""
        return self.network in OF_HANDS

    @property
    def _classes(self) -> int:
        """The number of classes of the network: blank is one more."""
        return len(self.names) + self.reads_fields

    @property
    def hears(self) -> bool:
        """Whether the network takes a sound with each image."""
        return isinstance(self.features, Mapping)

    def loss(self) -> Loss:
        """The loss: cross-entropy with label smoothing, that of strings, or that of points."""
        if self.compares:
            return contrastive()
        return ctc() if self.reads_fields else cross_entropy(self.smoothing)

    def build(self) -> partial:
        """The network's builder, which takes `training` and `statistics`."""
        options = {**self.options, **({"graph": graph_of(self.graph)} if self.graph else {})}
        if self.gradient in ESTIMATORS:
            network = partial(BUILDERS[self.network], **options)
        else:
            network = partial(_by_rule, self.network, options, self.gradient)
        if self.spiking_steps is not None:
            network = partial(_in_spikes, network, self.spiking_steps)
        return network if self.bits is None else partial(_of_few_bits, network, self.bits)

    def augmentation(self) -> Augment | None:
        """The function that makes other images of each update's, and other speech."""
        if self.augment is None:
            return None
        of_image = AUGMENTS[self.augment]
        if self.compares:
            return of_hands(of_image)
        if not self.hears:
            return of_image
        return of_senses({"image": of_image, "sound": other_speech()})

    def estimator(self) -> Callable[[Layer, Loss], Estimator]:
        """The function that makes the gradient, from the network and the loss."""
        if self.adversarial:
            return adversarial(self.adversarial)
        if self.gradient in ESTIMATORS:
            return ESTIMATORS[self.gradient]
        return RULES[self.gradient].estimator


def _in_spikes(build: Callable[..., Layer], steps: int, **rest: Any) -> Layer:
    return spiking(build(**rest), steps=steps)


def _of_few_bits(build: Callable[..., Layer], bits: int, **rest: Any) -> Layer:
    return quantised(build(**rest), bits)


def _by_rule(
    network: str, options: Mapping[str, Any], rule: str, *, training: bool, **rest: Any
) -> Layer:
    """Build the network, with the rule's chain of layers where it trains."""
    build, chain = BUILDERS[network], RULES[rule].chain
    if chain is in_series:
        return build(**options, training=training, **rest)
    if "chain" not in signature(build).parameters:
        raise ValueError(
            f"{network} learns by backpropagation only: "
            "a rule takes the dense layers of mlp or snn"
        )
    return build(**options, training=training, **rest, **({"chain": chain} if training else {}))


def config_for(network: str, data: str | None = None, **settings: Any) -> Config:
    """The configuration of `CONFIGS` for a network and a data set, with changes.

    Args:
      data: None is the first data set that the network has a configuration for; with `own`,
        any name.
      settings: fields of `Config`; `options` join the configuration's own.  `own` are facts of
        one's own data, and the configuration is that of the first data set.

    Raises:
      ValueError: for an unknown name, a value out of range, or a network that does not fit
        the data.
    """
    require_name("network", BUILDERS, network)
    usual_of = usual_configs(network)
    data = next(iter(usual_of)) if data is None else data
    facts = settings.get("own")
    if facts is None:
        require_name(f"data of {network}", usual_of, data)
    usual = next(iter(usual_of.values())) if facts else usual_of[data]
    for name in settings:
        require_name("a setting", [f.name for f in fields(Config)], name)
    own = settings.get("options", {})
    if not isinstance(own, Mapping):
        raise ValueError(f"options must be names and values, got {own!r}")
    table = network_options(network, own.get("neuron"))
    if facts is not None:
        classes = {"classes": len(facts.names) + (network in OF_STRINGS)}
        own = own if network in OF_HANDS else {**classes, **own}
        settings |= {"data": data}
    options = {**chosen_options(usual, table), **own}
    config = replace(usual, **settings | {"network": network, "options": options})
    check_network(config)
    return config


def usual_configs(network: str) -> dict[str, Config]:
    """Return the configurations of a network by data; a graph's are those of `snn`."""
    name = LIKE.get(network, network)
    return {config.data: config for config in CONFIGS.values() if config.network == name}


def chosen_options(config: Config, table: Mapping[str, Option]) -> dict[str, Any]:
    """Return the options that are in a table, and in a configuration are no defaults.

    The table may be of other neurons, with defaults of their own.
    """
    own = network_options(config.network, config.options.get("neuron"))
    return {
        name: value for name, value in config.options.items()
        if name in table and value != plain(own[name].default)
    }  # fmt: skip


def check_network(config: Config) -> None:
    """Build the network on shapes alone, so that an option that it refuses fails early.

    Raises:
      ValueError: for an option that the builder refuses, a network that does not fit the data,
        or a microbatch of a network that mixes examples.
    """
    network, key = config.build()(training=True), jax.random.key(0)
    features = config.features
    jax.eval_shape(lambda: network.init(key, features)[0])
    examples = config.microbatch
    if examples is not None and examples < config.batch:

        def try_part():
            x = jax.tree.map(jnp.asarray, blank(features, examples))
            keys = jax.random.split(key, examples)
            require_apart(network, network.init(key, features)[0], x, keys)

        jax.eval_shape(try_part)


def to_json(config: Config) -> dict[str, Any]:
    """The configuration as a JSON object, without the `OPTIONAL` fields that are None."""
    values = {k: v for k, v in asdict(config).items() if v is not None or k not in OPTIONAL}
    named = lambda v: v._asdict() if isinstance(v, Own | Start | GraphFile) else v
    return {k: named(v) for k, v in values.items()}


def from_json(values: Any) -> Config:
    """The configuration that `to_json` wrote.

    Raises:
      ValueError: if it is not one, naming the key that is missing, unknown or of another type.
    """
    if not isinstance(values, dict):
        raise ValueError("the configuration is not a JSON object")
    names = {f.name for f in fields(Config)}
    for name in sorted(names ^ {*values, *OPTIONAL}):
        problem = "lacks" if name in names else "has an unknown"
        raise ValueError(f"the configuration {problem} {name!r}")
    try:
        config = Config(**values)
        table = network_options(config.network, config.options.get("neuron"))
        if absent := sorted(set(table) - set(values["options"])):
            raise ValueError(f"the configuration lacks the option {absent[0]!r}")
        if config.own is None and config.data not in usual_configs(config.network):
            raise ValueError(f"{config.network} has no configuration for {config.data!r}")
    except (TypeError, AttributeError) as error:
        raise ValueError(f"the configuration has a value of the wrong type: {error}") from error
    check_network(config)
    return config


def _whole_own(own: Any, network: str) -> Own:
    """Return the facts of one's own data, from a file's JSON too.

    Raises:
      ValueError: for a value of another kind, or a network that takes more than images.
    """
    own = Own(**own) if isinstance(own, Mapping) else Own(*own)
    own = own._replace(shape=tuple(own.shape), names=tuple(own.names))
    sizes = [isinstance(n, int) and 0 < n <= LONGEST_SIDE for n in own.shape]
    if len(sizes) != 2 or not all(sizes) or not all(isinstance(n, str) for n in own.names):
        raise ValueError(f"own must have a shape (H, W) and names of classes, got {own}")
    if network == "multimodal":
        raise ValueError("multimodal takes images and sounds: choose a network of images alone")
    if own.strings != (network in OF_STRINGS):
        raise ValueError(_FITTING[own.strings].format(network))
    return own


# Settings that a few runs of one seed led to, whose test accuracies were seen too (the page of
# results says which); experiments/core.json has what they reach.  The average remembers about
# two epochs.
_digits = partial(Config, data="digits", epochs=30)
_mnist = partial(Config, data="mnist", batch=128, ema=0.999)
_fields = partial(
    Config, data="fields", epochs=16, batch=32, learning_rate=3e-3, weight_decay=0.02,
    smoothing=0.0, ema=0.999,
)  # fmt: skip
_hands = partial(
    Config, data="signatures", epochs=8, batch=1, learning_rate=3e-3, weight_decay=0.02,
    smoothing=0.0, ema=0.99, augment="elastic",
)  # fmt: skip
_senses = partial(
    Config, "multimodal", smoothing=0.0, weight_decay=0.05, augment="noisy",
    options=dict(decay=0.8, precision="mixed"),
)  # fmt: skip
CONFIGS: Mapping[str, Config] = {
    f"{config.network}-{config.data}": config
    for config in (
        _digits("mlp", learning_rate=1e-3),
        _digits("cnn"),
        _digits("snn"),
        _digits("conv_snn"),
        _digits("event_snn", learning_rate=2e-2),
        _senses(data="digits+fsdd", epochs=90),
        _mnist("mlp", epochs=20, learning_rate=1e-3),
        _mnist("cnn", epochs=15),
        _mnist("snn", epochs=15, weight_decay=0.01),
        _mnist("conv_snn", epochs=12),
        _mnist("event_snn", epochs=10, learning_rate=2e-2, smoothing=0.0),
        _senses(data="mnist+fsdd", epochs=16, ema=0.999),
        _fields("columns"),
        _fields("spiking_columns", epochs=4),
        _hands("embedding"),
        _hands("spiking_embedding"),
    )
}
"""the whole configuration of each network on each data set"""
