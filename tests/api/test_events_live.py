"""GET /api/tasks/{id}/events: when things come, and what ends a stream before its task."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Update, func, update

from api import events as product
from core.database import engine
from core.database.models import ApiToken, AuthSession, EndReason, User
from core.database.ownership import Actor
from core.identity import sessions
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Entry
from core.tasks import commands
from tests.api.streams import PATIENCE, Counted, Opened, events, until
from tests.support.databases import unguarded
from tests.support.server import ROOT
from tests.support.waiting import eventually
from tests.support.world import World

#: As another server on the same database: takes the task, says a line for each that it reads, and ends.
RUNNER = """
import sys
from core.database import engine
from core.runner import claims
from core.database.models import EndReason
from core.log_text import LogType
claim = claims.claim("elsewhere", 30)
print(claim.task_id, flush=True)
for line in sys.stdin:
    claims.record(claim, [claims.Entry(LogType.INFO, line.strip(), engine.now())], 30)
    print("committed", flush=True)
claims.finish(claim, EndReason.COMPLETED)
print("committed", flush=True)
"""


@pytest.fixture
def only_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream polls so rarely that whatever comes in time came by a notification."""
    monkeypatch.setattr(product, "POLL_SECONDS", 60.0)


def say(claim: claims.Claim, *lines: str) -> None:
    claims.record(claim, [Entry(LogType.INFO, line, engine.now()) for line in lines])


@contextmanager
def elsewhere() -> Iterator[Callable[[str | None], None]]:
    """A runner in another process; what is called with a line, or None to end, returns once it is committed."""
    command = [sys.executable, "-c", RUNNER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, text=True, **pipes) as process:
        assert process.stdin and process.stdout and process.stdout.readline().strip().isdigit()

        def write(line: str | None) -> None:
            assert process.stdin and process.stdout
            if line is None:
                process.stdin.close()
            else:
                process.stdin.write(f"{line}\n")
                process.stdin.flush()
            assert process.stdout.readline().strip() == "committed"

        try:
            yield write
        finally:
            process.kill()


def test_what_another_process_writes_comes_with_the_next_poll(opened: Opened, ada: Actor) -> None:
    assert product.POLL_SECONDS <= 1
    number = commands.create(ada, prompt="Count", agent="data-processor").id
    with opened(number) as stream:
        until(stream, "task", status="pending")
        with elsewhere() as write:
            until(stream, "task", status="processing")
            for line in ("one", "two"):
                write(line)
                until(stream, "entry", message=line)
                assert until(stream, "task").data["progress"] == 30
            write(None)
            assert until(stream, "end").data == {"reason": "completed"}


def test_a_whole_life_in_this_process_comes_by_a_notification(only_notified: None, opened: Opened, ada: Actor) -> None:
    number = commands.create(ada, prompt="Count", agent="data-processor").id
    with opened(number) as stream:
        assert [next(stream).name, next(stream).data["status"]] == ["entry", "pending"]
        claim = claims.claim("runner", 30)
        assert claim is not None
        assert "Started" in until(stream, "entry").data["message"]
        begun = until(stream, "task").data
        assert begun["status"] == "processing" and begun["deadline"] is not None
        for line in ("one", "two", "three"):
            say(claim, line)
            assert until(stream, "entry").data["message"] == line
        claims.record(claim, [], 40)
        assert until(stream, "task", progress=40).data["status"] == "processing"
        claims.finish(claim, EndReason.COMPLETED, entries=[Entry(LogType.SUCCESS, "Done.", engine.now())])
        rest = [(event.name, event.data.get("message")) for event in stream]
        assert rest == [("entry", "Done."), ("task", None), ("end", None)]


def test_what_the_owner_asks_for_comes_by_a_notification(
    only_notified: None, opened: Opened, ada: Actor, running: claims.Claim, extension: float, listeners: Counted
) -> None:
    with opened(running.task_id, params={"after": 2}) as stream:
        assert until(stream, "task").data["extendable"] is True
        assert listeners() == 1
        commands.extend(ada, running.task_id)
        assert "more" in until(stream, "entry").data["message"]
        assert until(stream, "task").data["extendable"] is False
        commands.cancel(ada, running.task_id)
        assert "Stop" in until(stream, "entry").data["message"]
        assert until(stream, "task").data["cancel_requested_at"] is not None
    eventually(lambda: not listeners())  # its client went away
    number = commands.create(ada, prompt="Count").id
    with opened(number) as stream:
        until(stream, "task", status="pending")
        commands.cancel(ada, number)
        assert [event.data["reason"] for event in stream if event.name == "end"] == ["cancelled"]


