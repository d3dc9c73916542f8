"""A gateway between a test and the stand-in of a model's API, and a client that speaks through its socket."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from core.sandbox.command import GatewayEndpoint, Upstream
from core.sandbox.gateway import Gateway
from tests.core.agents.model_api import KEY, ModelApi, Turn
from tests.support.world import World

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"


def connected(endpoint: GatewayEndpoint) -> http.client.HTTPConnection:
    """A connection to the gateway in place of a host."""
    connection = http.client.HTTPConnection("gateway")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    connection.sock.connect(str(endpoint.socket))
    return connection


@dataclass
class Opened:
    """A gateway that is open, and how to speak to it."""

    gateway: Gateway
    endpoint: GatewayEndpoint
    api: ModelApi

    def answer_to(self, content: bytes) -> bytes:
        """The first line of the answer to these bytes."""
        with connected(self.endpoint).sock as sock:
            sock.sendall(content)
            with sock.makefile("rb") as answer:
                return answer.readline()

    def begin(
        self, body: bytes = b"{}", path: str = MESSAGES, method: str = "POST", **headers: str
    ) -> http.client.HTTPResponse:
        """A call whose answer is not read yet."""
        connection = connected(self.endpoint)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, given or {"x-api-key": self.endpoint.token})
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def ask(self, *arguments: Any, **more: str) -> tuple[int, bytes]:
        with self.begin(*arguments, **more) as response:
            return response.status, response.read()

    def error(self, *arguments: Any, **more: str) -> tuple[int, str]:
        """The status and the kind of error that a call gets."""
        status, body = self.ask(*arguments, **more)
        return status, json.loads(body)["error"]["type"]


Opener = Callable[..., AbstractContextManager[Opened]]


@pytest.fixture
def opened(folder: Path, world: World) -> Opener:
    """Open a gateway to an API that answers with these turns; the server's environment has a proxy, not to be used."""
    nowhere = "http://127.0.0.1:9"
    world.settle(TASKDECK_SANDBOX="none", HTTP_PROXY=nowhere, ALL_PROXY=nowhere, http_proxy=nowhere, all_proxy=nowhere)

    @contextmanager
    def open_gateway(
        *turns: Turn,
        address: str = "",
        header: Literal["x-api-key", "authorization"] = "x-api-key",
        certificate: Path | None = None,
    ) -> Iterator[Opened]:
        with ModelApi(*turns, certificate=certificate) as api:
            gateway = Gateway(Upstream(address or api.url, KEY, header, (MESSAGES, RESPONSES)), folder, None)
            with gateway as endpoint:
                yield Opened(gateway, endpoint, api)

    return open_gateway
