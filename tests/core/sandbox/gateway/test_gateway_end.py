"""Who can reach the gateway's socket, how it goes on to an API over TLS as every real one is, and how it ends."""

import http.client
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

import core.sandbox.gateway
from core.sandbox import isolation
from core.sandbox.command import GatewayEndpoint, Upstream
from core.sandbox.gateway import PORT, Gateway
from core.sandbox.gateway.server import END_SECONDS
from tests.core.agents.model_api import KEY, ModelApi, Silence, Text
from tests.core.repositories.host import certificate
from tests.core.sandbox.gateway.conftest import Opener, ThroughSocket
from tests.support.waiting import eventually
from tests.support.world import World


def gateway_to(address: str, folder: Path, user: int | None = None) -> Gateway:
    return Gateway(Upstream(address, KEY, "x-api-key", ("/v1/messages",)), folder, user)


@contextmanager
def asking(endpoint: GatewayEndpoint) -> Iterator[ThroughSocket]:
    """A connection with a call that was sent, and whose answer is not awaited."""
    connection = ThroughSocket(endpoint.socket)
    connection.request("POST", "/v1/messages", b"{}", {"x-api-key": endpoint.token})
    yield connection
    connection.close()


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, which nobody trusts yet."""
    return certificate(tmp_path, "IP:127.0.0.1")


def test_the_socket_is_the_tasks_users_alone(folder: Path) -> None:
    user = 61_234 if os.geteuid() == 0 else None
    with gateway_to("http://127.0.0.1:9", folder, user) as endpoint:
        for path in (folder, endpoint.socket):
            assert path.stat().st_uid == (user or os.geteuid())
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_folder_deeper_than_an_address_can_be_long_does(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / "gateway"
    folder.mkdir(parents=True)
    with gateway_to("http://127.0.0.1:9", folder) as endpoint:
        assert stat.S_ISSOCK(endpoint.socket.stat().st_mode)


def test_an_agent_in_a_sandbox_has_its_own_port_and_another_one_a_free_one(folder: Path, world: World) -> None:
    ports = []
    for choice in ("bwrap", "none"):
        world.settle(TASKDECK_SANDBOX=choice)
        with gateway_to("http://127.0.0.1:9", folder) as endpoint:
            ports.append(endpoint.port)
            assert isolation.enforced() == (endpoint.port == PORT)
    assert ports[1] != PORT


def test_an_api_whose_certificate_the_machine_trusts_is_asked_and_another_is_not(
    opened: Opener, certified: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(Text(), certificate=certified) as gateway:
        assert gateway.ask()[0] == 502
        assert gateway.api.asked == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    with opened(Text(), certificate=certified) as gateway:
        assert gateway.ask()[0] == 200
        assert gateway.api.calls[0].headers["x-api-key"] == KEY


@pytest.mark.attack(90)
@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("begun", [False, True])
def test_the_end_waits_for_no_api_that_hangs(
    begun: bool, over_tls: bool, folder: Path, certified: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    with ModelApi(Silence(begun), certificate=certified if over_tls else None) as api, ExitStack() as still_open:
        threads = threading.active_count()
        with gateway_to(api.url, folder) as endpoint:
            connection = still_open.enter_context(asking(endpoint))
            eventually(lambda: api.calls)
            began = time.monotonic()
        assert time.monotonic() - began < END_SECONDS
        assert not api.ending.is_set()
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
        with gateway_to(f"http://127.0.0.1:{address[1]}", folder) as endpoint:
            connection = waiting.enter_context(asking(endpoint))
            with pytest.raises(TimeoutError):
                connection.sock.settimeout(0.1)
                connection.getresponse()
            began = time.monotonic()
        assert time.monotonic() - began < END_SECONDS + 1  # of ten that it would take to connect


def test_an_agent_that_connects_and_sends_nothing_holds_up_nothing(opened: Opener) -> None:
    with ExitStack() as still_open:
        with opened(Text()) as gateway:
            for begun in (b"", b"POST /v1/messages HTTP/1.1\r\nx-api"):
                connection = gateway.connection()
                connection.connect()
                still_open.callback(connection.close)
                connection.sock.sendall(begun)
            assert gateway.ask()[0] == 200
            began = time.monotonic()
        assert time.monotonic() - began < END_SECONDS + 1


def test_nothing_is_left_open(opened: Opener) -> None:
    def once() -> None:
        with opened(Text()) as gateway:
            gateway.ask()

    once()
    before = psutil.Process().num_fds()
    for _ in range(2):
        once()
    assert psutil.Process().num_fds() <= before


def test_a_gateway_that_cannot_be_opened_leaves_nothing_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(core.sandbox.gateway, "chown_tree", fail)
    before = psutil.Process().num_fds()
    with pytest.raises(OSError), gateway_to("http://127.0.0.1:9", folder):
        pass
    assert psutil.Process().num_fds() == before
