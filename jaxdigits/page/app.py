"""The application: its paths, and the page's own files, which are read once at the start."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jaxdigits.data.field_ink import ROWS, Field
from jaxdigits.errors import DataError
from jaxdigits.options import nearest
from jaxdigits.page.batching import Pools
from jaxdigits.page.guard import Guard, Rules
from jaxdigits.page.interface import OPERATIONS, Operation, openapi
from jaxdigits.page.networks import (
    NUMBER,
    Answer,
    Batch,
    Networks,
    as_json,
    decided,
    number_of,
    prepare_digit,
    prepare_number,
    prepare_row,
)
from jaxdigits.page.uploads import Upload, uploads_of
from jaxdigits.reader.formats import FORMATS

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript",
         ".svg": "image/svg+xml"}  # fmt: skip
USUAL = FORMATS["amount"].example  # the format that the page begins with
Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(networks: Networks, rules: Rules) -> Guard:
    """Return the application, behind its guard."""
    site = Site(networks)
    routes = [
        Route(op.path, _with_known_query(op, getattr(site, op.path[1:])), methods=[op.method])
        for op in OPERATIONS
    ]
    fixed = {"/openapi.json": (json.dumps(openapi()).encode(), "application/json")}
    routes += [Route(path, _fixed(*file)) for path, file in (fixed | page_files()).items()]

    @asynccontextmanager
    async def life(_: Any) -> AsyncIterator[None]:
        site.pools = Pools()
        warming = asyncio.create_task(site.warm())
        try:
            yield
        finally:  # also where the server is cut off: the thread that answers has to end
            warming.cancel()
            site.pools.close()

    handlers: dict[Any, Any] = {HTTPException: _problem, ValueError: _problem, 500: _broken}
    return Guard(Starlette(routes=routes, exception_handlers=handlers, lifespan=life), rules)


class Site:
    """The networks of a page and their threads; a method for each path of the interface."""

    pools: Pools  # while the application lives

    def __init__(self, networks: Networks):
        self.networks = networks

    async def warm(self) -> None:
        """Compile the programs of first requests, a drawing before all, while nobody asks."""
        jobs: list[tuple[Batch, Any]] = []
        for network in self.networks.digits.values():
            config = network.run.config
            shape = config.features["image"] if config.hears else config.features
            picture = np.zeros((1, *shape), np.uint8)
            inputs = picture if not config.hears else _silent(config, picture)
            jobs.append((network.look, inputs))
        row = Field(np.zeros((ROWS, 1), np.uint8), 0.0, 1.0)
        for strings in self.networks.strings.values():
            number, usual = (strings.reader(name, None) for name in (NUMBER, USUAL))
            several = lambda rows, usual=usual: [usual(2 * rows)]
            jobs += [(number, row), (usual, row), (several, row)]
        for batch, inputs in jobs:
            with suppress(HTTPException):  # a slow machine: the first request waits, then
                await self.pools.answer(batch, inputs)

    async def health(self, request: Request) -> Response:
        """Answer with the version, and the names of all runs."""
        digits = [
            {
                "name": n.name,
                "network": n.run.config.network,
                "senses": ["image", "sound"] if n.run.config.hears else ["image"],
                "classes": list(n.run.config.names),
                "max_error": n.share,
            }
            for n in self.networks.digits.values()
        ]
        strings = [
            {"name": n.name, "network": n.run.config.network}
            for n in self.networks.strings.values()
        ]
        about = {"version": version("jaxdigits"), "digits": digits, "strings": strings}
        return JSONResponse(about)

    async def formats(self, request: Request) -> Response:
        """Answer with the table of formats."""
        rows = [
            {"name": name, "example": kind.example, "field": kind.text, "blind": kind.blind,
             "checksum": not kind.blind.startswith("no checksum")}
            for name, kind in FORMATS.items()
        ]  # fmt: skip
        return JSONResponse({"formats": rows})

    async def predict(self, request: Request) -> Response:
        """Answer with the digit in each picture."""
        network = _chosen(request, self.networks.digits)
        max_error = _share(request)
        decided(network, np.ones(len(network.run.config.names)), max_error)  # rejects early
        files = await uploads_of(request)
        examples = [(file.name, {"image": file}) for file in files if file.part == "file"]
        senses = {file.part: file for file in files if file.part in ("image", "sound")}
        if senses:
            examples.append((" + ".join(file.name for file in senses.values()), senses))
        if not examples:
            raise HTTPException(400, "no part is named `file`: name the picture's part so")

        async def answer(senses: dict[str, Upload]) -> Answer:
            opened = (senses[s].open() if s in senses else None for s in ("image", "sound"))
            run = network.name, network.run.config
            inputs = await self.pools.prepare(prepare_digit, *run, *opened)
            probability = await self.pools.answer(network.answer, inputs)
            return decided(network, probability, max_error)

        return await _all("answers", [(name, answer(one)) for name, one in examples])

    async def read(self, request: Request) -> Response:
        """Answer with the row of digits in each picture."""
        network = _chosen(request, self.networks.strings)
        name = request.query_params.get("format")
        if not name:
            raise ValueError("read needs ?format=NAME: /formats lists the names")
        # Some formats take a second to make.
        batch = await asyncio.to_thread(network.reader, name, _share(request))

        async def answer(file: Upload) -> Answer:
            field = await self.pools.prepare(prepare_row, file.open())
            return as_json(await self.pools.answer(batch, field))

        files = await uploads_of(request)
        return await _all("readings", [(file.name, answer(file)) for file in files])

    async def number(self, request: Request) -> Response:
        """Answer with the number in one picture, on which two networks agree."""
        digits = next(iter(self.networks.digits.values()))
        strings = next(iter(self.networks.strings.values()))
        file = (await uploads_of(request))[0]
        try:
            field, digit = await self.pools.prepare(prepare_number, file.open())
        except DataError as error:
            raise HTTPException(422, str(error)) from error
        several = digit is None  # large pieces stand side by side
        probability = None if several else await self.pools.answer(digits.answer, digit)
        reading = await self.pools.answer(strings.reader(NUMBER, None), field)
        return JSONResponse(number_of(reading, digits.run.config.names, probability))

    async def look(self, request: Request) -> Response:
        """Answer with the digit of one picture by every network, and its inside."""
        file = (await uploads_of(request))[0]

        async def view(network: Any) -> Answer:
            about = {"name": network.name, "max_error": network.share}
            try:
                run = network.name, network.run.config
                inputs = await self.pools.prepare(prepare_digit, *run, file.open())
                probability, inside = await self.pools.answer(network.look, inputs)
            except DataError as error:
                return about | {"error": str(error)}
            return about | decided(network, probability, network.share) | inside

        views = [view(network) for network in self.networks.digits.values()]
        return JSONResponse({"networks": await asyncio.gather(*views)})


def page_files() -> dict[str, tuple[bytes, str]]:
    """Return the content and the type of each of the page's own files, by path."""
    folder = files("jaxdigits.page") / "static"
    made = {}
    for file in folder.iterdir():
        suffix = "." + file.name.rpartition(".")[2]
        if suffix in KINDS:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            made[path] = file.read_bytes(), KINDS[suffix]
    return made


