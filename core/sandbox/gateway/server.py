"""The gateway's socket: a thread for each conversation, few enough, and an end that waits for nobody."""

import os
import socket
import socketserver
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread, current_thread
from typing import Any

from core.sandbox.gateway.calls import Calls
from core.sandbox.gateway.conversation import Conversation

MOST_CONVERSATIONS = 32
END_SECONDS = 1.0

#: The longest address of a unix socket that every system takes, in bytes.
LONGEST_ADDRESS = 100


class Server(socketserver.UnixStreamServer):
    """Listens at ``path`` and holds at most MOST_CONVERSATIONS at once, each a call of ``calls``."""

    request_queue_size = MOST_CONVERSATIONS

    def __init__(self, path: Path, calls: Calls) -> None:
        self._calls = calls
        self._lock = Lock()
        self._conversations: dict[Thread, socket.socket] = {}
        path.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # A task's folder may be deeper than such an address can be long.
            fits = len(os.fsencode(path)) < LONGEST_ADDRESS
            super().__init__(str(path) if fits else f"/proc/self/fd/{folder}/{path.name}", Conversation)
        finally:
            os.close(folder)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a conversation; one too many is closed at once."""
        thread = Thread(target=self._converse, args=(request,), name="gateway conversation", daemon=True)
        with self._lock:
            room = len(self._conversations) < MOST_CONVERSATIONS
            if room:
                self._conversations[thread] = request
        if room:
            thread.start()
        else:
            self.shutdown_request(request)

    def end_conversations(self) -> None:
        """End those that still go on; one that waits for the system, as for a name's address, is left to end itself."""
        with self._lock:
            for request in self._conversations.values():
                with suppress(OSError):  # the other side has gone
                    request.shutdown(socket.SHUT_RDWR)
            threads = list(self._conversations)
        deadline = time.monotonic() + END_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _converse(self, request: socket.socket) -> None:
        try:
            # The agent may go away, or send nothing for too long, at any moment; that ends its conversation alone.
            with suppress(OSError):
                Conversation(request, self._calls, self)
        finally:
            with self._lock:
                del self._conversations[current_thread()]
                self.shutdown_request(request)
