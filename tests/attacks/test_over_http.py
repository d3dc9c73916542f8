"""Attacks by a program that writes its own headers, on a server as it is run."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api.server.hardening import Hardening
from tests.attacks.caller import Ada
from tests.support.server import ROOT, Server

CHANGES = [
    *(("POST", "/tasks"), ("DELETE", "/tasks/1"), ("DELETE", "/tasks?action=completed,failed")),
    *(("POST", f"/tasks/1/{word}") for word in ("cancel", "extend", "rerun")),
]

PARTS = ("logs", "events", "artifacts/", "artifacts/report.md", "artifacts/charts/a.svg", "artifacts.zip")

HOST = "localhost:{port}"
ORIGINS = [
    *("null", "http://evil.example", "https://evil.example", "http://localhost", "http://localhost:1", "file://", ""),
    *(
        f"http://sub.{HOST}",
        f"http://{HOST}.evil.example",
        f"http://{HOST}@evil.example",
        f"http://evil.example/{HOST}",
    ),
    *(f"http://evil.example?{HOST}", f"http://evil.example#{HOST}", f"ftp://{HOST}", HOST, f"http://{HOST}0"),
]


@pytest.mark.attack(20)
def test_anothers_task_is_as_absent_to_a_token_and_a_cookie(ada: Ada, unchanged: None) -> None:
    for method, path in (("GET", "/tasks/1"), *CHANGES[1:2], *CHANGES[3:], *(("GET", f"/tasks/1/{w}") for w in PARTS)):
        absent = ada.ask(method, path.replace("/1", "/987654"), as_=f"Bearer {ada.bobs}")
        answer = ada.ask(method, path, as_=f"Bearer {ada.bobs}")
        assert (answer.status_code, answer.text) == (404, absent.text), path
    assert ada.ask("DELETE", "/tasks?action=completed,failed", as_=f"Bearer {ada.bobs}").json()["deletedCount"] == 0


@pytest.mark.attack(27)
@pytest.mark.parametrize("origin", ORIGINS)
def test_a_change_by_cookie_from_another_origin_is_refused(
    server: Server, ada: Ada, unchanged: None, origin: str
) -> None:
    for method, path in CHANGES:
        assert ada.ask(method, path, Origin=origin.format(port=server.port)).status_code == 403, path


@pytest.mark.attack(28)
def test_a_change_by_cookie_that_does_not_say_from_where_it_comes_is_refused(ada: Ada, unchanged: None) -> None:
    for method, path in CHANGES:
        assert ada.ask(method, path).status_code == 403, path
        assert ada.ask(method, path, Referer=f"{ada.home}/").status_code == 403, path


@pytest.mark.attack(29)
@pytest.mark.parametrize("site", ["same-site", "cross-site", "none", "", "same-origin, cross-site"])
def test_a_change_by_cookie_that_the_browser_calls_foreign_is_refused(ada: Ada, unchanged: None, site: str) -> None:
    for method, path in CHANGES:
        assert ada.ask(method, path, Origin=ada.home, Sec_Fetch_Site=site).status_code == 403, path


@pytest.mark.attack(34, 35)
def test_a_ticket_is_good_once_and_from_our_own_pages(ada: Ada) -> None:
    def send(ticket: str, **headers: str) -> int:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        answer = ada.http.post(f"{ada.home}/api/session", json={"ticket": ticket}, headers=named)
        ada.http.cookies.clear()
        assert (answer.status_code == 200) is ("set-cookie" in answer.headers)
        return answer.status_code

    for origin in ("http://evil.example", "http://localhost:3000", "null"):
        assert send(ada.ticket, Origin=origin) == 403
    assert send(ada.ticket) == send(ada.ticket, Origin=ada.home, Sec_Fetch_Site="same-site") == 403
    assert send("made up", Origin=ada.home) == send(ada.ticket[:-1], Origin=ada.home) == 400
    assert [send(ada.ticket, Origin=ada.home) for _ in range(3)] == [200, 400, 400]


@pytest.mark.attack(30)
def test_no_get_changes_anything(ada: Ada, unchanged: None) -> None:
    described = ada.http.get(f"{ada.home}/api/openapi.json").json()["paths"]
    paths = {path.replace("{task_id}", "1").replace("{path}", "report.md") for path in described} - {"/tasks/1/events"}
    assert len(paths) >= 8
    for path in paths | {"/session", "/tasks?action=completed,failed", "/tasks/1?_method=DELETE"}:
        for method in ("GET", "HEAD"):
            answer = ada.ask(method, path, Origin=ada.home, X_HTTP_Method_Override="DELETE")
            assert answer.status_code < 500, path
            assert "set-cookie" not in answer.headers, path


@pytest.mark.attack(33)
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost@evil.example"]
)
def test_a_strangers_name_that_leads_here_gets_nothing(server: Server, ada: Ada, host: str) -> None:
    for path in ("/", "/api/tasks", "/api/health", "/_stcore/health"):
        answer = ada.http.get(server.url + path, headers={"Host": host, "Cookie": ada.cookie})
        assert answer.status_code == 400 and "TASKDECK_PUBLIC_URL" in answer.json()["error"], path
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://{host.rpartition('@')[2]}/_stcore/stream",
            sock=socket.create_connection(("127.0.0.1", server.port)),
            origin=f"http://{host}",
            additional_headers={"Cookie": ada.cookie},
        )
    assert refused.value.response.status_code == 403


@pytest.mark.attack(38)
@pytest.mark.parametrize("said", ["Bearer tsk_wrong", "Bearer", "Basic YWRhOmFkYQ==", "tsk_wrong", "Digest x"])
def test_a_bad_token_beside_a_good_cookie_is_nobody(ada: Ada, unchanged: None, said: str) -> None:
    for method, path in (("GET", "/tasks"), *CHANGES):
        answer = ada.ask(method, path, Authorization=said, Origin=ada.home)
        assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer"), path


@pytest.mark.attack(39)
def test_a_token_elsewhere_than_in_its_header_is_not_read(server: Server, ada: Ada) -> None:
    for query in (f"token={ada.write}", f"access_token={ada.write}", f"api_key={ada.write}"):
        assert ada.http.get(f"{server.url}/api/tasks?{query}").status_code == 401
    name = ada.cookie.partition("=")[0]
    for headers in ({"Cookie": f"{name}={ada.write}"}, {"Cookie": f"token={ada.write}"}, {"X-Api-Key": ada.write}):
        assert ada.http.get(f"{server.url}/api/tasks", headers=headers).status_code == 401


@pytest.mark.attack(40)
def test_no_call_makes_lists_or_revokes_tokens_or_people(ada: Ada) -> None:
    assert ada.ask("GET", "/tasks", as_=f"Bearer {ada.write}").status_code == 200
    for path in (
        "/tokens",
        "/tokens/1",
        "/me/tokens",
        "/users",
        "/users/ada/tokens",
        "/account",
        "/sessions",
        "/audit",
    ):
        for method in ("GET", "POST", "DELETE", "PUT", "PATCH"):
            assert ada.ask(method, path, as_=f"Bearer {ada.write}").status_code == 404, path


@pytest.mark.attack(42)
def test_a_token_to_read_changes_nothing(ada: Ada, unchanged: None) -> None:
    for method, path in CHANGES:
        assert ada.ask(method, path, as_=f"Bearer {ada.read}").status_code == 403, path
    assert ada.ask("GET", "/tasks", as_=f"Bearer {ada.read}").json() == ada.tasks()


@pytest.mark.attack(57)
@pytest.mark.parametrize("key", ["short", "change-me-change-me-change-me-change-me"])
def test_a_key_that_can_be_guessed_stops_the_start(server: Server, tmp_path: Path, key: str) -> None:
    environment = server.environment | {"TASKDECK_SECRET": key, "TASKDECK_DATA": str(tmp_path)}
    command = [sys.executable, "-c", "import app"]
    started = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert started.returncode == 2
    assert "TASKDECK_SECRET: " in started.stderr and key not in started.stderr


@pytest.mark.attack(57)
def test_a_missing_key_is_made_for_the_server_alone(server: Server) -> None:
    kept = Path(server.environment["TASKDECK_DATA"]) / "secret"
    assert "TASKDECK_SECRET" not in os.environ
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and len(kept.read_text()) >= 43


@pytest.mark.attack(58)
def test_a_session_goes_on_after_a_restart(server: Server, ada: Ada, unchanged: None) -> None:
    assert server.stop() == 0
    server.start()


HARDENED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def is_hardened(answer: httpx.Response) -> bool:
    policy = answer.headers["content-security-policy"]
    return HARDENED.items() <= dict(answer.headers).items() and "default-src 'self'" in policy


@pytest.mark.attack(63)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/", 200), ("/task?id=5", 200), ("/static/index.html", 200), ("/_stcore/health", 200), ("/api/tasks", 401)),
        *(
            ("/api/nothing", 404),
            ("/media/nothing.png", 404),
            ("/api/health", 200),
            ("/api/docs", 200),
            ("//evil", 400),
        ),
    ],
)
def test_every_answer_is_hardened(server: Server, ada: Ada, path: str, status: int) -> None:
    answer = ada.http.get(server.url + path)
    assert answer.status_code == status
    assert is_hardened(answer)


@pytest.mark.attack(63)
def test_an_answer_to_a_fault_is_hardened_too_and_says_nothing_of_it() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("what nobody may read")

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(Hardening(fails)), base_url="http://localhost"
        ) as them:
            return await them.get("/")

    answer = asyncio.run(call())
    assert answer.status_code == 500
    assert is_hardened(answer)
    assert "what nobody may read" not in answer.text
