from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError
from streamlit.testing.v1 import AppTest

from core.database.engine import now
from core.database.models import EndReason, Task, TaskStatus
from pages.parts import shared


def task(**values: object) -> Task:
    return Task(**{"status": TaskStatus.PENDING, "progress": 0, "created_at": now(), "extension": 0.0} | values)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (59, "just now"), (61, "1 minute ago"), (7_300, "2 hours ago"), (90_000, "1 day ago")],
)
def test_ages_in_words(seconds: float, words: str) -> None:
    assert shared.ago(now() - timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("prompt", "title"),
    [("short", "short"), ("two\nlines", "two…"), ("x" * 91, "x" * 90 + "…"), ("x" * 90, "x" * 90)],
)
def test_a_title_is_the_first_line_and_says_when_there_is_more(prompt: str, title: str) -> None:
    assert shared.first_line(prompt) == title


@pytest.mark.parametrize(
    ("address", "name"),
    [("https://h/team/data.git", "team/data"), ("https://h/group/team/data/", "team/data"), ("/srv/data", "srv/data")],
)
def test_a_repository_is_shown_by_owner_and_name(address: str, name: str) -> None:
    assert shared.repository_name(address) == name


def test_the_countdown_runs_only_while_the_task_does() -> None:
    started = now() - timedelta(seconds=75)
    running = task(status=TaskStatus.PROCESSING, started_at=started)
    assert shared.left(running) == "3:45"
    assert not shared.is_late(running)
    assert shared.is_late(task(status=TaskStatus.PROCESSING, started_at=now() - timedelta(seconds=241)))
    assert shared.left(task(status=TaskStatus.PROCESSING, started_at=now() - timedelta(seconds=400))) == "0:00"
    assert shared.left(task()) == shared.left(task(status=TaskStatus.COMPLETED, started_at=started)) == ""


@pytest.mark.parametrize(
    ("reason", "name"),
    [(EndReason.FAILED, "Failed"), (EndReason.TIMED_OUT, "Timed out"), (EndReason.INTERRUPTED, "Interrupted")],
)
def test_a_failed_task_says_which_kind_of_failure(reason: EndReason, name: str) -> None:
    assert f">{name}<" in shared.status_pill(task(status=TaskStatus.ERROR, end_reason=reason))


def fail() -> None:
    import streamlit as st

    from pages.parts.shared import show_failure

    assert show_failure(st.session_state["failure"])


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (RuntimeError("secret detail"), "Something went wrong inside Taskdeck"),
        (OperationalError("SELECT secret", {}, Exception("locked")), "The database is busy or away"),
    ],
)
def test_a_failing_page_says_one_sentence_and_no_detail(
    failure: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = AppTest.from_function(fail)
    app.session_state["failure"] = failure
    app.run()
    (shown,) = app.error
    assert sentence in shown.value
    assert "secret" not in shown.value
    assert "pages.parts.shared" in {record.name for record in caplog.records}
