"""Who a call comes from, when it brings the session cookie: then a change has to come from our own pages."""

import json
from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import update
from starlette.requests import Request

from api.identity import require_same_origin
from core.config import signing_secret
from core.database import engine
from core.database.models import AuthSession, Task, User
from core.database.ownership import Actor
from core.errors import Forbidden
from core.identity import sessions
from tests.api.calls import NEW, ORIGIN, Caller, refused_as_unknown, rows, sentence, stored
from tests.api.conftest import MakeTask
from tests.support.databases import unguarded
from tests.support.world import World

HOST = ORIGIN.removeprefix("http://")
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."


def test_a_cookie_reads_without_proof_of_its_page_and_no_other_site_is_let_in(by_cookie: Caller, ada: Actor) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}):
        answer = by_cookie.get("/tasks", headers=headers)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    task = by_cookie.having(Origin=ORIGIN).post("/tasks", json=NEW).json()["task"]
    assert task["user_id"] == str(ada.id)


def test_a_cookie_that_we_did_not_sign_as_one_is_nobody(anybody: Caller, ada: Actor, cookie: str) -> None:
    sid, _, signature = cookie.partition(".")
    ours = sessions.start(ada).hex
    tampered = signature[:5] + ("A" if signature[5] != "A" else "B") + signature[6:]
    for value in (
        *(f"{sid}.{tampered}", sid, ours, f'"{ours}"', f"{sid}.", f".{signature}", cookie[:-2], cookie + "x"),
        sessions.ticket(sessions.start(ada)),  # signed by us, for something else
        URLSafeSerializer(signing_secret(), salt="another").dumps(ours),
        URLSafeSerializer("another key of at least 32 bytes", salt="taskdeck.cookie").dumps(ours),
        URLSafeSerializer(signing_secret()[:-1], salt="taskdeck.cookie").dumps(ours),
        *("", "..", "null", "x" * 5_000, JWT, str(ada.id)),
    ):
        refused_as_unknown(anybody.having(Cookie=f"{sessions.PLAIN_COOKIE}={value}", Sec_Fetch_Site="same-origin"))
    for raw in (b"\xff\xfe", "ключ".encode(), b"a\x00b"):
        refused_as_unknown(
            anybody.having(Cookie=sessions.PLAIN_COOKIE.encode() + b"=" + raw, Sec_Fetch_Site="same-origin")
        )


@pytest.mark.parametrize("change", ["revoked", "expired", "epoch", "disabled", "deleted"])
def test_a_cookie_ends_with_its_session_or_its_person(
    by_cookie: Caller, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    own_page = by_cookie.having(Sec_Fetch_Site="same-origin")
    assert own_page.get("/tasks").status_code == 200
    with unguarded() as session:
        match change:
            case "revoked":
                session.execute(update(AuthSession).values(revoked_at=engine.now()))
            case "expired":
                moment = engine.now() + timedelta(hours=1)
                session.execute(update(AuthSession).values(expires_at=moment))
                monkeypatch.setattr(engine, "now", lambda: moment)  # exactly then
            case "epoch":
                session.execute(update(User).values(session_epoch=User.session_epoch + 1))
            case "disabled":
                session.execute(update(User).values(is_active=False))
            case "deleted":
                session.delete(session.query(User).one())
    refused_as_unknown(own_page)


OWN = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": ORIGIN},
    {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN},
]
FOREIGN = [
    {},
    *(
        {"Sec-Fetch-Site": site}
        for site in ("same-site", "cross-site", "none", "", "SAME-ORIGIN?", "same-origin, none")
    ),
    *({"Sec-Fetch-Site": site, "Origin": ORIGIN} for site in ("same-site", "cross-site", "none")),
    *({"Sec-Fetch-Site": "same-origin", "Origin": origin} for origin in ("null", "https://evil.example", "")),
    *({"Origin": origin} for origin in ("null", "", "https://evil.example", "file://", HOST, f"//{HOST}.evil.example")),
    *(
        {"Origin": f"http://{host}"}
        for host in (f"{HOST}:8080", f"app.{HOST}", "example", f"{HOST}.evil.com", "localhost")
    ),
    *(
        {"Origin": f"http://{host}"}
        for host in (f"{HOST}@evil.com", f"evil.com/{HOST}", f"evil.com?{HOST}", f"evil.com#{HOST}")
    ),
    {"Origin": f"https://evil.example {ORIGIN}"},
    {"Referer": f"{ORIGIN}/tasks"},
]


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_a_change_with_the_cookie_is_accepted_from_our_own_pages(by_cookie: Caller, headers: dict[str, str]) -> None:
    answer = by_cookie.post("/tasks", json=NEW, headers=headers)
    assert answer.status_code == 201
    deleted = by_cookie.delete(f"/tasks/{answer.json()['task']['id']}", headers=headers)
    assert deleted.status_code == 200 and rows(Task) == 0


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_change_with_the_cookie_is_refused_from_elsewhere(
    by_cookie: Caller, ada: Actor, make_task: MakeTask, headers: dict[str, str]
) -> None:
    number, waiting = make_task(ada, "completed"), make_task(ada, "pending")
    before = stored()
    for method, path in (
        *(("POST", "/tasks"), ("DELETE", f"/tasks/{number}"), ("DELETE", "/tasks?action=completed")),
        *(("POST", f"/tasks/{waiting}/{word}") for word in ("cancel", "extend", "rerun")),
    ):
        answer = by_cookie.call(method, path, json=NEW, headers=headers)
        assert answer.status_code == 403 and sentence(answer)
    assert stored() == before


