import re
from collections.abc import Callable

import pytest
import streamlit as st

from core.database.engine import now
from core.database.models import EndReason
from core.database.ownership import Actor
from core.errors import NotSignedIn
from core.identity import sessions
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Entry
from core.sandbox.output import StoredArtifact
from core.tasks import commands
from tests.pages.conftest import Open
from tests.pages.widgets import html, press, titles


def start(actor: Actor, prompt: str = "Profile the data") -> claims.Claim:
    commands.create(actor, prompt=prompt, agent="data-processor")
    held = claims.claim("runner", 30)
    assert held
    return held


def test_a_running_task_shows_status_progress_countdown_and_log_and_what_is_printed_is_text(
    as_ada: Open, ada: Actor
) -> None:
    held = start(ada)
    evil = "<img src=x onerror=alert(1)> \x1b[31mred\x1b[0m"
    claims.record(held, [Entry(LogType.COMMAND, "git clone", now()), Entry(LogType.INFO, evil, now())], 42)
    app = as_ada("tasks/detail", id=str(held.task_id))
    assert not app.exception
    assert app.header[0].value == "Profile the data"
    for shown in ("Running", 'aria-valuenow="42"', "Left of 5 min", "git clone", "updated "):
        assert shown in html(app)
    assert "&lt;img src=x" in html(app) and "<img" not in html(app)
    assert '<span class="td-ansi-red">red</span>' in html(app)


def test_why_it_ended_stands_on_top(as_ada: Open, ada: Actor) -> None:
    where = {EndReason.FAILED: "error", EndReason.TIMED_OUT: "warning", EndReason.INTERRUPTED: "warning"}
    for reason, kind in where.items():
        held = start(ada)
        claims.finish(held, reason, "The reason, in one sentence")
        app = as_ada("tasks/detail", id=str(held.task_id))
        assert [element.value for element in app.get(kind)] == ["The reason, in one sentence"]


@pytest.mark.attack(23)
def test_absent_anothers_and_one_that_is_deleted_elsewhere_look_the_same(as_ada: Open, ada: Actor, bob: Actor) -> None:
    theirs, mine = start(bob), start(ada)
    claims.finish(mine, EndReason.COMPLETED, artifacts=[StoredArtifact("report.md", 13, "0" * 64, "text/markdown")])
    opened = as_ada("tasks/detail", id=str(mine.task_id))
    commands.delete_one(ada, mine.task_id)
    absent = ("0", "-1", "999", "abc", "", str(2**63), str(theirs.task_id))
    for app in (opened.run(), *(as_ada("tasks/detail", id=asked) for asked in absent)):
        assert not app.exception
        assert titles(app) == ["Task not found"]
        assert "Profile" not in html(app)


def shown(app) -> list[str]:
    return re.findall(r"line \d+", html(app))


def test_a_growing_log_keeps_its_beginning_under_the_readers_eyes(as_ada: Open, ada: Actor) -> None:
    held = start(ada)
    claims.record(held, [Entry(LogType.INFO, f"line {n}", now()) for n in range(3, 701)])  # entry n says line n
    app = as_ada("tasks/detail", id=str(held.task_id))
    assert shown(app) == [f"line {n}" for n in range(201, 701)]
    claims.record(held, [Entry(LogType.INFO, "line 701", now())])
    app.run()
    assert shown(app) == [f"line {n}" for n in range(201, 702)]
    press(app, "Show earlier entries")
    assert shown(app) == [f"line {n}" for n in range(3, 702)]
    claims.record(held, [Entry(LogType.INFO, f"line {n}", now()) for n in range(702, 4_001)])
    app.run()
    assert shown(app)[-1] == "line 4000"
    assert len(shown(app)) == 500


@pytest.mark.attack(9)
def test_a_page_left_open_after_the_sign_out_downloads_nothing(
    as_ada: Open, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Callable[[], object]] = []
    monkeypatch.setattr(st, "download_button", lambda *_, data, **__: given.append(data))
    held = start(ada)
    claims.finish(held, EndReason.COMPLETED)
    app = as_ada("tasks/detail", id=str(held.task_id))
    (log,) = given
    assert "Task accepted" in str(log())
    sessions.end(app.session_state["session_id"])
    with pytest.raises(NotSignedIn):
        log()
