"""Who a call comes from, when it brings the session cookie: then a change has to come from our own pages."""

from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import update

from core import db
from core.auth import sessions
from core.config import signing_secret
from core.models import AuthSession, Task, User
from core.ownership import Actor
from tests.api.calls import NEW, ORIGIN, Caller, refused_as_unknown, rows, sentence, stored
from tests.api.conftest import MakeTask
from tests.databases import unguarded

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
        refused_as_unknown(anybody.having(Cookie=f"{sessions.COOKIE}={value}", Sec_Fetch_Site="same-origin"))
    for raw in (b"\xff\xfe", "ключ".encode(), b"a\x00b"):
        refused_as_unknown(anybody.having(Cookie=sessions.COOKIE.encode() + b"=" + raw, Sec_Fetch_Site="same-origin"))


@pytest.mark.parametrize("change", ["revoked", "expired", "epoch", "disabled", "deleted"])
def test_a_cookie_ends_with_its_session_or_its_person(
    by_cookie: Caller, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    own_page = by_cookie.having(Sec_Fetch_Site="same-origin")
    assert own_page.get("/tasks").status_code == 200
    with unguarded() as session:
        match change:
            case "revoked":
                session.execute(update(AuthSession).values(revoked_at=db.now()))
            case "expired":
                moment = db.now() + timedelta(hours=1)
                session.execute(update(AuthSession).values(expires_at=moment))
                monkeypatch.setattr(db, "now", lambda: moment)  # exactly then
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
