"""Stands in, on loopback and at the machine's edge, for the two model APIs that real agents speak to.

It speaks the Messages API and the Responses API as far as the agents' programs need, and answers each call with the
next of the turns that a test gives it; the last one is repeated.
"""

import json
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

KEY = "sk-the-administrators-own-key-0123456789"

INPUT_TOKENS, OUTPUT_TOKENS = 1_200, 34


@dataclass(frozen=True)
class Text:
    """The model says something and has ended its turn."""

    text: str = "All done."


@dataclass(frozen=True)
class Tool:
    """The model calls a tool; for several at once, a turn is a tuple of them."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Script:
    """The model calls tools from JavaScript, as the newest ones of the Responses API do."""

    source: str


@dataclass(frozen=True)
class Status:
    """The API refuses the call."""

    number: int
    kind: str = "api_error"
    message: str = "refused by the test"


@dataclass(frozen=True)
class Page:
    """A proxy's web page in place of an answer."""

    text: str = "<html><body>Please sign in to the network</body></html>"


@dataclass(frozen=True)
class Silence:
    """Nothing comes; with ``begun``, nothing after the beginning of an answer."""

    begun: bool = False


@dataclass(frozen=True)
class Drip:
    """The model says something, with so many signs of life on the way and a pause before each, in seconds."""

    signs: int
    pause: float
    text: str = "All done."


@dataclass(frozen=True)
class Cut:
    """The connection breaks after the beginning of an answer."""


Turn = Text | Tool | Script | tuple[Tool, ...] | Status | Page | Silence | Drip | Cut


@dataclass(frozen=True)
class Asked:
    """A call as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)


class ModelApi:
    """The stand-in, listening from the beginning of the ``with`` to its end."""

    def __init__(self, *turns: Turn, certificate: Path | None = None) -> None:
        self.asked: list[Asked] = []
        self.ending = threading.Event()  #: releases the calls that get no answer
        self._turns = list(turns)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.api = self  # type: ignore[attr-defined]
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> list[Asked]:
        """What the model itself was asked."""
        return [asked for asked in self.asked if asked.method == "POST"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_turn(self) -> Turn:
        with self._lock:
            return self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    @property
    def _api(self) -> ModelApi:
        return self.server.api  # type: ignore[attr-defined, no-any-return]

    def do_HEAD(self) -> None:
        self._remember({})
        self._send(200, "text/plain", b"")

    def do_GET(self) -> None:
        self._remember({})
        self._send(404, "application/json", b"{}")

    def do_POST(self) -> None:
        self._remember(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        # The caller may be killed in the middle of an answer.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._answer(self._api.next_turn())

    def _remember(self, body: Mapping[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._api.asked.append(Asked(self.command, self.path, headers, body))

    def _answer(self, turn: Turn) -> None:
        match turn:
            case Status():
                error = {"type": "error", "error": {"type": turn.kind, "code": turn.kind, "message": turn.message}}
                self._send(turn.number, "application/json", json.dumps(error).encode())
            case Page():
                self._send(200, "text/html", turn.text.encode())
            case Silence(begun=False):
                self._wait()
            case Silence() | Cut():
                self._stream(list(self._events(Text("I begin")))[:1], end=False)
                if isinstance(turn, Silence):
                    self._wait()
                self.close_connection = True
            case Drip():
                begin, *rest = self._events(Text(turn.text))
                self._stream([begin], end=False)
                for _ in range(turn.signs):
                    self._api.ending.wait(turn.pause)
                    self._chunk(_event({"type": "ping"}))
                self._chunk(b"".join(map(_event, rest)))
                self._chunk(b"")
            case _:
                self._stream(self._events(turn))

    def _events(self, turn: Text | Tool | Script | tuple[Tool, ...]) -> Iterator[Mapping[str, Any]]:
        parts = turn if isinstance(turn, tuple) else (turn,)
        return _messages(parts) if "/messages" in self.path else _responses(parts)

    def _wait(self) -> None:
        self._api.ending.wait()
        self.close_connection = True

    def _stream(self, events: Iterable[Mapping[str, Any]], *, end: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Set-Cookie", "tracked=1")
        self.end_headers()
        for event in events:
            self._chunk(_event(event))
        if end:
            self._chunk(b"")

    def _chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _send(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _event(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _messages(parts: Sequence[Text | Tool | Script]) -> Iterator[Mapping[str, Any]]:
    """A turn as events of the Messages API."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "test", "content": []}
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    yield {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}}
    for index, part in enumerate(parts):
        if isinstance(part, Text):
            block: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": part.text}
        else:
            assert isinstance(part, Tool), "this API has no scripts"
            block = {"type": "tool_use", "id": f"toolu_{id(part)}", "name": part.name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(part.arguments)}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "end_turn" if isinstance(parts[-1], Text) else "tool_use"
    ended = {"stop_reason": reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": OUTPUT_TOKENS}}
    yield {"type": "message_stop"}


def _responses(parts: Sequence[Text | Tool | Script]) -> Iterator[Mapping[str, Any]]:
    """A turn as events of the Responses API."""
    yield {"type": "response.created", "response": {"id": "resp_1"}}
    for index, part in enumerate(parts):
        if isinstance(part, Text):
            content = [{"type": "output_text", "text": part.text}]
            item: dict[str, Any] = {"type": "message", "role": "assistant", "id": f"msg_{index}", "content": content}
        elif isinstance(part, Script):
            called = {"call_id": f"call_{id(part)}", "name": "exec", "input": part.source}
            item = {"type": "custom_tool_call", "id": f"ctc_{index}", **called}
        else:
            called = {"call_id": f"call_{id(part)}", "name": part.name, "arguments": json.dumps(part.arguments)}
            item = {"type": "function_call", "id": f"fc_{index}", **called}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    yield {"type": "response.completed", "response": {"id": "resp_1", "usage": usage}}