def _silent(config: Any, picture: np.ndarray) -> dict[str, np.ndarray]:
    from jaxdigits.data.catalogue import blank

    return blank(config.features, 1) | {"image": picture}


def _fixed(content: bytes, kind: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return Response(content, media_type=kind)

    return endpoint


def _with_known_query(operation: Operation, endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that rejects names of the query which the operation does not have."""
    names = [name for name, _, _ in operation.query]

    async def checked(request: Request) -> Response:
        for name in request.query_params:
            if name not in names:
                takes, hint = ", ".join(names) or "no option", nearest(name, names)
                raise ValueError(f"{operation.path} takes {takes}, got {name[:80]!r}{hint}")
        return await endpoint(request)

    return checked


def _chosen(request: Request, networks: dict[str, Any]) -> Any:
    name = request.query_params.get("run", next(iter(networks)))
    if name not in networks:
        raise ValueError(f"run must be one of {', '.join(networks)}, got {name[:80]!r}")
    return networks[name]


def _share(request: Request) -> float | None:
    text = request.query_params.get("max_error")
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"max_error must be a number, got {text[:80]!r}") from None


async def _all(name: str, jobs: list[tuple[str, Coroutine[Any, Any, Answer]]]) -> Response:
    """Wait for all answers; a file that cannot be read has its reason in their place."""
    results = await asyncio.gather(*(job for _, job in jobs), return_exceptions=True)
    rows: list[Answer] = []
    for (file, _), result in zip(jobs, results, strict=True):
        if isinstance(result, DataError | ValueError):
            rows.append({"file": file, "error": str(result)})
        elif isinstance(result, BaseException):
            raise result
        else:
            rows.append({"file": file} | result)
    return JSONResponse({name: rows}, 422 if all("error" in row for row in rows) else 200)


async def _problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    line = error.detail if isinstance(error, HTTPException) else str(error)
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": line}, status, headers)


async def _broken(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"it failed: {type(error).__name__}"}, 500)
