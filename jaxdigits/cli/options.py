"""What the groups of options of `jaxdigits train` share: a default is the network's own."""

from dataclasses import fields
from typing import Any

from tyro.conf import arg


def default(text: str, metavar: str) -> Any:
    """The help of an option whose default is said in words."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")


def given(options: Any) -> dict[str, Any]:
    """The options of a group that are not left to the network, by name."""
    values = {f.name: (getattr(options, f.name), f.default) for f in fields(options)}
    return {name: value for name, (value, default) in values.items() if value != default}
