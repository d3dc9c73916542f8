"""Who a call comes from, when it brings the session cookie: then a change has to come from our own pages.

What ends a session is shown in tests/core/identity.
"""

import json

import pytest
from starlette.requests import Request

from api.identity import require_same_origin
from core.config import signing_secret
from core.database.models import Task
from core.database.ownership import Actor
from core.errors import Forbidden
from core.identity import sessions
from tests.api.calls import NEW, ORIGIN, Caller, refused_as_unknown, rows, sentence, stored
from tests.api.conftest import MakeTask
from tests.support import forged
from tests.support.world import World

HOST = ORIGIN.removeprefix("http://")


def test_a_cookie_reads_without_proof_of_its_page_and_no_other_site_is_let_in(by_cookie: Caller, ada: Actor) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}):
        answer = by_cookie.get("/tasks", headers=headers)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    task = by_cookie.having(Origin=ORIGIN).post("/tasks", json=NEW).json()["task"]
    assert task["user_id"] == str(ada.id)


@pytest.mark.attack(1, 2, 3, 5, 6, 7, 8)
def test_a_cookie_that_we_did_not_sign_as_one_is_nobody(anybody: Caller, ada: Actor, cookie: str) -> None:
    for value in (*forged.cookies(cookie, signing_secret()), sessions.ticket(sessions.start(ada)), str(ada.id)):
        refused_as_unknown(anybody.having(Cookie=f"{sessions.PLAIN_COOKIE}={value}", Sec_Fetch_Site="same-origin"))
    for raw in (b"\xff\xfe", "ключ".encode(), b"a\x00b"):
        refused_as_unknown(anybody.having(Cookie=b"taskdeck_session=" + raw, Sec_Fetch_Site="same-origin"))


OWN = ({"Sec-Fetch-Site": "same-origin"}, {"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN})
STRANGE_SITES = ("same-site", "cross-site", "none", "", "SAME-ORIGIN?", "same-origin, none")
STRANGE_ORIGINS = ("null", "", "https://evil.example", "file://", HOST, f"//{HOST}.evil.example")
STRANGE_HOSTS = (
    *(f"{HOST}:8080", f"app.{HOST}", "example", f"{HOST}.evil.com", "localhost"),
    *(f"{HOST}@evil.com", f"evil.com/{HOST}", f"evil.com?{HOST}", f"evil.com#{HOST}"),
)
FOREIGN = (
    *({}, {"Origin": f"https://evil.example {ORIGIN}"}, {"Referer": f"{ORIGIN}/tasks"}),
    *({"Sec-Fetch-Site": site} for site in STRANGE_SITES),
    *({"Sec-Fetch-Site": site, "Origin": ORIGIN} for site in STRANGE_SITES[:3]),
    *({"Sec-Fetch-Site": "same-origin", "Origin": origin} for origin in STRANGE_ORIGINS[:3]),
    *({"Origin": origin} for origin in STRANGE_ORIGINS),
    *({"Origin": f"http://{host}"} for host in STRANGE_HOSTS),
    *({"Origin": f"{scheme}://{HOST}"} for scheme in ("https", "ftp", "chrome-extension")),
)


@pytest.mark.attack(27, 28, 29)
def test_a_change_with_the_cookie_is_accepted_from_our_own_pages_and_refused_from_elsewhere(
    by_cookie: Caller, mine: MakeTask
) -> None:
    number, waiting = mine("completed"), mine("pending")
    changes = (
        *(("POST", "/tasks"), ("DELETE", f"/tasks/{number}"), ("DELETE", "/tasks?action=completed")),
        *(("POST", f"/tasks/{waiting}/{word}") for word in ("cancel", "extend", "rerun")),
    )
    before = stored()
    for headers in FOREIGN:
        for method, path in changes:
            answer = by_cookie.call(method, path, json=NEW, headers=headers)
            assert answer.status_code == 403 and sentence(answer), (headers, path)
    assert stored() == before
    for headers in OWN:
        answer = by_cookie.post("/tasks", json=NEW, headers=headers)
        assert answer.status_code == 201
        assert by_cookie.delete(f"/tasks/{answer.json()['task']['id']}", headers=headers).status_code == 200


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


def test_a_form_of_another_port_to_which_the_browser_adds_the_cookie_writes_nothing(
    by_cookie: Caller, anybody: Caller
) -> None:
    form = "application/x-www-form-urlencoded"
    for kind in ("text/plain", "text/plain;charset=UTF-8", form, "multipart/form-data; boundary=x"):
        for caller, site, origin, status in (
            (by_cookie, None, f"{ORIGIN}:8502", 403),
            (by_cookie, "same-site", f"{ORIGIN}:8502", 403),
            (anybody, "cross-site", "https://evil.example", 401),
            (by_cookie, "same-origin", ORIGIN, 400),
        ):
            headers = {"Origin": origin, "Content-Type": kind} | ({"Sec-Fetch-Site": site} if site else {})
            answer = caller.post("/tasks", content=json.dumps(NEW), headers=headers)
            assert answer.status_code == status, (kind, site)
            assert status != 400 or "application/json" in sentence(answer)
    assert rows(Task) == 0


@pytest.mark.attack(26)
@pytest.mark.parametrize("path", ["/tasks", "/tasks/1", "/session"])
def test_no_other_site_is_allowed_to_ask_in_json(by_cookie: Caller, path: str) -> None:
    wanted = {"Method": "POST", "Headers": "content-type", "Private-Network": "true"}
    asks = {f"Access-Control-Request-{name}": value for name, value in wanted.items()}
    for origin in ("https://evil.example", f"{ORIGIN}:8502", "null", ORIGIN):
        answer = by_cookie.call("OPTIONS", path, headers=asks | {"Origin": origin})
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.attack(30)
def test_reading_changes_nothing(by_cookie: Caller, mine: MakeTask) -> None:
    numbers = [mine(status, entries=2) for status in ("pending", "completed", "error")]
    before = stored()
    reads = {"/tasks", "/tasks?action=completed,failed", "/tasks?limit=1&logs=tail", "/agents", "/metrics", "/health"}
    reads |= {f"/tasks/{number}{part}" for number in numbers for part in ("", "/logs", "/artifacts/")}
    reads |= {f"/tasks/{numbers[1]}/events", f"/tasks/{numbers[0]}/cancel", f"/tasks/{numbers[1]}/rerun", "/session"}
    for path in sorted(reads):
        for method in ("GET", "HEAD"):
            by_cookie.call(method, path, headers={"X-HTTP-Method-Override": "DELETE"})
    assert stored() == before
