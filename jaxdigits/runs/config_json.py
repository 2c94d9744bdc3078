"""A configuration as JSON, as `config.json` holds it."""

from dataclasses import asdict, fields
from typing import Any

from jaxdigits.data.own import Own
from jaxdigits.runs.config import OPTIONAL, Config, Start, check_network
from jaxdigits.runs.graph import GraphFile
from jaxdigits.runs.network_options import network_options
from jaxdigits.runs.usual import usual_configs


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
