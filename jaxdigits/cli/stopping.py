"""Ctrl-C and SIGTERM: the first stops training after its next save, the second at once."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """The signal that asked to stop, if one did."""

    def __init__(self):
        self.signal: int | None = None

    def is_set(self) -> bool:
        """Return whether to stop."""
        return self.signal is not None

    def code(self) -> int:
        """Return the exit code: 130 for Ctrl-C, 143 for SIGTERM, here or in another process."""
        return 128 + (self.signal or signal.SIGTERM)


@contextmanager
def stopping(say: Callable[[str], None]) -> Iterator[Stop]:
    """Yield a `Stop` that the first signal sets; the second ends the process at once.

    Python runs a handler only between two of its own instructions, and an epoch is one call
    that may take minutes.  So a thread reads the signals, which the interpreter's own handler
    writes to a socket as they come.  Outside of the main thread Python catches no signals.

    Args:
      say: called with one line at the first signal.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    reader = threading.Thread(target=_read, args=(ours, stop, say), daemon=True)
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    reader.start()
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        pythons.close()  # the reader reads an end
        reader.join()
        ours.close()


def _read(ours: socket.socket, stop: Stop, say: Callable[[str], None]) -> None:
    while data := ours.recv(1):
        number = data[0]
        if number not in SIGNALS:
            continue
        if stop.is_set():
            os._exit(128 + number)  # files are written whole beside their place, then moved
        else:
            stop.signal = number
            say("stopping at the next checkpoint; press Ctrl-C again to quit now")
