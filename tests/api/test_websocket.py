import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.websocket import SameOriginWebSocket


def outcome(*headers: tuple[str, str], type: str = "websocket") -> str:
    """What became of a connection: passed on, or closed."""
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append("passed")

    async def send(message: Message) -> None:
        seen.append(message["type"])

    async def receive() -> Message:
        return {}

    scope = {"type": type, "headers": [(name.encode(), value.encode()) for name, value in headers]}
    asyncio.run(SameOriginWebSocket(inner)(scope, receive, send))
    return ",".join(seen)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://deck.example", "passed"),
        ("https://deck.example", "passed"),
        ("http://localhost:8501", "passed"),  # the configured address, whatever the proxy made of Host
        ("http://localhost:9999", "websocket.close"),
        ("http://deck.example:81", "websocket.close"),
        ("http://evil.example", "websocket.close"),
        ("http://deck.example.evil.example", "websocket.close"),
        ("http://x@deck.example", "websocket.close"),
        ("null", "websocket.close"),
        ("", "websocket.close"),
    ],
)
def test_only_our_own_pages_open_a_websocket(origin: str, expected: str) -> None:
    assert outcome(("host", "deck.example"), ("origin", origin)) == expected


def test_a_websocket_without_an_origin_is_closed() -> None:
    assert outcome(("host", "deck.example")) == "websocket.close"


def test_other_requests_pass() -> None:
    assert outcome(("host", "deck.example"), ("origin", "http://evil.example"), type="http") == "passed"
