"""Options are signatures: a constructor's parameters, their defaults and the text of `Args:`.

The command line, `config.json` and the checks of both are made from the tables here, which
are read from functions and dataclasses.  Each default, name and text is written once.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
SEQUENCES = (tuple, list, Sequence)
LAYERS = 100  # entries of a sequence: a network is traced layer by layer


class Bounds(NamedTuple):
    """The least and the largest value of a number, or of a sequence's entries."""

    low: float
    high: float = float("inf")
    below: bool = False
    """whether the largest value itself is excluded"""


class Option(NamedTuple):
    """One parameter of a constructor, or one field of a dataclass."""

    name: str
    annotation: Any
    default: Any
    text: str
    """from `Args:` or the field's docstring, in one line"""


def options_of(constructor: Callable[..., Any], without: Iterable[str] = ()) -> list[Option]:
    """Return the options of a constructor, or of a dataclass, in the order of its signature.

    Parameters without a default and `**rest` are no options, nor are the names `without`.
    """
    hints = get_type_hints(constructor, include_extras=True)
    texts, without = _texts(constructor), set(without)
    return [
        Option(name, hints.get(name, str), default, texts.get(name, ""))
        for name, default in _defaults(constructor).items()
        if name not in without
    ]


def require_within(name: str, annotation: Any, value: Any) -> None:
    """Check a value against the `Bounds` of its annotation, and a sequence's length.

    Raises:
      ValueError: for a number out of bounds, another type, or too many entries.
    """
    values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else None
    if values is not None and len(values) > LAYERS:
        raise ValueError(f"{name} has {len(values)} entries, more than {LAYERS}")
    optional = value is None and type(None) in _leaves(annotation)
    if _leaves(annotation) == [bool] and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}")
    every = [m for m in _metadata(annotation) if isinstance(m, Bounds)]
    several = any(get_origin(kind) in SEQUENCES for kind in _leaves(annotation))
    if every and values is not None and not several:
        raise ValueError(f"{name} must be one value, got {value!r}")
    for bounds in every:
        for entry in () if optional else [value] if values is None else values:
            _require_number(name, entry, bounds, int in _kinds(annotation))


def names_of(annotation: Any) -> tuple[str, ...]:
    """Return the names that an option takes: a tuple in `Annotated`, or in its `Literal`."""
    for names in _metadata(annotation):
        if type(names) is tuple:
            return names
    return tuple(arg for kind in _leaves(annotation) for arg in get_args(kind) if _is_name(arg))


def choose(option: str, table: Mapping[str, T], value: Any) -> T:
    """Return the constructor of a name in a table, or a constructor as it is.

    Raises:
      ValueError: for a name that is not in the table, with the nearest name, and for a value
        that is neither a name nor a constructor.
    """
    if not isinstance(value, str):
        if callable(value):
            return value  # pyright: ignore[reportReturnType]
        kind = type(value).__name__
        raise ValueError(
            f"{option} must be a name or a constructor that is not called: got {kind}"
        )
    require_name(option, table, value)
    return table[value]


def require_name(option: str, names: Iterable[Any], value: Any) -> None:
    """Check that a value is one of the names.

    Raises:
      ValueError: for another value, with the nearest name.
    """
    if value not in (names := list(names)):
        texts = list(map(str, names))
        hint = nearest(str(value), texts)
        raise ValueError(f"{option} must be one of {', '.join(texts)}, got {value!r}{hint}")


def nearest(name: str, names: Iterable[str], lead: str = "") -> str:
    """Return "; perhaps NAME" with the nearest of the names, or "" if none is near."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; perhaps {lead}{close[0]}" if close else ""


def _defaults(constructor: Any) -> dict[str, Any]:
    if isinstance(constructor, type):
        default = lambda f: f.default if f.default_factory is MISSING else f.default_factory()
        pairs = {f.name: default(f) for f in fields(constructor)}
        return {n: None if value is MISSING else value for n, value in pairs.items()}
    parameters = inspect.signature(constructor).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


@cache
def _texts(constructor: Any) -> Mapping[str, str]:
    """Return the texts of a constructor; a dataclass's source is slow to read."""
    from docstring_parser import parse_from_object

    texts: dict[str, str] = {}
    for param in parse_from_object(constructor).params:
        text = " ".join((param.description or "").split())
        texts |= dict.fromkeys((n.strip() for n in param.arg_name.split(",")), text)
    return texts


def _leaves(annotation: Any) -> list[Any]:
    """Return the members of a union, and of unions inside `Annotated`."""
    if get_origin(annotation) is Annotated:
        return _leaves(get_args(annotation)[0])
    args = get_args(annotation)
    union = args and type(annotation).__name__ in ("UnionType", "_UnionGenericAlias", "Union")
    return [leaf for arg in args for leaf in _leaves(arg)] if union else [annotation]


def _kinds(annotation: Any) -> set[Any]:
    """Return the plain types in an annotation, also of the entries of its sequences."""
    kinds: set[Any] = set()
    for leaf in _leaves(annotation):
        kinds.add(leaf)
        kinds.update(*(_kinds(arg) for arg in get_args(leaf) if not _is_name(arg)))
    return kinds


def _metadata(annotation: Any) -> list[Any]:
    """Return the metadata of `Annotated`, anywhere in a union."""
    if get_origin(annotation) is Annotated:
        kind, *metadata = get_args(annotation)
        return [*metadata, *_metadata(kind)]
    return [m for arg in get_args(annotation) if not _is_name(arg) for m in _metadata(arg)]


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _require_number(name: str, value: Any, bounds: Bounds, whole: bool) -> None:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        number = "a whole number" if whole else "a number"
        raise ValueError(f"{name} must be {number}, got {value!r}")
    high = value < bounds.high if bounds.below else value <= bounds.high
    if value >= bounds.low and high:
        return
    if bounds.high == float("inf"):
        finite = "finite and " if bounds.below else ""
        raise ValueError(f"{name} must be {finite}>= {bounds.low}, got {value}")
    end = ")" if bounds.below else "]"
    raise ValueError(f"{name} must be in [{bounds.low}, {bounds.high}{end}, got {value}")
