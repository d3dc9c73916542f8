"""The files that a task made. Whatever is in them, a browser runs nothing of it."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.identity import CurrentActor
from api.schemas import ArtifactList, ArtifactOut
from core.tasks import artifacts

#: They are shown as documents of no origin: no script, no request, no access to our pages.
HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'",
    "Cross-Origin-Opener-Policy": "unsafe-none",  # HTML has browsers refuse what asks for a sandbox and more than this
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}

#: The kinds that are shown, and as what: browsers would save a table instead of showing it.
_SAFE = (
    *("text/html", "text/markdown", "text/plain", "text/x-diff", "application/json"),
    *("image/png", "image/jpeg", "image/gif", "image/svg+xml"),
)
SHOWN_AS = {kind: kind for kind in _SAFE} | dict.fromkeys(("text/csv", "text/tab-separated-values"), "text/plain")

router = APIRouter(tags=["artifacts"])


@router.get("/tasks/{task_id}/artifacts/")
def list_artifacts(actor: CurrentActor, task_id: int, request: Request) -> ArtifactList:
    """The files that the task made."""
    files = artifacts.of(actor, task_id)
    return ArtifactList(artifacts=[ArtifactOut.of(file, request.url.path + quote(file.name)) for file in files])


@router.get(
    "/tasks/{task_id}/artifacts.zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_archive(actor: CurrentActor, task_id: int) -> StreamingResponse:
    """All files of the task in one archive."""
    named = {"Content-Disposition": f'attachment; filename="task-{task_id}-files.zip"'}
    return StreamingResponse(artifacts.archive(actor, task_id), media_type="application/zip", headers=HEADERS | named)


@router.get("/tasks/{task_id}/artifacts/{name:path}", response_class=FileResponse)
def get_artifact(actor: CurrentActor, task_id: int, name: str, download: bool = False) -> FileResponse:
    """One file by its path; as a download unless its kind is safe to show."""
    artifact, path = artifacts.find(actor, task_id, name)
    shown_as = None if download else SHOWN_AS.get(artifact.media_type)
    return _WholeFile(
        path,
        media_type=shown_as or artifact.media_type,
        filename=artifact.name.rpartition("/")[2],
        content_disposition_type="inline" if shown_as else "attachment",
        headers=HEADERS,
    )


class _WholeFile(FileResponse):
    """A file without ranges: Starlette would refuse a bad one in another form than our errors."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)
