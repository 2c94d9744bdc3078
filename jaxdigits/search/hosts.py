"""Several hosts search together through a shared folder, without a lock or a server.

    SHARED/journal.jsonl            of the first host, which trains the finalists and tests
    SHARED/hosts/2/journal.jsonl    of the second, and so on

Groups are dealt to the hosts in turn, and each writes its own journal alone.  Between two turns
a host reads the others' journals: a group that is worse than theirs makes room for another.  A
host that dies leaves its records; if it was the first, `--resume SHARED` ends the search.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxdigits.errors import RunError
from jaxdigits.search.journal import FILE, Record, read_journal, require_same_search

HOSTS = "hosts"


def host_of(text: str) -> tuple[int, int]:
    """Return (number from 0, number of all) of a text such as 2/3.

    Raises:
      ValueError: unless it is one.
    """
    first, slash, last = text.partition("/")
    whole = slash and first.isdecimal() and last.isdecimal()
    if not whole or not 1 <= int(first) <= int(last):
        raise ValueError(f"host must be a number of all, as 1/3 to 3/3, got {text!r}")
    return int(first) - 1, int(last)


def folder_of(shared: Path, host: tuple[int, int]) -> Path:
    """Return the folder of a host's journal in the shared folder."""
    return shared / HOSTS / str(host[0] + 1) if host[0] else shared


def others_of(folder: Path) -> list[list[Record]]:
    """Return the records of all hosts so far but that of this folder.

    Raises:
      RunError: for the journal of another search.
    """
    shared = folder.parent.parent if folder.parent.name == HOSTS else folder
    head, _ = read_journal(folder)
    journals = []
    for place, other, records in _journals(shared):
        if place.resolve() != folder.resolve():
            _require_same(place, head, other)
            journals.append(records)
    return journals


def require_same_hosts(shared: Path, head: Mapping[str, Any]) -> None:
    """Check that the hosts that are in a shared folder do this search, by as many hosts.

    Raises:
      RunError: naming the first folder whose search differs, and in which part.
    """
    for place, other, _ in _journals(shared):
        _require_same(place, head, other)


def _journals(shared: Path) -> Iterator[tuple[Path, dict[str, Any], list[Record]]]:
    """Yield (folder, head, records) of each host that has begun."""
    for place in (shared, *sorted((shared / HOSTS).glob("*"))):
        if (place / FILE).is_file():
            try:
                yield place, *read_journal(place)
            except RunError:  # its first line is being written
                continue


def _require_same(place: Path, head: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    count, own = other["host"][1], head["host"][1]
    if count != own:
        raise RunError(
            f"{place} has a search by {count} hosts, not {own}: pass --host N/{count}, or "
            "choose another folder"
        )
    require_same_search(place, other, {**head, "host": other["host"]})
