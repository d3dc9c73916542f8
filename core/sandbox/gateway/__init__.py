"""The gateway: the only way from an agent's sandbox to a model's API, one for each task.

It listens on a unix socket that the sandbox has in it; there ``shim.py`` forwards a port of the loopback to it. The
agent knows only a token of its task; the key is added here, so it is never in the sandbox.
"""

import secrets
import socket
from pathlib import Path
from threading import Thread

from core.sandbox import isolation
from core.sandbox.command import GatewayEndpoint, Upstream
from core.sandbox.folders import chown_tree
from core.sandbox.gateway.calls import Calls
from core.sandbox.gateway.server import Server

SHIM = Path(__file__).with_name("shim.py")

#: Where an agent in a sandbox finds the API: nobody else has that loopback.
PORT = 8788


class Gateway:
    """Lets one task's agent speak to ``upstream``, through a socket in ``folder`` that only ``user`` can reach.

    Use it in a ``with``, which gives the endpoint. Leaving the block ends what is under way, within about a second,
    also when the API hangs.
    """

    def __init__(self, upstream: Upstream, folder: Path, user: int | None) -> None:
        self._calls = Calls(upstream, token=f"task-{secrets.token_urlsafe(32)}")
        self._folder = folder
        self._user = user

    def __enter__(self) -> GatewayEndpoint:
        path = self._folder / "api"
        self._server = Server(path, self._calls)
        try:
            path.chmod(0o600)
            chown_tree(self._folder, self._user)
            port = PORT if isolation.enforced() else free_port()
        except BaseException:
            self._server.server_close()
            raise
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="gateway", daemon=True)
        self._thread.start()
        return GatewayEndpoint(path, self._calls.token, port)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._calls.break_off()
        self._server.end_conversations()
        self._calls.close()

    @property
    def heard(self) -> float:
        """When the API last sent something, by time.monotonic; minus infinity for never.

        An agent is silent while its model thinks or writes something long, so a line of output is not its only sign of
        life.
        """
        return self._calls.heard

    def summary(self) -> str | None:
        """What was used: "3 calls, 12,345 tokens in, 678 out"; None when nothing was asked."""
        return self._calls.summary()


def free_port() -> int:
    """A port of the loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
