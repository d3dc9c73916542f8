"""How a signal ends the server: no new task from that moment, a grace for the running ones, exit status 0."""

import asyncio
import signal
import threading
from collections.abc import Callable

from uvicorn import Server

#: How long answers may still take when the server is told to stop, in seconds: then whoever sends or reads no more is
#: cut off. Without a limit anybody could keep the server from stopping.
DRAIN_SECONDS = 3


def on_signal(begin: Callable[[], None], interrupt_all: Callable[[], None]) -> Server | None:
    """At SIGTERM or SIGINT call ``begin`` and let uvicorn shut down; at a second one call ``interrupt_all``.

    uvicorn itself would, once everything is closed, raise the signal again and so end with its status instead of 0.
    Returns the uvicorn server. Under another one, or outside the main thread, nothing is changed and that is None.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    found = None
    for number in (signal.SIGTERM, signal.SIGINT):
        server = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(server, Server):
            found = server
            asyncio.get_running_loop().add_signal_handler(number, _stop, server, begin, interrupt_all)
    return found


def _stop(server: Server, begin: Callable[[], None], interrupt_all: Callable[[], None]) -> None:
    if server.should_exit:
        interrupt_all()
        return
    begin()
    server.config.timeout_graceful_shutdown = DRAIN_SECONDS
    server.should_exit = True
