"""Who a call comes from, when it brings a token or nothing. Which tokens are good is shown in tests/core/identity."""

import pytest
from fastapi.routing import iter_route_contexts

from api.routes import create_api
from core.database.models import Task, TokenScope
from core.database.ownership import Actor
from core.identity import sessions, tokens
from tests.api.calls import NEW, Caller, refused_as_unknown, rows, sentence, stored
from tests.api.conftest import MakeTask

OPEN = {"/openapi.json", "/static-offline-docs", "/docs", "/docs/oauth2-redirect", "/health"}
BY_TICKET = {"/session"}
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."


def guarded_routes() -> list[tuple[str, str]]:
    found = []
    for route in iter_route_contexts(create_api().routes):
        if route.path not in OPEN | BY_TICKET:
            found += [(method, route.path) for method in sorted(route.methods or {"GET"})]
    return found


@pytest.mark.parametrize(("method", "path"), guarded_routes())
def test_no_route_answers_somebody_unknown(anybody: Caller, mine: MakeTask, method: str, path: str) -> None:
    number = mine("completed")
    for task_id in (number, 987654, "abc"):
        address = path.replace("{task_id}", str(task_id)).replace("{name}", "report.md")
        answer = anybody.having(Sec_Fetch_Site="same-origin").call(method, address, json=NEW)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert sentence(answer)
    assert rows(Task) == 1


def test_a_token_names_its_person_whatever_the_case_of_bearer_without_proof_of_a_page(
    anybody: Caller, ada: Actor, ada_token: str
) -> None:
    elsewhere = anybody.having(Origin="https://elsewhere.example", Sec_Fetch_Site="cross-site")
    for kind in ("Bearer", "bearer", "BEARER"):
        answer = elsewhere.having(Authorization=f"{kind} {ada_token}").post("/tasks", json=NEW)
        assert answer.status_code == 201 and answer.json()["task"]["user_id"] == str(ada.id)


GARBAGE: list[bytes] = [
    *(b"", b"Bearer", b"Bearer ", b"Bearer tsk_", b"Bearer  ", b"tsk_", b"Bearer tsk_' OR 1=1--", b"Bearer None"),
    *(b"Bearer tsk_" + b"x" * 10_000, "Bearer tsk_ключ".encode(), b"Bearer tsk_\xff\xfe", b"Bearer " + JWT.encode()),
    *(b"Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==", b"Digest username=ada", b"Bearer,", b"\xe9"),
]


@pytest.mark.attack(38)
def test_garbage_for_a_token_is_nobody_even_beside_a_good_cookie(anybody: Caller, by_cookie: Caller) -> None:
    for header in GARBAGE:
        refused_as_unknown(anybody.having(Authorization=header))
        refused_as_unknown(by_cookie.having(Authorization=header, Sec_Fetch_Site="same-origin"))


@pytest.mark.attack(39)
def test_a_token_elsewhere_than_in_its_header_is_not_read(anybody: Caller, ada_token: str) -> None:
    for name in ("token", "access_token", "authorization", "api_key"):
        assert anybody.get("/tasks", params={name: ada_token}).status_code == 401
        assert anybody.get("/tasks", params={name: f"Bearer {ada_token}"}).status_code == 401
    for name in (sessions.PLAIN_COOKIE, sessions.HOST_COOKIE):
        refused_as_unknown(anybody.having(Cookie=f"{name}={ada_token}", Sec_Fetch_Site="same-origin"))
    refused_as_unknown(anybody.having(X_Api_Key=ada_token))


@pytest.mark.attack(42)
def test_a_token_to_read_may_change_nothing(anybody: Caller, ada: Actor, mine: MakeTask) -> None:
    assert {("POST", "/tasks"), ("DELETE", "/tasks"), ("POST", "/tasks/{task_id}/cancel")} < set(guarded_routes())
    number, waiting = mine("completed"), mine("pending")
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