def test_an_origin_with_our_host_but_another_scheme_is_elsewhere(by_cookie: Caller) -> None:
    for scheme in ("https", "ftp", "chrome-extension"):
        assert by_cookie.post("/tasks", json=NEW, headers={"Origin": f"{scheme}://{HOST}"}).status_code == 403
    assert rows(Task) == 0


def test_our_own_origin_includes_the_port(by_cookie: Caller) -> None:
    there = by_cookie.having(Host=f"{HOST}:8501")
    assert there.post("/tasks", json=NEW, headers={"Origin": f"http://{HOST}:8501"}).status_code == 201
    for origin in (ORIGIN, f"http://{HOST}:8502", f"http://{HOST}:85010"):
        assert there.post("/tasks", json=NEW, headers={"Origin": origin}).status_code == 403


def test_a_proxy_with_tls_leaves_it_to_the_public_address_which_pages_are_ours(
    by_cookie: Caller, anybody: Caller, cookie: str, world: World
) -> None:
    public = "https://tasks.example.org"
    world.settle(TASKDECK_PUBLIC_URL=f"{public}/")
    signed_in = anybody.having(Cookie=f"{sessions.HOST_COOKIE}={cookie}")
    for host in ("tasks.example.org", "127.0.0.1:8501"):
        there = signed_in.having(Host=host)
        assert there.post("/tasks", json=NEW, headers={"Origin": public}).status_code == 201
        assert there.post("/tasks", json=NEW, headers={"Origin": public, "Sec-Fetch-Site": "same-origin"}).is_success
        for origin in ("http://tasks.example.org", f"{public}:444", f"{public}.evil.com", "https://example.org"):
            for site in ({}, {"Sec-Fetch-Site": "same-origin"}):
                assert there.post("/tasks", json=NEW, headers={"Origin": origin} | site).status_code == 403
    assert rows(Task) == 4


def test_a_header_that_came_twice_proves_nothing() -> None:
    own, other = (b"origin", ORIGIN.encode()), (b"origin", b"https://evil.example")
    same, cross = (b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")
    host = (b"host", HOST.encode())
    for headers in ([own], [own, same], [same]):
        require_same_origin(Request({"type": "http", "scheme": "http", "path": "/", "headers": [host, *headers]}))
    for twice in ([own, other], [other, own], [same, cross], [cross, same], [own, other, same], [own, same, same]):
        with pytest.raises(Forbidden):
            require_same_origin(Request({"type": "http", "scheme": "http", "path": "/", "headers": [host, *twice]}))


FORMS = [
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
]


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("port", ["8502", "3000"])
def test_a_form_of_another_port_to_which_the_browser_adds_the_cookie_writes_nothing(
    by_cookie: Caller, anybody: Caller, kind: str, port: str
) -> None:
    body, neighbour = json.dumps(NEW), {"Origin": f"{ORIGIN}:{port}", "Content-Type": kind}
    for site in ({}, {"Sec-Fetch-Site": "same-site"}):
        assert by_cookie.post("/tasks", content=body, headers=neighbour | site).status_code == 403
    stranger = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Content-Type": kind}
    assert anybody.post("/tasks", content=body, headers=stranger).status_code == 401
    own = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Content-Type": kind}
    refused = by_cookie.post("/tasks", content=body, headers=own)
    assert refused.status_code == 400 and "application/json" in sentence(refused)
    assert rows(Task) == 0


@pytest.mark.parametrize("path", ["/tasks", "/tasks/1", "/session"])
@pytest.mark.parametrize("origin", ["https://evil.example", f"{ORIGIN}:8502", "null", ORIGIN])
def test_no_other_site_is_allowed_to_ask_in_json(by_cookie: Caller, path: str, origin: str) -> None:
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = by_cookie.call("OPTIONS", path, headers=asks)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_reading_changes_nothing(by_cookie: Caller, ada: Actor, make_task: MakeTask) -> None:
    numbers = [make_task(ada, status, entries=2) for status in ("pending", "completed", "error")]
    before = stored()
    reads = {"/tasks", "/tasks?action=completed,failed", "/tasks?limit=1&logs=tail", "/agents", "/metrics", "/health"}
    reads |= {f"/tasks/{number}{part}" for number in numbers for part in ("", "/logs", "/artifacts/")}
    reads |= {f"/tasks/{numbers[1]}/events", f"/tasks/{numbers[0]}/cancel", f"/tasks/{numbers[1]}/rerun", "/session"}
    for path in sorted(reads):
        for method in ("GET", "HEAD"):
            by_cookie.call(method, path, headers={"X-HTTP-Method-Override": "DELETE"})
    assert stored() == before
