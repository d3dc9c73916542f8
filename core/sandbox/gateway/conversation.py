"""One call of an agent: HTTP spoken with a program that may be hostile, and passed on to the API."""

import json
import logging
import socketserver
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import socket
from typing import Any

import httpx2

from core.sandbox.gateway.calls import MOST_CALLS, Calls, forwarded
from core.sandbox.gateway.usage import Meter

MOST_BYTES = 32 * 2**20  # of one request
BLOCK_BYTES = 64 * 2**10

_server_log = logging.getLogger(__name__)


class Conversation(BaseHTTPRequestHandler):
    """Checks the call, sends it on with the key, and answers as the answer comes; then the connection is closed.

    Raises OSError when the agent does not send or receive any more.
    """

    protocol_version = "HTTP/1.1"
    timeout = 60.0  # for the agent's next byte, in seconds

    def __init__(self, request: socket, calls: Calls, server: socketserver.BaseServer) -> None:
        self._calls = calls
        self._left = 0  # of the request's body, in bytes
        self._begun = False  # to answer
        super().__init__(request, "", server)

    def do_HEAD(self) -> None:
        """Agents ask whether anybody is here."""
        self._head(HTTPStatus.OK, [("Content-Length", "0")])

    def do_GET(self) -> None:
        """Nothing of the APIs is offered this way, such as the list of models."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Pass the call on, or say why not."""
        size = _size(self.headers.get("Content-Length"))
        if size is None or "Transfer-Encoding" in self.headers:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "invalid_request_error", "A call has to say its length.")
            return
        self._left = size
        if not self._calls.know(self._token()):
            self._refuse(HTTPStatus.UNAUTHORIZED, "authentication_error", "This is not the task's token.")
        elif not self._calls.allow(self.path.partition("?")[0]):
            self.send_error(HTTPStatus.NOT_FOUND)
        elif size > MOST_BYTES:
            limit = f"A call may have {MOST_BYTES // 2**20} MiB at most."
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", limit)
        elif not self._calls.count():
            limit = f"A task may call the model's API {MOST_CALLS} times at most."
            self._refuse(HTTPStatus.BAD_REQUEST, "invalid_request_error", limit)
        else:
            self._forward(size)
        self._drain()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses is answered as the APIs would, too."""
        self._refuse(code, "invalid_request_error", message or "Taskdeck does not offer this part of the API.")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: what an agent asks is not the server's news."""

    def _token(self) -> str:
        scheme, _, bearer = self.headers.get("Authorization", "").partition(" ")
        return self.headers.get("x-api-key") or (bearer if scheme.lower() == "bearer" else "")

    def _forward(self, size: int) -> None:
        try:
            with self._calls.make(self.path, self.headers.items(), size, self._body()) as answer:
                if answer.is_redirect:
                    self._unreachable("it answered with a redirect")
                else:
                    self._pass_on(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            self._unreachable(type(error).__name__)  # its words could hold what was sent

    def _body(self) -> Iterator[bytes]:
        while self._left:
            block = self.rfile.read1(min(self._left, BLOCK_BYTES))
            if not block:
                raise ConnectionAbortedError
            self._left -= len(block)
            yield block

    def _drain(self) -> None:
        """Take what is left of the request: an agent that is still sending would not receive the answer."""
        if self._left <= 2 * MOST_BYTES:
            for _ in self._body():
                pass

    def _pass_on(self, answer: httpx2.Response) -> None:
        length = answer.headers.get("Content-Length")
        framing = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", length)
        self._head(answer.status_code, [*forwarded(answer.headers.multi_items()), framing])
        meter = Meter(answer.headers.get("Content-Type", ""))
        try:
            for block in answer.iter_raw():
                self._calls.answered()
                meter.feed(block)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if length is None else block)
            if length is None:
                self.wfile.write(b"0\r\n\r\n")
        finally:
            self._calls.add(meter)

    def _unreachable(self, why: str) -> None:
        if self._begun or self._calls.ended:
            return  # all that is left is to break off, as the API did
        _server_log.warning("a model's API could not be asked: %s", why)
        self._refuse(HTTPStatus.BAD_GATEWAY, "api_error", "The model's API could not be reached.")

    def _refuse(self, status: int, kind: str, message: str) -> None:
        """Answer with an error as both APIs write it."""
        body = json.dumps({"type": "error", "error": {"type": kind, "code": kind, "message": message}}).encode()
        self._head(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        self.wfile.write(body)

    def _head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._begun = True
        self.request_version = self.protocol_version  # of what could not be parsed, it is not known
        self.send_response_only(status)
        for name, value in (*headers, ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()


def _size(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 12 else None
