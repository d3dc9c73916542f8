"""Who can reach the gateway's socket, how it goes on to an API over TLS as every real one is, and how it ends."""

import http.client
import math
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

import core.sandbox.gateway
from core.sandbox import isolation
from core.sandbox.command import GatewayEndpoint, Upstream
from core.sandbox.gateway import PORT, Gateway
from core.sandbox.gateway.server import END_SECONDS
from tests.core.agents.model_api import KEY, ModelApi, Silence, Text
from tests.core.repositories.host import certificate
from tests.core.sandbox.gateway.conftest import Opener, connected
from tests.support.waiting import eventually
from tests.support.world import Patch, World


def gateway_to(folder: Path, address: str = "http://127.0.0.1:9", user: int | None = None) -> Gateway:
    return Gateway(Upstream(address, KEY, "x-api-key", ("/v1/messages",)), folder, user)


@contextmanager
def asking(endpoint: GatewayEndpoint) -> Iterator[http.client.HTTPConnection]:
    """A connection with a call that was sent, and whose answer is not awaited."""
    connection = connected(endpoint)
    connection.request("POST", "/v1/messages", b"{}", {"x-api-key": endpoint.token})
    yield connection
    connection.close()


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, which nobody trusts yet."""
    return certificate(tmp_path, "IP:127.0.0.1")


def test_the_socket_is_the_tasks_users_alone_in_a_folder_deeper_than_an_address_can_be_long(tmp_path: Path) -> None:
    user = 61_234 if os.geteuid() == 0 else None
    folder = tmp_path / ("x" * 100) / "gateway"
    folder.mkdir(mode=0o700, parents=True)
    with gateway_to(folder, user=user) as endpoint:
        for path in (folder, endpoint.socket):
            assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode) & 0o077) == (user or os.geteuid(), 0)
        assert stat.S_ISSOCK(endpoint.socket.stat().st_mode)


def test_an_agent_in_a_sandbox_has_its_own_port_and_another_one_a_free_one(folder: Path, world: World) -> None:
    for choice in ("bwrap", "none"):
        world.settle(TASKDECK_SANDBOX=choice)
        with gateway_to(folder) as endpoint:
            assert isolation.enforced() == (choice == "bwrap") == (endpoint.port == PORT)


def test_only_an_api_whose_certificate_is_trusted_is_asked(opened: Opener, certified: Path, monkeypatch: Patch) -> None:
    with opened(Text(), certificate=certified) as gateway:
        assert (gateway.ask()[0], gateway.api.asked) == (502, [])
    monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    with opened(Text(), certificate=certified) as gateway:
        assert (gateway.ask()[0], gateway.api.calls[0].headers["x-api-key"]) == (200, KEY)


@pytest.mark.attack(90)
@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("begun", [False, True])
def test_the_end_waits_for_no_api_that_hangs(
    begun: bool, over_tls: bool, folder: Path, certified: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    with ModelApi(Silence(begun), certificate=certified if over_tls else None) as api, ExitStack() as still_open:
        threads = threading.active_count()
        with gateway_to(folder, api.url) as endpoint:
            connection = still_open.enter_context(asking(endpoint))
            eventually(lambda: api.calls)
            began = time.monotonic()
        assert time.monotonic() - began < END_SECONDS and not api.ending.is_set()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse().read()
        eventually(lambda: threading.active_count() <= threads + 1)  # the one of the API that still hangs


@pytest.mark.attack(90)
def test_the_end_waits_for_no_api_that_takes_no_connection(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        address = full.getsockname()
        for _ in range(4):  # more than it has room for
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(address)
        with gateway_to(folder, f"http://127.0.0.1:{address[1]}") as endpoint:
            connection = waiting.enter_context(asking(endpoint))
            with pytest.raises(TimeoutError):
                connection.sock.settimeout(0.1)
                connection.getresponse()
            began = time.monotonic()
        assert time.monotonic() - began < END_SECONDS + 1  # of ten that it would take to connect


def test_an_agent_that_connects_and_sends_nothing_holds_up_nothing(opened: Opener) -> None:
    with opened(Text()) as gateway:
        silent, half = (connected(gateway.endpoint).sock for _ in range(2))
        half.sendall(b"POST /v1/messages HTTP/1.1\r\nx-api")
        assert gateway.ask()[0] == 200
        began = time.monotonic()
    assert time.monotonic() - began < END_SECONDS + 1
    assert [(sock.recv(1), sock.close()) for sock in (silent, half)] == [(b"", None)] * 2


def test_nothing_is_left_open(opened: Opener, folder: Path, monkeypatch: Patch) -> None:
    before = math.inf
    for _ in range(3):
        with opened(Text()) as gateway:
            gateway.ask()
        assert psutil.Process().num_fds() <= before
        before = psutil.Process().num_fds()
    monkeypatch.setattr(core.sandbox.gateway, "chown_tree", Mock(side_effect=OSError))
    with pytest.raises(OSError), gateway_to(folder):
        pass
    assert psutil.Process().num_fds() == before
