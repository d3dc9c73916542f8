"""Where a call comes from: the connection itself, unless a proxy that the settings name says otherwise."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server

from api.server.client import Client, Origin, distrust_forwarded_headers
from core.database.models import Channel
from core.identity import audit
from tests.api.calls import Caller
from tests.support.world import World

pytestmark = pytest.mark.no_database

LIES = [("x-forwarded-for", "198.51.100.9"), ("x-forwarded-proto", "https"), ("x-real-ip", "198.51.100.9")]


def seen(peer: str | None, headers: Sequence[tuple[str, str]] = LIES, kind: str = "http") -> tuple[str | None, str]:
    """Which address and scheme a call from ``peer`` has for the application."""
    found: dict[str, Any] = {}

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        found.update(scope)

    pairs = [(name.encode(), text.encode()) for name, text in headers]
    scope: Scope = {"type": kind, "scheme": "http", "headers": pairs, "client": (peer, 5) if peer else None}
    asyncio.run(Client(inner)(scope, cast(Receive, None), cast(Send, None)))
    return found["client"] and found["client"][0], found["scheme"]


def test_without_a_proxy_in_the_settings_nobody_is_believed_and_an_address_has_one_form() -> None:
    for peer in ("127.0.0.1", "::1", "192.0.2.7", "2001:db8::7", "a socket", None):
        assert [seen(peer, kind=kind) for kind in ("http", "websocket")] == [(peer, "http")] * 2
    for peer in ("::ffff:192.0.2.7", "::FFFF:192.0.2.7"):
        assert seen(peer, ()) == ("192.0.2.7", "http")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.5", "198.51.100.9", "198.51.100.9"),
        ("::ffff:10.0.0.5", "198.51.100.9", "198.51.100.9"),  # a server that listens on :: sees it so
        ("172.16.9.9", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.5", "203.0.113.1, 198.51.100.9", "198.51.100.9"),  # what the client itself sent comes first
        ("10.0.0.5", "203.0.113.1, 198.51.100.9, 172.16.1.1", "198.51.100.9"),  # a chain of ours
        ("10.0.0.5", "2001:db8::9", "2001:db8::9"),
        ("10.0.0.6", "198.51.100.9", "10.0.0.6"),
        ("127.0.0.1", "198.51.100.9", "127.0.0.1"),
        ("192.0.2.7", "10.0.0.5", "192.0.2.7"),
    ],
)
def test_only_a_proxy_in_the_settings_is_believed(world: World, peer: str, forwarded: str, address: str) -> None:
    world.settle(TASKDECK_PROXIES="10.0.0.5, 172.16.0.0/12")
    headers = [("x-forwarded-for", forwarded), ("x-forwarded-proto", "https")]
    believed = address not in (peer, "127.0.0.1")
    assert seen(peer, headers) == (address, "https" if believed else "http")


@pytest.mark.parametrize("options", [{}, {"forwarded_allow_ips": "*"}, {"proxy_headers": False}], ids=str)
def test_uvicorn_believes_nobody_any_more(options: dict[str, Any]) -> None:
    found: dict[str, Any] = {}

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        found.update(scope)

    config = Config(inner, lifespan="off", log_config=None, **options)
    config.load()
    distrust_forwarded_headers(Server(config))
    headers = [(name.encode(), text.encode()) for name, text in LIES]
    scope: Any = {"type": "http", "scheme": "http", "headers": headers, "client": ("127.0.0.1", 5)}
    asyncio.run(config.loaded_app(scope, None, None))
    assert (found["client"], found["scheme"]) == (("127.0.0.1", 5), "http")
    for other in (None, SimpleNamespace(config=SimpleNamespace(loaded_app="another"))):
        distrust_forwarded_headers(cast(Server, other))  # another server is left alone


def test_the_audit_trail_knows_that_a_call_came_over_the_api_with_or_without_an_address(
    anybody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[audit.Origin] = []
    monkeypatch.setattr("api.health.health.load", lambda: told.append(audit.current_origin()))
    anybody.get("/health")
    assert told == [audit.Origin(Channel.API, "127.0.0.1")], "also in a thread of its own"

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        assert audit.current_origin() == audit.Origin(Channel.API, None)

    asyncio.run(Origin(inner)({"type": "http", "client": None}, cast(Receive, None), cast(Send, None)))
