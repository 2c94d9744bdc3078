"""Things remember their constructor: `about` names it and holds its arguments.

A layer is three closures, which show nothing of the numbers inside.  So each constructor is
marked `@constructor`, and its layer bears an `About`, for all who need to know the layer: a
printed network, a learning rule, a report, an exporter.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from pickle import PicklingError
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class About:
    """The constructor of a thing, and the arguments of that call."""

    constructor: Callable[..., Any]
    arguments: Mapping[str, Any]
    """by name, defaults included; `*rest` is one tuple, `**rest` is flat"""
    inner: "About | None" = None
    """of the layer that the constructor composed, as the `serial` of a network"""

    @property
    def name(self) -> str:
        """The constructor's name."""
        return self.constructor.__name__

    def find(self, *constructors: Callable[..., Any]) -> "About | None":
        """Return this About, or the first inside it, of one of the `constructors`."""
        about: About | None = self
        while about is not None and about.constructor not in constructors:
            about = about.inner
        return about


def constructor(make: Callable[P, T]) -> Callable[P, T]:
    """Mark a function whose result remembers it, a NamedTuple: each call fills its `about`.

    Whole numbers of NumPy become Python's, whose products do not overflow.

    Raises:
      TypeError: in a call, for two values of one name.
    """
    signature = inspect.signature(make)

    @wraps(make)
    def call(*args: P.args, **options: P.kwargs) -> T:
        values, named = [*map(_python, args)], {k: _python(v) for k, v in options.items()}
        thing = cast(Any, make)(*values, **named)
        bound = signature.bind(*values, **named)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                rest = arguments.pop(parameter.name)
                if both := rest.keys() & arguments.keys():
                    raise TypeError(f"{make.__name__} got two values of {min(both)!r}")
                arguments |= rest
        return thing._replace(about=About(call, arguments, thing.about))

    return call


def _python(value: Any) -> Any:
    """Return a whole number of NumPy as Python's, and any other value as it is."""
    return int(value) if isinstance(value, np.integer) else value


def rebuild(make: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call a constructor with the arguments of an `About`."""
    signature = inspect.signature(make)
    own = {name: arguments[name] for name in signature.parameters if name in arguments}
    bound = inspect.BoundArguments(signature, own)  # type: ignore[arg-type]
    others = {name: value for name, value in arguments.items() if name not in own}
    return make(*bound.args, **bound.kwargs, **others)


def reduce_thing(thing: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the call that rebuilds `thing`, for pickle and copy.

    Raises:
      PicklingError: for a thing without `about`, or whose constructor is local to a function.
    """
    about: About | None = thing.about
    make: Any = about and about.constructor
    if make is None or getattr(sys.modules[make.__module__], make.__name__, None) is not make:
        text = f"a {type(thing).__name__} without a public constructor cannot be pickled"
        raise PicklingError(f"{text}: send params and options, and rebuild it there")
    return rebuild, (make, dict(about.arguments if about else {}))


def describe(about: About, lead: str = "") -> str:
    """Return a constructor's call as text, without defaults; a network has a line per layer."""
    lines = [f"{about.name}({', '.join(_options(about))})"]
    for name, child in children_of(about):
        text = describe(child.about, f"{lead}  ") if child.about else type(child).__name__
        lines.append(f"{lead}  {name}  {text}")
    return "\n".join(lines)


def children_of(about: About) -> Iterator[tuple[str, Any]]:
    """Yield (name, layer) for the layers in a row or side by side inside a layer."""
    while about.inner is not None:
        about = about.inner
    for value in about.arguments.values():
        if isinstance(value, tuple):
            value = {str(i): each for i, each in enumerate(value)}
        if isinstance(value, Mapping):
            yield from ((name, v) for name, v in value.items() if hasattr(v, "about"))


def constructors_in(about: About | None) -> Iterator[Callable[..., Any]]:
    """Yield the constructor of a thing, and those of all things inside and in its arguments."""
    while about is not None:
        yield about.constructor
        for value in about.arguments.values():
            several = not hasattr(value, "about") and isinstance(value, tuple | list | Mapping)
            things = [value] if not several else value
            for thing in things.values() if isinstance(things, Mapping) else things:
                yield from constructors_in(getattr(thing, "about", None))
        about = about.inner


def _options(about: About) -> Iterator[str]:
    """Yield "name=value" for the arguments that are neither defaults nor children."""
    parameters = inspect.signature(about.constructor).parameters
    children = dict(children_of(about)).values()
    for name, value in about.arguments.items():
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        array = isinstance(value, np.ndarray) or hasattr(value, "aval")
        if value is default or (
            type(value) is type(default) and not array and value == default
        ):
            continue
        entries = tuple(value.values()) if isinstance(value, Mapping) else value
        if isinstance(entries, tuple) and any(v is c for v in entries for c in children):
            continue
        yield f"{name}={_text(value)}"


def _text(value: Any) -> str:
    """Return a value as text: a function by its name, an array by its shape."""
    if isinstance(value, partial):
        options = "".join(f", {k}={_text(v)}" for k, v in value.keywords.items())
        return f"partial({_text(value.func)}{options})"
    about = getattr(value, "about", None)
    if about and next(children_of(about), None):
        return f"{about.name}(...)"
    if isinstance(value, np.ndarray) or hasattr(value, "aval"):
        return f"array{list(np.shape(value))}"
    if isinstance(value, tuple) and value and not about:
        return _tuple_text(value)
    return getattr(value, "__name__", None) or repr(value)


def _tuple_text(values: tuple) -> str:
    """Return a tuple as text, named or not."""
    if names := getattr(values, "_fields", None):
        parts = (f"{name}={_text(v)}" for name, v in zip(names, values, strict=True))
        return f"{type(values).__name__}({', '.join(parts)})"
    return f"({', '.join(map(_text, values))}{',' if len(values) == 1 else ''})"


def gather_tables(namespace: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Join the tables of one name in all files from which a namespace has its names."""
    files = dict.fromkeys(getattr(value, "__module__", "") for value in namespace.values())
    tables = [vars(sys.modules[file]).get(name, {}) for file in files if file in sys.modules]
    return {key: entry for table in tables for key, entry in table.items()}
