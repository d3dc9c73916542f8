"""Where a call comes from, as far as that can be trusted."""

from ipaddress import IPv6Address, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Server
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.config import settings
from core.database.models import Channel
from core.identity import audit


class Client:
    """The address and the scheme of whoever calls: what the proxies in TASKDECK_PROXIES say, else the connection's."""

    def __init__(self, app: ASGIApp) -> None:
        proxies = settings().proxies
        self.app: ASGIApp = ProxyHeadersMiddleware(app, list(proxies)) if proxies else app  # type: ignore[assignment, arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if client := scope.get("client"):
            scope["client"] = (_plain(client[0]), client[1])
        await self.app(scope, receive, send)


class Origin:
    """Tells the audit trail that what follows came over the API, and from where."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        audit.set_origin(Channel.API, client[0] if client else None)
        await self.app(scope, receive, send)


def distrust_forwarded_headers(server: Server | None) -> None:
    """Undo uvicorn's default trust in X-Forwarded headers from this machine."""
    if server and isinstance(server.config.loaded_app, ProxyHeadersMiddleware):
        server.config.loaded_app = server.config.loaded_app.app


def _plain(address: str) -> str:
    """An address of IPv4 as such, where a socket that listens for both kinds writes it as one of IPv6."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    return str(known.ipv4_mapped or known) if isinstance(known, IPv6Address) else address
