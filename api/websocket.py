"""Who may open a page's websocket: only pages that this server sent."""

from starlette.types import ASGIApp, Receive, Scope, Send

from core.config import settings

POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1


class SameOriginWebSocket:
    """Closes a websocket whose Origin is not this server, before Streamlit sees it.

    Streamlit lets every port of localhost through, and cookies ignore ports.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            host = headers.get(b"host", "")
            if headers.get(b"origin") not in (f"http://{host}", f"https://{host}", settings().home):
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
                return
        await self.app(scope, receive, send)
