"""Who calls: a personal token, or the browser's session cookie."""

import logging
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from api.server import origin
from core.database.models import TokenScope
from core.database.ownership import Actor
from core.errors import Forbidden, NotSignedIn
from core.identity import sessions, tokens

_log = logging.getLogger(__name__)

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A personal token, tsk_…")
_cookie = APIKeyCookie(
    name=sessions.HOST_COOKIE,
    auto_error=False,
    scheme_name="session",
    description=f"The browser's session; {sessions.PLAIN_COOKIE} where there is no TLS.",
)


def identify(
    request: Request,
    afterwards: BackgroundTasks,
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    __: Annotated[str | None, Depends(_cookie)],
) -> Actor:
    """The person behind a request, who may do what it asks for.

    Raises NotSignedIn when nobody is known, Forbidden when a token or a page may not do this.
    """
    changes = request.method not in SAFE_METHODS
    actor, token = who(request)
    if token is None:
        if changes:
            require_same_origin(request)
        return actor
    if changes and token.scope is TokenScope.READ:
        raise Forbidden("This token may only read: use one with the scope write.")
    if token.use_is_due:
        afterwards.add_task(tokens.note_use, token.id)  # a read must not wait for a writer
    return actor


def who(request: Request) -> tuple[Actor, tokens.Known | None]:
    """The person behind a request at this moment, and the token if it came with one.

    An Authorization header is all that counts when there is one. Raises NotSignedIn when nobody is known.
    """
    header = request.headers.get("authorization")
    if header is not None:
        kind, _space, token = header.partition(" ")
        known = tokens.person(token.strip()) if kind.lower() == "bearer" else None
        if known is None:
            address = request.client.host if request.client else None
            _log.warning(
                "a token that is not valid was refused: give the program that sent it a new one",
                extra={"address": address},
            )
            raise NotSignedIn("The token is not valid: send Authorization: Bearer tsk_…")
        return known.actor, known
    session = sessions.by_cookie(sessions.cookie_in(request.cookies))
    if session is None:
        raise NotSignedIn
    return session[1], None


def require_same_origin(request: Request) -> None:
    """Raise Forbidden unless the browser says that one of our own pages sent this.

    By Fetch Metadata where the browser sends it (it does on https and localhost), else by the Origin header alone.
    """
    site, page, host = (origin.header(request.scope, name) for name in (b"sec-fetch-site", b"origin", b"host"))
    if site is None:
        ours = origin.is_own(page, host, request.url.scheme)
    else:
        ours = site == "same-origin" and (page is None or origin.is_own(page, host, "http", "https"))
    if not ours:
        raise Forbidden("This call did not come from Taskdeck's own pages: use a personal token.")


CurrentActor = Annotated[Actor, Depends(identify)]