def test_every_one_of_many_streams_gets_every_entry_once(opened: Opened, running: claims.Claim) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(opened(running.task_id)) for _ in range(12)]
        for stream in streams:
            until(stream, "task", status="processing")
        for number in range(5):
            say(running, f"line {number}")
        claims.finish(running, EndReason.COMPLETED)
        for stream in streams:
            assert [event.id for event in stream if event.name == "entry"] == ["3", "4", "5", "6", "7"]


def test_entries_written_while_a_long_log_is_read_come_in_order_without_a_gap(
    opened: Opened, running: claims.Claim
) -> None:
    say(running, *(f"line {number}" for number in range(1_500)))
    with opened(running.task_id) as stream:
        seen = [next(stream).id]
        for number in range(20):
            say(running, f"later {number}")
        claims.finish(running, EndReason.COMPLETED)
        seen += [event.id for event in stream if event.name == "entry"]
    assert seen == [str(seq) for seq in range(1, 1_523)]


def test_a_comment_keeps_a_silent_stream_open(
    url: str, ada_token: str, running: claims.Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "PING_SECONDS", 0.1)
    monkeypatch.setattr(product, "POLL_SECONDS", 0.05)
    headers = {"Authorization": f"Bearer {ada_token}"}
    address = f"{url}/tasks/{running.task_id}/events"
    with httpx.stream("GET", address, headers=headers, timeout=PATIENCE) as answer:
        comments = (line for line in answer.iter_lines() if line.startswith(":"))
        assert next(comments) and next(comments)


@pytest.mark.parametrize(
    "change",
    [
        update(ApiToken).values(revoked_at=func.now()),
        update(ApiToken).values(expires_at=func.now()),
        update(User).values(is_active=False),
        update(AuthSession).values(revoked_at=func.now()),
    ],
    ids=["revoked", "expired", "disabled", "signed out"],
)
def test_a_stream_ends_when_its_token_or_session_is_nobodys_any_more(
    opened: Opened, cookie: str, running: claims.Claim, change: Update, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "KNOWN_SECONDS", 0.1)
    by_cookie = {"headers": {"Cookie": f"{sessions.PLAIN_COOKIE}={cookie}"}}
    with opened(running.task_id, **(by_cookie if change.table.name == "auth_sessions" else {})) as stream:
        until(stream, "task")
        with unguarded() as session:
            session.execute(change)
        assert [(event.name, event.data) for event in stream] == [("end", {"reason": "signed out"})]


def test_a_stream_ends_when_its_task_is_deleted_or_its_server_closes(
    opened: Opened, api: FastAPI, ada: Actor, running: claims.Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = commands.create(ada, prompt="Count", agent="data-processor").id
    with opened(number) as stream:
        until(stream, "task")
        commands.delete_one(ada, number)
        assert [(event.name, event.data) for event in stream] == [("end", {"reason": "deleted"})]
    with opened(running.task_id) as stream:
        until(stream, "task")
        monkeypatch.setitem(api.state._state, "closing", True)
        assert list(stream) == [], "no end of the task"
    with opened(running.task_id) as stream:
        assert list(stream) == []


def test_a_stream_outlives_a_database_that_is_away_for_a_while(
    opened: Opened, running: claims.Claim, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "POLL_SECONDS", 0.05)
    with opened(running.task_id) as stream:
        until(stream, "task")
        with world.nowhere():
            time.sleep(0.5)
        say(running, "back again")
        assert until(stream, "entry").data["message"] == "back again"


def test_a_client_that_reads_nothing_and_goes_away_leaves_no_listener_and_is_no_fault_of_ours(
    url: str, ada_token: str, running: claims.Claim, listeners: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        say(running, *("x" * 8_000 for _ in range(200)))  # more than the sockets take
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as client:
        path = f"{address.path}/tasks/{running.task_id}/events"
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ada_token}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        eventually(listeners)
        time.sleep(0.5)  # until the sockets are full
    eventually(lambda: not listeners())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_stream_that_has_ended_leaves_no_listener_though_its_client_stays(
    only_notified: None, url: str, ada_token: str, running: claims.Claim, listeners: Counted
) -> None:
    with (
        httpx.Client(headers={"Authorization": f"Bearer {ada_token}"}, timeout=PATIENCE) as client,
        client.stream("GET", f"{url}/tasks/{running.task_id}/events") as answer,
    ):
        stream = events(answer)
        until(stream, "task")
        assert listeners() == 1
        claims.finish(running, EndReason.COMPLETED)
        until(stream, "end")
        eventually(lambda: not listeners())
