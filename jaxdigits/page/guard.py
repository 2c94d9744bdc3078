"""The door of the page: who may ask, how much a request may bring, and what a browser may do.

* A name of another site that leads to this machine (DNS rebinding) is rejected by its Host
  header, and a form or script of another site by its Origin.
* Beyond this machine each request needs the token, as a bearer or in the cookie that
  `/?token=...` sets.
* A body has a limit, all bodies together have one, and each has to arrive in time.
* The page loads nothing from elsewhere, and no script or style that stands in the page itself.
"""

import asyncio
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_BYTES = 64_000_000  # of a body
MOST_HELD = 512_000_000  # of all bodies that are here
SECONDS = 60.0  # in which a body has to arrive
COOKIE = "jaxdigits"
HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
    "cache-control": "no-store",
}


class Rules(NamedTuple):
    """The rules of the door."""

    hosts: tuple[str, ...] = LOOPBACK
    """names in a Host header; empty for any, where a token is needed"""
    token: str | None = None


class Guard:
    """An ASGI application that passes to another only requests that keep the rules."""

    def __init__(self, app: ASGIApp, rules: Rules):
        self.app, self.rules = app, rules
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if (refusal := refused(scope, self.rules)) is not None:
            return await refusal(scope, receive, send_with_headers)
        return await self._limited(scope, receive, send_with_headers)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, whose body is counted and has to arrive in time."""
        mine, end = 0, asyncio.get_running_loop().time() + SECONDS

        async def counted() -> Message:
            nonlocal mine
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError as error:
                raise _cut(408, f"the body did not arrive in {SECONDS:g} seconds") from error
            if message["type"] == "http.request":
                size = len(message.get("body", b""))
                mine, self.held = mine + size, self.held + size
                if mine > MOST_BYTES:
                    raise too_large()
                if self.held > MOST_HELD:
                    raise _cut(503, "too many bytes at once: try again in a second")
            return message

        try:
            await self.app(scope, counted, send)
        finally:
            self.held -= mine


def too_large() -> HTTPException:
    """Return the error for a body over the limit."""
    return _cut(413, f"the body has over {MOST_BYTES:,} bytes: send fewer pictures")


def _cut(status: int, line: str) -> HTTPException:
    """Return an error that closes the connection: the rest of the body is not read."""
    return HTTPException(status, line, {"connection": "close"})


def refused(scope: Scope, rules: Rules) -> ASGIApp | None:
    """Return the response to a request that breaks the rules, or sets the cookie; else None."""
    headers = Headers(scope=scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    if rules.hosts and _name(host) not in rules.hosts:
        return _problem(421, "this page answers to localhost only: open the printed address")
    if origin is not None and urlsplit_or_none(origin) != host.lower():
        return _problem(403, "another site may not use this page")
    if rules.token is None:
        return None
    if scope["path"] == "/" and _same(_token_in(scope["query_string"]), rules.token):
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, rules.token, httponly=True, samesite="strict")
        return response
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    cookies = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        cookies.clear()
    cookie = cookies[COOKIE].value if COOKIE in cookies else ""
    if scheme.lower() == "bearer" and _same(bearer, rules.token):
        return None
    if _same(cookie, rules.token):
        return None
    return _problem(
        401, "no token, or a wrong one: open the printed address, or send it as a bearer"
    )


def _token_in(query: bytes) -> str:
    try:
        return parse_qs(query.decode("latin-1"), max_num_fields=100).get("token", [""])[0]
    except ValueError:  # very many fields
        return ""


def urlsplit_or_none(origin: str) -> str | None:
    """Return the host and port of an origin, as a Host header has them; None for no address."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _name(host: str) -> str | None:
    """Return the name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _same(text: str, token: str) -> bool:
    return hmac.compare_digest(text.encode(), token.encode())


def _problem(status: int, line: str) -> JSONResponse:
    return JSONResponse({"error": line}, status)
