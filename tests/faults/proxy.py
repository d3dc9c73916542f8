"""A proxy before PostgreSQL's socket that can lose the answer of a COMMIT, after the commit has really happened."""

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.postgresql import PostgreSQL

NAME = ".s.PGSQL.5432"
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class Proxy:
    """``lose(said)`` is asked at each COMMIT with all that the client sent since the one before."""

    def __init__(self, target: PostgreSQL, lose: Callable[[bytes], bool]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="px-"))
        self.lost: list[bytes] = []  #: what was committed in the transactions whose answers were lost
        self._target = str(target.folder / NAME)
        self._lose = lose
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / NAME))
        self._listener.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        shutil.rmtree(self.folder)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        cut = threading.Event()

        def answer() -> None:
            with contextlib.suppress(OSError):
                while data := server.recv(65536):
                    if cut.is_set():
                        break  # it is committed, and nobody hears of it
                    client.sendall(data)
            close(client, server)

        threading.Thread(target=answer, daemon=True).start()
        said = b""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                said += data
                if said.endswith(COMMIT):
                    if self._lose(said):
                        self.lost.append(said)
                        cut.set()
                    said = b""
                server.sendall(data)
        if not cut.is_set():
            close(client, server)


def close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextlib.contextmanager
def losing(target: PostgreSQL, lose: Callable[[bytes], bool]) -> Iterator[Proxy]:
    proxy = Proxy(target, lose)
    try:
        yield proxy
    finally:
        proxy.close()
