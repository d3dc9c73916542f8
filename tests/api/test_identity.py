"""Who a call comes from, when it brings a token or nothing."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import select, update

from api.routes import create_api
from core.database import engine
from core.database.models import ApiToken, Task, TokenScope, User
from core.database.ownership import Actor
from core.identity import sessions, tokens
from tests.api.calls import NEW, Caller, refused_as_unknown, rows, sentence, stored
from tests.api.conftest import MakeTask
from tests.support.databases import unguarded

OPEN = {"/openapi.json", "/static-offline-docs", "/docs", "/docs/oauth2-redirect", "/health"}
BY_TICKET = {"/session"}
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."


def guarded_routes() -> list[tuple[str, str]]:
    found = []
    for route in iter_route_contexts(create_api().routes):
        if route.path not in OPEN | BY_TICKET:
            found += [(method, route.path) for method in sorted(route.methods or {"GET"})]
    return found


def test_the_walk_over_the_routes_meets_the_whole_contract() -> None:
    assert {("GET", "/tasks"), ("POST", "/tasks"), ("DELETE", "/tasks"), ("GET", "/agents")} < set(guarded_routes())
    assert {("POST", "/tasks/{task_id}/cancel"), ("GET", "/metrics")} < set(guarded_routes())


@pytest.mark.parametrize(("method", "path"), guarded_routes())
def test_no_route_answers_somebody_unknown(
    anybody: Caller, ada: Actor, make_task: MakeTask, method: str, path: str
) -> None:
    number = make_task(ada, "completed")
    for task_id in (number, 987654, "abc"):
        address = path.replace("{task_id}", str(task_id)).replace("{name}", "report.md")
        answer = anybody.having(Sec_Fetch_Site="same-origin").call(method, address, json=NEW)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert sentence(answer)
    assert rows(Task) == 1


def test_a_token_names_its_person_whatever_the_case_of_bearer(anybody: Caller, ada: Actor, ada_token: str) -> None:
    for kind in ("Bearer", "bearer", "BEARER"):
        answer = anybody.having(Authorization=f"{kind} {ada_token}").post("/tasks", json=NEW)
        assert answer.json()["task"]["user_id"] == str(ada.id)


GARBAGE: list[bytes] = [
    *(b"", b"Bearer", b"Bearer ", b"Bearer tsk_", b"Bearer  ", b"tsk_", b"Bearer tsk_' OR 1=1--", b"Bearer None"),
    *(b"Bearer tsk_" + b"x" * 10_000, "Bearer tsk_ключ".encode(), b"Bearer tsk_\xff\xfe", b"Bearer " + JWT.encode()),
    *(b"Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==", b"Digest username=ada", b"Bearer,", b"\xe9"),
]


@pytest.mark.parametrize("header", GARBAGE, ids=lambda header: repr(header[:30]))
def test_garbage_for_a_token_is_nobody_even_beside_a_good_cookie(
    anybody: Caller, by_cookie: Caller, header: bytes
) -> None:
    refused_as_unknown(anybody.having(Authorization=header))
    refused_as_unknown(by_cookie.having(Authorization=header, Sec_Fetch_Site="same-origin"))


def test_what_is_only_like_a_token_is_nobody(anybody: Caller, ada_token: str) -> None:
    other = "A" if ada_token[-2] != "A" else "B"
    almost = [ada_token[:-2] + other + ada_token[-1], ada_token[:-1], ada_token + "x", ada_token[:12], ada_token[4:]]
    digest = hashlib.sha256(ada_token.encode()).hexdigest()
    for token in (*almost, digest, f"tsk_{digest}", ada_token.upper(), f"{ada_token} {ada_token}", f'"{ada_token}"'):
        refused_as_unknown(anybody.having(Authorization=f"Bearer {token}"))
    refused_as_unknown(anybody.having(Authorization=ada_token))


def test_a_token_elsewhere_than_in_its_header_is_not_read(anybody: Caller, ada_token: str) -> None:
    for name in ("token", "access_token", "authorization", "api_key"):
        assert anybody.get("/tasks", params={name: ada_token}).status_code == 401
        assert anybody.get("/tasks", params={name: f"Bearer {ada_token}"}).status_code == 401
    for name in (sessions.PLAIN_COOKIE, sessions.HOST_COOKIE):
        refused_as_unknown(anybody.having(Cookie=f"{name}={ada_token}", Sec_Fetch_Site="same-origin"))
    refused_as_unknown(anybody.having(X_Api_Key=ada_token))


@pytest.mark.parametrize("change", ["revoked", "expires", "disabled"])
def test_a_token_ends_when_it_is_revoked_or_expires_or_its_person_is_disabled(
    by_ada: Caller, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    assert by_ada.get("/tasks").status_code == 200
    moment = engine.now() + timedelta(hours=1)
    with unguarded() as session:
        if change == "disabled":
            session.execute(update(User).values(is_active=False))
        else:
            session.execute(update(ApiToken).values({"revoked_at" if change == "revoked" else "expires_at": moment}))
    if change == "expires":
        assert by_ada.get("/tasks").status_code == 200
        monkeypatch.setattr(engine, "now", lambda: moment)  # exactly then
    refused_as_unknown(by_ada)


def test_a_token_to_read_may_change_nothing(anybody: Caller, ada: Actor, make_task: MakeTask) -> None:
    number, waiting = make_task(ada, "completed"), make_task(ada, "pending")
    before = stored()
    reader = anybody.having(Authorization=f"Bearer {tokens.create(ada, 'reader', TokenScope.READ)}")
    parts = ("", "/logs", "/events", "/artifacts/")
    for path in ("/tasks", *(f"/tasks/{number}{part}" for part in parts), "/agents", "/metrics"):
        assert reader.get(path).status_code == 200
    for method, path in guarded_routes():
        if method not in ("GET", "HEAD"):
            for task_id in (number, waiting, 987654):
                answer = reader.call(method, f"{path.replace('{task_id}', str(task_id))}?action=completed", json=NEW)
                assert answer.status_code == 403 and sentence(answer)
    assert stored() == before


def test_a_tokens_text_is_in_no_table_and_no_file_of_the_data_folder(
    by_ada: Caller, ada_token: str, data: Path
) -> None:
    assert by_ada.get("/tasks").status_code == 200
    engine.configured().dispose()
    contents = [path.read_bytes() for path in data.rglob("*") if path.is_file()]
    with unguarded() as session:
        contents += [
            repr(session.execute(select(table)).all()).encode() for table in engine.Base.metadata.sorted_tables
        ]
    assert any(hashlib.sha256(ada_token.encode()).hexdigest().encode() in content for content in contents)
    assert not any(ada_token[12:].encode() in content for content in contents)


def test_a_token_needs_no_proof_of_a_page(by_ada: Caller) -> None:
    headers = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert by_ada.post("/tasks", json=NEW, headers=headers).status_code == 201
