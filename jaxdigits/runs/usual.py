"""The usual configuration of each network on each data set, and others made from them."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

from jaxdigits.options import Option, require_name
from jaxdigits.runs.config import OF_HANDS, OF_STRINGS, Config, check_network
from jaxdigits.runs.network_options import BUILDERS, IMPORTED, network_options, plain

LIKE = {IMPORTED: "snn"}  # networks with another's settings of training
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
