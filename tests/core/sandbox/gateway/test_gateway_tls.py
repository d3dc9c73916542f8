"""The way to an API over TLS, as every real one is."""

import time
from pathlib import Path

import pytest

from core.sandbox.command import Upstream
from core.sandbox.gateway import Gateway
from tests.core.agents.model_api import KEY, ModelApi, Silence, Text, Turn
from tests.core.repositories.host import certificate
from tests.core.sandbox.gateway.conftest import ThroughSocket
from tests.support.waiting import eventually


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, which nobody trusts yet."""
    return certificate(tmp_path, "IP:127.0.0.1")


def status(api: ModelApi, folder: Path) -> int:
    with Gateway(Upstream(api.url, KEY, "x-api-key", ("/v1/messages",)), folder, None) as door:
        connection = ThroughSocket(door.socket)
        connection.request("POST", "/v1/messages", b"{}", {"x-api-key": door.token})
        with connection.getresponse() as response:
            response.read()
            return response.status


def test_an_api_whose_certificate_the_machine_trusts_is_asked_and_another_is_not(
    folder: Path, certified: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelApi(Text(), certificate=certified) as api:
        assert status(api, folder) == 502
        assert api.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certified))
        assert status(api, folder) == 200
        assert api.calls[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize("turn", [Silence(), Silence(begun=True)])
def test_the_end_waits_for_no_api_that_hangs(
    turn: Turn, folder: Path, certified: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    with ModelApi(turn, certificate=certified) as api:
        with Gateway(Upstream(api.url, KEY, "x-api-key", ("/v1/messages",)), folder, None) as door:
            connection = ThroughSocket(door.socket)
            connection.request("POST", "/v1/messages", b"{}", {"x-api-key": door.token})
            eventually(lambda: api.calls)
            began = time.monotonic()
        assert time.monotonic() - began < 0.9
        connection.close()
