"""Who can reach the gateway's socket, and how the gateway ends."""

import http.client
import os
import socket
import stat
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from core.sandbox import isolation
from core.sandbox.command import Upstream
from core.sandbox.gateway import PORT, Gateway
from tests.core.agents.model_api import KEY, ModelApi, Silence, Text
from tests.core.sandbox.gateway.conftest import Opener, ThroughSocket
from tests.support.waiting import eventually
from tests.support.world import World


def upstream(address: str = "http://127.0.0.1:9") -> Upstream:
    return Upstream(address, KEY, "x-api-key", ("/v1/messages",))


def test_the_socket_is_the_tasks_users_alone(folder: Path) -> None:
    user = 61_234 if os.geteuid() == 0 else None
    with Gateway(upstream(), folder, user) as door:
        for path in (folder, door.socket):
            assert path.stat().st_uid == (user or os.geteuid())
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_folder_deeper_than_an_address_can_be_long_does(tmp_path: Path, world: World) -> None:
    world.settle(TASKDECK_SANDBOX="none")
    folder = tmp_path / ("x" * 100) / "door"
    folder.mkdir(parents=True)
    with Gateway(upstream(), folder, None) as door:
        assert stat.S_ISSOCK(door.socket.stat().st_mode)


def test_a_boxed_agent_has_its_own_port_and_another_one_a_free_one(folder: Path, world: World) -> None:
    ports = []
    for choice in ("bwrap", "none"):
        world.settle(TASKDECK_SANDBOX=choice)
        with Gateway(upstream(), folder, None) as door:
            ports.append(door.port)
            assert isolation.enforced() == (door.port == PORT)
    assert ports[1] != PORT


@pytest.mark.attack(90)
@pytest.mark.parametrize("begun", [False, True])
def test_the_end_waits_for_no_api_that_hangs(begun: bool, folder: Path, world: World) -> None:
    world.settle(TASKDECK_SANDBOX="none")
    with ModelApi(Silence(begun)) as api:
        threads = threading.active_count()
        with Gateway(upstream(api.url), folder, None) as door:
            connection = ThroughSocket(door.socket)
            connection.request("POST", "/v1/messages", b"{}", {"x-api-key": door.token})
            eventually(lambda: api.calls)
            began = time.monotonic()
        assert time.monotonic() - began < 0.9
        assert not api.ending.is_set()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse().read()
        connection.close()
        eventually(lambda: threading.active_count() <= threads + 1)  # the one of the API that still hangs


@pytest.mark.attack(90)
def test_the_end_waits_for_no_api_that_takes_no_connection(folder: Path, world: World) -> None:
    world.settle(TASKDECK_SANDBOX="none")
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        address = full.getsockname()
        for _ in range(4):  # more than it has room for
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(address)
        with Gateway(upstream(f"http://127.0.0.1:{address[1]}"), folder, None) as door:
            connection = ThroughSocket(door.socket)
            connection.request("POST", "/v1/messages", b"{}", {"x-api-key": door.token})
            with pytest.raises(TimeoutError):
                connection.sock.settimeout(0.3)
                connection.getresponse()
            began = time.monotonic()
        connection.close()
        assert time.monotonic() - began < 2


def test_an_agent_that_connects_and_says_nothing_holds_up_nothing(opened: Opener) -> None:
    with opened(Text()) as gateway:
        silent = gateway.connection()
        silent.connect()
        half = gateway.connection()
        half.connect()
        half.sock.sendall(b"POST /v1/messages HTTP/1.1\r\nx-api")
        assert gateway.ask()[0] == 200
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    silent.close()
    half.close()


def test_nothing_is_left_open(opened: Opener) -> None:
    def once() -> None:
        with opened(Text()) as gateway:
            gateway.ask()

    once()
    before = psutil.Process().num_fds()
    for _ in range(3):
        once()
    assert psutil.Process().num_fds() <= before


def test_a_gateway_that_cannot_be_opened_leaves_nothing_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(isolation, "chown_folder", fail)
    with pytest.raises(OSError), Gateway(upstream(), folder, None):
        pass
