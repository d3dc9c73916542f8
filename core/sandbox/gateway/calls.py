"""A task's calls of a model's API: which it may make, the key that goes with them, what they used."""

import hmac
import math
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from threading import Lock
from typing import Any

import httpx2

from core.sandbox.command import Upstream
from core.sandbox.gateway.usage import Meter

MOST_CALLS = 200

#: Seconds. A model that thinks sends signs of life; the agents themselves give up after 60.
TIMEOUT = httpx2.Timeout(connect=10, read=120, write=60, pool=10)

#: What belongs to one of the two connections alone (RFC 9110, 7.6.1), who calls, and cookies, which are nobody's here.
_NOT_FORWARDED = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("host", "content-length", "accept-encoding", "forwarded", "x-forwarded-for", "cookie", "set-cookie"),
        *("authorization", "x-api-key", "proxy-authorization", "proxy-authenticate"),
    )
)


class Calls:
    """The calls of one task, which knows ``token``; used by many threads."""

    def __init__(self, upstream: Upstream, token: str) -> None:
        self.token = token
        self.ended = False
        self.heard = -math.inf  #: when the last bytes of an answer came, by time.monotonic
        self._upstream = upstream
        self._client = httpx2.Client(
            # Of the server's environment only its certificates count, no proxy and no .netrc.
            trust_env=False,
            verify=httpx2.create_ssl_context(),
            timeout=TIMEOUT,
        )
        self._lock = Lock()
        self._streams: list[Any] = []
        self._made = self._tokens_in = self._tokens_out = 0

    def know(self, token: str) -> bool:
        """Whether it is this task's."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def allow(self, path: str) -> bool:
        """Whether it is a path of the API that an agent may ask."""
        return path in self._upstream.paths

    def count(self) -> bool:
        """Count a call; False when it would be one too many."""
        with self._lock:
            if self._made == MOST_CALLS:
                return False
            self._made += 1
            return True

    def make(
        self, target: str, headers: Iterable[tuple[str, str]], size: int, body: Iterator[bytes]
    ) -> AbstractContextManager[httpx2.Response]:
        """Ask the API; its answer, as it comes. Raises httpx2.HTTPError or, for a bad address, httpx2.InvalidURL."""
        key = self._upstream.key
        sent = [
            *forwarded(headers),
            ("Content-Length", str(size)),
            ("Accept-Encoding", "identity"),  # the tokens are to be counted
            ("x-api-key", key) if self._upstream.header == "x-api-key" else ("Authorization", f"Bearer {key}"),
        ]
        return self._client.stream(
            "POST",
            self._upstream.url.rstrip("/") + target,
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent],
            content=body,
            extensions={"trace": self._record},
        )

    def answered(self) -> None:
        """Record that the API gives signs of life."""
        self.heard = time.monotonic()

    def add(self, meter: Meter) -> None:
        """Add what a call used."""
        tokens_in, tokens_out = meter.total()
        with self._lock:
            self._tokens_in += tokens_in
            self._tokens_out += tokens_out

    def summary(self) -> str | None:
        """What all of them used, in words; None when there was none."""
        with self._lock:
            calls = "1 call" if self._made == 1 else f"{self._made:,} calls"
            return f"{calls}, {self._tokens_in:,} tokens in, {self._tokens_out:,} out" if self._made else None

    def break_off(self) -> None:
        """End what is under way, and what is about to begin."""
        with self._lock:
            self.ended = True
            for stream in self._streams:
                _shut(stream)

    def close(self) -> None:
        """Let go of the connections, once nobody uses them."""
        self._client.close()

    def _record(self, event: str, about: Mapping[str, Any]) -> None:
        """Remember each connection: httpx2 tells of it as it is made."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._streams.append(about["return_value"])
                if self.ended:
                    _shut(about["return_value"])


def forwarded(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those headers that go on to the other side."""
    return [(name, value) for name, value in headers if name.lower() not in _NOT_FORWARDED]


def _shut(stream: Any) -> None:
    # Closing would not wake a thread that waits for the next byte. One that is closed already has nobody waiting.
    with suppress(OSError):
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
