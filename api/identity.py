"""Who calls: a personal token, or the browser's session cookie."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from core.auth import sessions, tokens
from core.config import settings
from core.errors import Forbidden, NotSignedIn
from core.models import TokenScope
from core.ownership import Actor

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A personal token, tsk_…")
_cookie = APIKeyCookie(name=sessions.COOKIE, auto_error=False, scheme_name="session")


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
            raise NotSignedIn("The token is not valid: send Authorization: Bearer tsk_…")
        return known.actor, known
    session = sessions.by_cookie(request.cookies.get(sessions.COOKIE, ""))
    if session is None:
        raise NotSignedIn
    return session[1], None


def require_same_origin(request: Request) -> None:
    """Raise Forbidden unless the browser says that one of our own pages sent this.

    By Fetch Metadata where the browser sends it (it does on https and localhost), else by the Origin header alone.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None:
        ours = origin in (f"{request.url.scheme}://{request.headers.get('host')}", settings().home)
    else:
        host = request.headers.get("host")
        ours = site == "same-origin" and origin in (None, f"http://{host}", f"https://{host}", settings().home)
    if not ours:
        raise Forbidden("This call did not come from Taskdeck's own pages: use a personal token.")


CurrentActor = Annotated[Actor, Depends(identify)]
