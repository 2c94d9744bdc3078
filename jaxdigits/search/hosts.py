"""Several hosts search together through a shared folder, without a lock or a server.

    SHARED/journal.jsonl            of the first host, which trains the finalists and tests
    SHARED/hosts/2/journal.jsonl    of the second, and so on

Groups are dealt to the hosts in turn, and each writes its own journal alone.  Between two turns
a host reads the others' journals: a group that is worse than theirs makes room for another.  A
host that dies leaves its records; if it was the first, `--resume SHARED` ends the search.
"""

from pathlib import Path

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
    places = [shared, *sorted((shared / HOSTS).glob("*"))]
    head, _ = read_journal(folder)
    mine = {name: value for name, value in head.items() if name != "host"}
    journals = []
    for place in places:
        if place.resolve() == folder.resolve() or not (place / FILE).is_file():
            continue
        try:
            other, records = read_journal(place)
        except RunError:  # its first line is being written
            continue
        require_same_search(place, mine | {"host": other.get("host")}, other)
        journals.append(records)
    return journals
