"""The table of the JSON interface, and the OpenAPI document that is made from it."""

from importlib.metadata import version
from typing import Any, NamedTuple

from jaxdigits.page.guard import MOST_BYTES

MOST_FILES = 100  # of a request


class Operation(NamedTuple):
    """One path of the interface."""

    method: str
    path: str
    text: str
    query: tuple[tuple[str, str, str], ...] = ()
    """name, JSON type, and a text of each"""
    takes: str = ""
    """the files of the body; "" for none"""
    gives: str = ""
    """name of the schema of the answer"""


RUN = ("run", "string", "name of a run in /health; by default the first of its kind")
ERROR = ("max_error", "number", "largest share of wrong answers; others are unsure")
NAME = ("name", "string", "name of the file, where the body is the file itself")
OPERATIONS = (
    Operation("POST", "/predict", "Read the digit in each picture.", (RUN, ERROR, NAME),
              "one picture as the body, or parts `file`; or the parts `image` and `sound` of "
              "one digit, for a run that hears", "Answers"),
    Operation("POST", "/read", "Read the row of digits in each picture, under a format.",
              (("format", "string", "as /formats lists them, for example amount:0-999999"),
               RUN, ERROR, NAME),
              "one picture as the body, or parts `file`", "Readings"),
    Operation("POST", "/number", "Read a number of one to three digits, by two networks.",
              (NAME,), "one picture as the body", "Number"),
    Operation("POST", "/look", "Read a digit with all networks, and show the inside of each.",
              (NAME,), "one picture as the body", "Views"),
    Operation("GET", "/formats", "List the formats of rows of digits.", gives="Formats"),
    Operation("GET", "/health", "List the runs.", gives="Health"),
)  # fmt: skip
_text, _number = {"type": "string"}, {"type": "number"}
_object = lambda **properties: {"type": "object", "properties": properties}
_rows = lambda name, item: _object(**{name: {"type": "array", "items": item}})
_share = {"type": "number", "minimum": 0, "maximum": 1}
SCHEMAS: dict[str, dict[str, Any]] = {
    "Answers": _rows("answers", _object(
        file=_text, error=_text, answer=_text, digit={"type": ["integer", "null"]},
        probability=_share,
        probabilities={"type": "object", "additionalProperties": _share},
    )),
    "Readings": _rows("readings", _object(
        file=_text, error=_text, text=_text, digits=_text, probability=_share,
        others={"type": "array", "items": _object(text=_text, probability=_share)},
        spans={"type": "array", "items": {"type": "array", "items": _number}},
        refused={"type": ["string", "null"]},
    )),
    "Number": _object(text=_text, probability=_share, refused={"type": ["string", "null"]}),
    "Views": _rows("networks", {"type": "object"}),
    "Formats": _rows("formats", _object(
        name=_text, example=_text, field=_text, blind=_text, checksum={"type": "boolean"},
    )),
    "Health": _object(version=_text, digits={"type": "array", "items": {"type": "object"}},
                      strings={"type": "array", "items": {"type": "object"}}),
    "Problem": _object(error=_text),
}  # fmt: skip


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of the interface."""
    paths = {op.path: {op.method.lower(): _operation(op)} for op in OPERATIONS}
    about = {
        "title": "jaxdigits",
        "version": version("jaxdigits"),
        "description": "Read handwritten digits. A body has at most "
        f"{MOST_BYTES:,} bytes and {MOST_FILES} files. Beyond this machine, send the token "
        "as a bearer.",
    }
    return {
        "openapi": "3.1.0",
        "info": about,
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def _operation(op: Operation) -> dict[str, Any]:
    reply = lambda text, name: {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }
    parameters = [
        {"name": name, "in": "query", "schema": {"type": kind}, "description": text}
        for name, kind, text in op.query
    ]
    made: dict[str, Any] = {
        "summary": op.text,
        "parameters": parameters,
        "responses": {"200": reply("The answers, in order.", op.gives),
                      "default": reply("The reason, in one line.", "Problem")},
    }  # fmt: skip
    if op.takes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        parts = {"schema": {"type": "object", "additionalProperties": True}}
        content = {"application/octet-stream": binary, "multipart/form-data": parts}
        made["requestBody"] = {"description": op.takes, "required": True, "content": content}
        if op.gives in ("Answers", "Readings"):
            made["responses"]["422"] = reply("No file could be read.", op.gives)
    return made
