"""What the groups of options of `jaxdigits train` share: a default is the network's own."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg


def default(text: str, metavar: str, name: str | None = None) -> Any:
    """The help of an option whose default is said in words; its name, if not the field's."""
    return arg(name=name, metavar=metavar, help_behavior_hint=f"(default: {text})")


NETWORKS_OWN = "the network's own"
Int = Annotated[int | None, default(NETWORKS_OWN, "INT")]
Ints = Annotated[tuple[int, ...] | None, default(NETWORKS_OWN, "INT [INT ...]")]
Float = Annotated[float | None, default(NETWORKS_OWN, "FLOAT")]
Name = Annotated[str | None, default(NETWORKS_OWN, "NAME")]
Folder = Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")]


def given(options: Any) -> dict[str, Any]:
    """The options of a group that are not left to the network, by name."""
    values = {f.name: (getattr(options, f.name), f.default) for f in fields(options)}
    return {name: value for name, (value, default) in values.items() if value != default}
