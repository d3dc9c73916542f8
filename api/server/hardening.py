"""The outermost layer, around the pages and the API alike: who may call at all, and what each answer carries."""

import logging
import secrets
from urllib.parse import urlsplit

from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.server import headers, origin
from core import server_log
from core.identity import sessions

_log = logging.getLogger(__name__)

POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1

#: Streamlit's words in it are: its own name, a token against forged requests, the id of the tab to take up again.
#: It gives a tab to whoever names it. What is in it stays closed to a stranger, but its owner's page would stand still.
PROTOCOL = b"sec-websocket-protocol"

STRANGE_HOST = "Taskdeck does not know itself by this name: set TASKDECK_PUBLIC_URL to the address that people open."

#: What the API's documentation is drawn with. It changes with a release only, so browsers may keep it.
DOCUMENTATION_FILES = "/static-offline-docs"


#: Streamlit would keep what anybody sends here in memory, without a sign-in.
UPLOADS = "/_stcore/upload_file"

#: Pages whose address holds a one-time link's secret: it must not stand in the next request's Referer.
SECRET_PAGES = ("/setup", "/password")


class Hardening:
    """Answers only what is addressed to this server, opens a websocket only to its own pages, and adds the headers.

    Each http request gets an id, which an answer that failed names and the log too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._headers = headers.defaults()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request_id = scope.setdefault("state", {})["request_id"] = secrets.token_hex(6)
            with server_log.bound(request=request_id):
                await self._answer(scope, receive, send, request_id)
        elif scope["type"] == "websocket":
            await self._open(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        fixed = {**self._headers, b"x-request-id": request_id.encode()}
        if scope["path"].startswith("/api/") and not scope["path"].startswith(f"/api{DOCUMENTATION_FILES}/"):
            fixed[b"cache-control"] = b"no-store"
        if scope["path"] in SECRET_PAGES:
            fixed[b"referrer-policy"] = b"no-referrer"
        began = False

        async def send_hardened(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                own = list(message.get("headers", ()))
                names = {name.lower() for name, _ in own}
                message = {**message, "headers": own + [pair for pair in fixed.items() if pair[0] not in names]}
            await send(message)

        if not origin.leads_here(origin.header(scope, b"host")):
            _log_stranger(scope)
            await errors.answer(400, STRANGE_HOST)(scope, receive, send_hardened)
            return
        if scope["path"].startswith(UPLOADS):
            await errors.answer(404, "No page takes a file.")(scope, receive, send_hardened)
            return
        try:
            await self.app(scope, receive, send_hardened)
        except Exception as error:
            if began:
                raise
            await errors.unexpected(Request(scope), error)(scope, receive, send_hardened)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        host, page = origin.header(scope, b"host"), origin.header(scope, b"origin")
        if page is None or not (origin.leads_here(host) and origin.is_own(page, host, "http", "https")):
            _log_stranger(scope)
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        # Streamlit compares the two itself. Were they different, because a proxy changed the host, it would ask a
        # public server for this machine's address and refuse.
        fixed = {b"host": urlsplit(page).netloc}
        if words := origin.header(scope, PROTOCOL):
            fixed[PROTOCOL] = words if _has_a_session(scope) else ",".join(words.split(",")[:2])
        others = [(name, text) for name, text in scope["headers"] if name not in fixed]
        named = [(name, text.encode("latin-1")) for name, text in fixed.items()]
        await self.app({**scope, "headers": [*others, *named]}, receive, send)


def _log_stranger(scope: Scope) -> None:
    host, page = origin.header(scope, b"host"), origin.header(scope, b"origin")
    address = (scope.get("client") or (None,))[0]
    named = f"host {host!r}, a page of {page!r}" if scope["type"] == "websocket" else f"host {host!r}"
    _log.warning(
        "a request to %s was refused: if it is yours, set TASKDECK_PUBLIC_URL", named, extra={"address": address}
    )


def _has_a_session(scope: Scope) -> bool:
    """Whether the browser brings a session cookie that we signed. One without has no tab to take up again."""
    cookies = cookie_parser(origin.header(scope, b"cookie") or "")
    return sessions.read_cookie(sessions.cookie_in(cookies)) is not None
