"""The browser's session cookie, which Streamlit can neither set nor clear: a ticket fetches it, a sign-out ends it."""

from fastapi import APIRouter, Request, Response

from api import schemas
from api.identity import require_same_origin
from api.server import origin
from core.config import settings
from core.identity import sessions

router = APIRouter(include_in_schema=False)


@router.post("/session")
def open_session(request: Request, response: Response, given: schemas.Ticket) -> schemas.Message:
    """Exchange a sign-in ticket for the session cookie. The session of a cookie that it replaces ends."""
    require_same_origin(request)
    value = sessions.redeem(given.ticket, replaces=sessions.cookie_in(request.cookies))
    secure = _keeps_secure_cookies(request)
    response.set_cookie(
        sessions.HOST_COOKIE if secure else sessions.PLAIN_COOKIE,
        value,
        max_age=int(sessions.LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return schemas.Message(message="Signed in.")


@router.delete("/session")
def close_session(request: Request, response: Response, given: schemas.Ticket | None = None) -> schemas.Message:
    """End the cookie's session for the person who signed out, and forget the cookie."""
    require_same_origin(request)
    if sessions.end_by_token(sessions.cookie_in(request.cookies), given.ticket if given else None):
        response.delete_cookie(sessions.PLAIN_COOKIE, httponly=True, samesite="strict")
        response.delete_cookie(sessions.HOST_COOKIE, httponly=True, samesite="strict", secure=True)
    return schemas.Message(message="Signed out.")


def _keeps_secure_cookies(request: Request) -> bool:
    """Whether the browser keeps a Secure cookie from here: with TLS, and on its own machine unless it is Safari."""
    if request.url.scheme == "https" or settings().home.startswith("https:"):
        return True
    agent = request.headers.get("user-agent", "")
    is_safari = "Safari/" in agent and "Chrom" not in agent and "Firefox" not in agent
    return origin.is_loopback(request.headers.get("host")) and not is_safari
