"""The configuration of a training run: plain values, whole, as `config.json` holds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from jaxdigits.options import Bounds, names_of, options_of, require_name, require_within
from jaxdigits.quantise import MOST, quantised
from jaxdigits.runs.graph import GraphFile, graph_of
from jaxdigits.runs.network_options import BUILDERS, IMPORTED, whole_options
from jaxdigits.train.microbatch import check_microbatch, require_apart
from jaxdigits.train.optimizer import SCHEDULES

GRADIENTS: Mapping[str, Any] = {**ESTIMATORS, **RULES}
SEEDS = 2**32
LONGEST_SIDE = 1 << 14  # pixels of one's own images
# Fields that are no option of a training.
NOT_SETTINGS = ("network", "options", "own", "start", "spiking_steps", "graph")
OPTIONAL = ("own", "start", "bits", "spiking_steps", "graph")  # in a file unless None
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
