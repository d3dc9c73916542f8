"""Attacks by a program that writes its own headers, on a server as it is run."""

import os
import stat
from pathlib import Path

import pytest

from tests.attacks.caller import Ada
from tests.support.server import Server

CHANGES = [
    *(("POST", "/tasks"), ("DELETE", "/tasks/1"), ("DELETE", "/tasks?action=completed,failed")),
    *(("POST", f"/tasks/1/{word}") for word in ("cancel", "extend", "rerun")),
]

PARTS = ("logs", "events", "artifacts/", "artifacts/report.md", "artifacts/charts/a.svg", "artifacts.zip")


@pytest.mark.attack(20)
def test_anothers_task_is_as_absent_to_a_token_and_a_cookie(ada: Ada, unchanged: None) -> None:
    for method, path in (("GET", "/tasks/1"), *CHANGES[1:2], *CHANGES[3:], *(("GET", f"/tasks/1/{w}") for w in PARTS)):
        absent = ada.ask(method, path.replace("/1", "/987654"), as_=f"Bearer {ada.bobs}")
        answer = ada.ask(method, path, as_=f"Bearer {ada.bobs}")
        assert (answer.status_code, answer.text) == (404, absent.text), path
    assert ada.ask("DELETE", "/tasks?action=completed,failed", as_=f"Bearer {ada.bobs}").json()["deletedCount"] == 0


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


@pytest.mark.attack(40)
def test_no_call_makes_lists_or_revokes_tokens_or_people(ada: Ada) -> None:
    assert ada.ask("GET", "/tasks", as_=f"Bearer {ada.write}").status_code == 200
    paths = ("/tokens", "/tokens/1", "/me/tokens", "/users", "/users/ada/tokens", "/account", "/sessions", "/audit")
    for path in paths:
        for method in ("GET", "POST", "DELETE", "PUT", "PATCH"):
            assert ada.ask(method, path, as_=f"Bearer {ada.write}").status_code == 404, path


@pytest.mark.attack(57)
def test_a_missing_key_is_made_for_the_server_alone(server: Server) -> None:
    kept = Path(server.environment["TASKDECK_DATA"]) / "secret"
    assert "TASKDECK_SECRET" not in os.environ
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and len(kept.read_text()) >= 43


@pytest.mark.attack(58)
def test_a_session_goes_on_after_a_restart(server: Server, ada: Ada, unchanged: None) -> None:
    assert server.stop() == 0
    server.start()
