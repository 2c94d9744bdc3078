"""The server: a port, limits for slow connections, and a good end.

uvicorn answers HTTP.  It waits forever for the head of a request, so a timer of ours closes a
connection whose head does not arrive.  At SIGTERM or Ctrl-C it takes no new request, and
answers all that it has.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from jaxdigits.errors import DataError

HEAD = 10.0  # seconds in which the head of a request has to arrive
IDLE = 30  # seconds that a connection may wait for its next request
CONNECTIONS = 800  # at once: the usual limit of open files is 1,024
QUEUE = 1024  # connections that the system holds for the server
GRACE = 0.3  # seconds after SIGTERM in which a request that is on its way still arrives
END = 125  # seconds that requests have to end after SIGTERM: each waits 120 for its answer


def require_extra() -> None:
    """Check that the page's packages are installed.

    Raises:
      ImportError: if one is missing, saying how to install it.
    """
    try:
        import python_multipart
        import starlette
        import uvicorn
    except ImportError as error:
        raise ImportError('the page needs more: pip install "jaxdigits[page]"') from error
    del python_multipart, starlette, uvicorn


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, before anything is loaded; port 0 takes a free one.

    Raises:
      ValueError: for a number that is no port.
      DataError: if the port is in use, or the address is not one of this machine.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be in 0..65535, got {port}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=QUEUE)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"cannot listen on {host}, port {port} ({reason}): pass another --port, or "
            "--port 0 for a free one"
        ) from error


def outward(host: str) -> str:
    """Return the address at which other machines find one that listens on every address."""
    families = {
        "0.0.0.0": (socket.AF_INET, "192.0.2.1"),
        "::": (socket.AF_INET6, "2001:db8::1"),
    }
    if host not in families:
        return host
    family, elsewhere = families[host]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # sends nothing
        try:
            probe.connect((elsewhere, 9))
        except OSError:  # a machine without a network
            return socket.gethostname()
        return probe.getsockname()[0]


def serve(app: Any, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or Ctrl-C; all that were accepted are answered.

    Args:
      app: of `make_app`.
      listening: of `listen`.
      ready: called once requests are answered.
    """
    make_server(app, ready).run(sockets=[listening])


def make_server(app: Any, ready: Callable[[], None]) -> Any:
    """Return a server of uvicorn, whose `should_exit` ends it as a signal does."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Take the signals, and do not raise them again: stopping is a good end."""
            mine = threading.current_thread() is threading.main_thread()
            numbers = (signal.SIGINT, signal.SIGTERM) if mine else ()
            before = {number: signal.signal(number, self.handle_exit) for number in numbers}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        def handle_exit(self, sig: int, frame: Any) -> None:
            """Begin the end; a second signal makes it no shorter, as all are to be answered."""
            self.should_exit = True

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        async def shutdown(self, sockets: Any = None) -> None:
            """Take the connections that still wait in the system's queue, then end."""
            loop, queue = asyncio.get_running_loop(), []
            for listening in sockets or ():
                with contextlib.suppress(OSError):  # none waits, or there are too many
                    listening.setblocking(False)
                    while len(queue) < QUEUE:
                        queue.append(listening.accept()[0])
            for server in self.servers:
                server.close()
            make = partial(
                self.config.http_protocol_class, config=self.config,
                server_state=self.server_state, app_state=self.lifespan.state,
            )  # fmt: skip
            for connection in queue:
                with contextlib.suppress(OSError):
                    await loop.connect_accepted_socket(make, connection)
            await super().shutdown(sockets)

    return Server(uvicorn.Config(
        app, http=protocol(), ws="none", lifespan="on", log_level="error", access_log=False,
        limit_concurrency=CONNECTIONS, timeout_keep_alive=IDLE, timeout_graceful_shutdown=END,
        h11_max_incomplete_event_size=1 << 15, server_header=False, proxy_headers=False,
    ))  # fmt: skip


def protocol() -> Any:
    """Return uvicorn's protocol with a timer for the head of each request."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Timed(H11Protocol):
        timer: Any = None
        stopping = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.timer = self.loop.call_later(HEAD, self.close_if_late)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.stopping and self.answering():
                self.cycle.keep_alive = False
            if self.timer is None and not self.answering() and not self.timeout_keep_alive_task:
                self.timer = self.loop.call_later(HEAD, self.close_if_late)

        def eof_received(self) -> Any:
            """Keep the connection of a client that has sent all, and waits for the answer."""
            if not self.answering() or self.cycle.more_body:
                return None
            self.cycle.keep_alive = False
            return True

        def connection_lost(self, exc: Exception | None) -> None:
            if self.timer is not None:
                self.timer.cancel()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            self.stopping = True
            end = super().shutdown
            if self.answering():
                end()
            else:
                self.loop.call_later(GRACE, end)

        def answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def close_if_late(self) -> None:
            self.timer = None
            if not self.answering() and not self.timeout_keep_alive_task:
                self.transport.close()

    return Timed
