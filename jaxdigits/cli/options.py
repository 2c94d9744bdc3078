"""What the groups of options of `jaxdigits train` share: a default is the network's own."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

OWN: Any = dict(help_behavior_hint="(default: the network's own)")
Int = Annotated[int | None, arg(metavar="INT", **OWN)]
Ints = Annotated[tuple[int, ...] | None, arg(metavar="INT [INT ...]", **OWN)]
Float = Annotated[float | None, arg(metavar="FLOAT", **OWN)]
Name = Annotated[str | None, arg(metavar="NAME", **OWN)]
Folder = Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")]


def default(text: str, metavar: str) -> Any:
    """The help of an option whose default is said in words."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")


def given(options: Any) -> dict[str, Any]:
    """The options of a group that are not left to the network, by name."""
    values = {f.name: (getattr(options, f.name), f.default) for f in fields(options)}
    return {name: value for name, (value, default) in values.items() if value != default}
