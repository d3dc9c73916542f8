"""Every error as {"error": "one sentence"}, with the status that its type has."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import errors
from core.database import engine

STATUS: dict[type[errors.TaskdeckError], int] = {
    errors.InvalidInput: 400,
    errors.NotSignedIn: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
}
AWAY = "The database is busy or away; try again in a moment."
RETRY_SECONDS = 5
BODY_BYTES = 2**20  # a prompt of 20,000 characters, each escaped in JSON, is a quarter of it

_HTTP = {
    400: "The body cannot be read as JSON.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body is too large: at most 1 MiB.",
}

_log = logging.getLogger(__name__)


def answer(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as every client gets it."""
    return JSONResponse({"error": sentence}, status, headers)


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """The answer to a fault of ours; its reference is the request's id, under which the log tells the fault."""
    reference = request.state.request_id
    _log.error("request %s failed: %s %s", reference, request.method, request.url.path, exc_info=error)
    return answer(500, f"Something went wrong inside Taskdeck; tell an administrator this reference: {reference}.")


class BodyLimit:
    """Reads no body past BODY_BYTES, declared or not. FastAPI's own limit would answer in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = dict(scope.get("headers", ())).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > BODY_BYTES:
            await answer(413, _HTTP[413])(scope, receive, send)
            return
        read = 0

        async def receive_some() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > BODY_BYTES:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_some, send)


def install(api: FastAPI) -> None:
    """Have ``api`` answer every error in this form; none shows a traceback."""
    api.add_middleware(BodyLimit)
    api.add_exception_handler(errors.TaskdeckError, _named)
    api.add_exception_handler(RequestValidationError, _malformed)
    api.add_exception_handler(HTTPException, _http)
    for away in engine.Unavailable:
        api.add_exception_handler(away, _away)
    api.add_exception_handler(Exception, unexpected)


def _named(request: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), None)
    if status is None:
        return unexpected(request, error)
    if status == 403:
        _log.warning("refused %s %s: %s", request.method, request.url.path, error, extra=_address(request))
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return answer(status, str(error), headers)


def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this type alone
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return answer(400, "The body is not valid JSON.")
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    if not where:
        return answer(400, "Send the task as a JSON object, with Content-Type: application/json.")
    if first["loc"][0] == "path":
        return answer(404, "There is no such task.")
    return answer(400, f"{'.'.join(where)}: {first['msg'][0].lower()}{first['msg'][1:]}.")


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this type alone
    return answer(error.status_code, _HTTP.get(error.status_code, str(error.detail)), dict(error.headers or {}))


def _away(request: Request, error: Exception) -> JSONResponse:
    _log.error("the database did not answer %s %s: %s", request.method, request.url.path, engine.said(error))
    return answer(503, AWAY, {"Retry-After": str(RETRY_SECONDS)})


def _address(request: Request) -> dict[str, str | None]:
    return {"address": request.client.host if request.client else None}
