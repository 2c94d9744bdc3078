"""The files of a request, in memory: the body itself, or the parts of a form."""

import logging
from typing import BinaryIO, NamedTuple

from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from jaxdigits.data.files import in_memory
from jaxdigits.page.guard import MOST_BYTES, too_large
from jaxdigits.page.interface import MOST_FILES

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes bodies
LONGEST = 200  # characters of a file's name that an answer repeats


class Upload(NamedTuple):
    """A file of a request."""

    part: str
    """the name of its part: "file", or "image" or "sound" of one example"""
    name: str
    content: bytes

    def open(self) -> BinaryIO:
        """Return a file to read from."""
        return in_memory(self.content, self.name)


async def uploads_of(request: Request) -> list[Upload]:
    """Read the files of a request.

    Raises:
      HTTPException: for a body that is too large, damaged or empty, or of too many files.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        raise too_large()
    try:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            files = await _parts(request)
        else:
            content = b"".join([chunk async for chunk in request.stream()])
            name = request.query_params.get("name", "picture")
            files = [Upload("file", _short(name), content)]
    except ClientDisconnect as error:
        raise HTTPException(400, "the request ended early") from error
    if not any(file.content for file in files):
        raise HTTPException(400, "the request has no file: send a picture as its body")
    return files


async def _parts(request: Request) -> list[Upload]:
    parser = MultiPartParser(
        request.headers, request.stream(), max_files=MOST_FILES, max_fields=MOST_FILES
    )
    parser.spool_max_size = 2 * MOST_BYTES  # never on the disk
    files: list[Upload] = []
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError, KeyError, UnicodeError) as error:
        line = getattr(error, "message", None) or str(error) or "it is damaged"
        raise HTTPException(400, f"the form cannot be read: {line}") from error
    for part, value in form.multi_items():
        if isinstance(value, str):
            raise HTTPException(400, f"part {_short(part)!r} is no file: add a filename")
        files.append(Upload(part, _short(value.filename or "picture"), await value.read()))
    await form.close()
    return files


def _short(name: str) -> str:
    """Return a name in one line, for an answer; it is never a path here."""
    return " ".join(name.split())[:LONGEST] or "picture"
