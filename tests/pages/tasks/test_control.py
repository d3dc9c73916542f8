"""What an owner does to a task on its page: stop it, give it more time, run it again."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from streamlit.testing.v1 import AppTest

from core.agents import catalog
from core.database.engine import now
from core.database.models import EndReason, Task, TaskStatus
from core.database.ownership import Actor
from core.runner import claims
from core.tasks import commands, logs
from pages.parts.text import plain
from tests.pages.conftest import Open
from tests.pages.tasks.test_task_detail import start
from tests.pages.widgets import buttons, captions, html, links, press
from tests.support.databases import unguarded
from tests.support.world import World

Detail = Callable[[int], AppTest]


@pytest.fixture
def detail(as_ada: Open) -> Detail:
    """Open a task's page."""
    return lambda task_id: as_ada("tasks/detail", id=str(task_id))


@pytest.fixture
def extendable(tmp_path: Path) -> None:
    (tmp_path / "agents.toml").write_text("[agents.data-processor]\nextension = 300\n")
    catalog.catalog.cache_clear()


def test_a_running_task_is_asked_to_stop_once_and_a_waiting_one_is_stopped_at_once(detail: Detail, ada: Actor) -> None:
    held = start(ada)
    app = press(detail(held.task_id), "Stop")
    assert not app.exception
    assert claims.read_control(held).cancel_requested_at
    assert "Stopping" in html(app) and "Stop requested by Ada." in html(app)
    assert not {"Stop", "5 min more"} & set(buttons(app)), "more time is offered only where it is allowed"
    app = press(detail(commands.create(ada, prompt="Later", agent="data-processor").id), "Stop")
    assert [element.value for element in app.info] == [commands.NEVER_BEGAN.replace(".", "\\.")]
    assert "Cancelled" in html(app)


def test_a_stop_that_comes_too_late_is_explained(detail: Detail, ada: Actor) -> None:
    held, late = start(ada), start(ada)
    app = detail(held.task_id)
    commands.cancel(ada, late.task_id)
    for each in (held, late):
        claims.finish(each, EndReason.COMPLETED)
    assert not press(app, "Stop").exception
    assert "Completed" in html(app) and not app.info
    assert "after the work had finished" in detail(late.task_id).info[0].value
    assert commands.find(ada, late.task_id).status is TaskStatus.COMPLETED


def test_more_time_is_offered_where_it_is_allowed_and_once_and_the_countdown_turns_amber_at_the_warning(
    detail: Detail, ada: Actor, extendable: None
) -> None:
    held = start(ada)
    app = detail(held.task_id)
    assert "Left of 5 min" in html(app)
    press(app, "5 min more")
    assert "Left of 10 min" in html(app)
    assert "5 min more" not in buttons(app)
    assert "Ada gave it 5 min more" in logs.after(ada, held.task_id)[-1].message
    for ran, late in ((525, False), (541, True)):
        with unguarded() as session:
            session.execute(update(Task).values(started_at=now() - timedelta(seconds=ran)))
        assert ('class="td-late"' in html(detail(held.task_id))) is late


def test_a_re_run_links_the_first_one_and_says_what_is_different_also_when_that_is_gone(
    detail: Detail, ada: Actor
) -> None:
    first = commands.create(ada, prompt="Profile", repo_url="https://git.example.org/x", agent="data-processor")
    second = commands.rerun(ada, first.id, agent="code-review")
    difference = plain(f"Runs task {first.id} again: agent data-processor -> code-review.")
    app = detail(second.id)
    assert links(app)[1:] == [f"Task {first.id}"]
    assert difference in captions(app)
    commands.delete_one(ada, first.id)
    app = detail(second.id)
    assert f"{difference} That task was deleted since." in captions(app)


def test_a_stop_while_the_database_is_busy_is_a_notice(
    detail: Detail, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = start(ada)
    busy = OperationalError("BEGIN", {}, Exception("database is locked"))
    monkeypatch.setattr(commands, "cancel", mock.Mock(side_effect=busy))
    app = press(detail(held.task_id), "Stop")  # AppTest keeps no toast of a fragment's callback
    assert not app.exception and "Stop" in buttons(app)


def test_retention_is_announced_where_it_matters(detail: Detail, as_ada: Open, ada: Actor, world: World) -> None:
    held = start(ada)
    claims.finish(held, EndReason.COMPLETED)
    assert not any("deleted" in caption for caption in captions(as_ada()))
    world.settle(TASKDECK_RETENTION="30")
    assert any("deleted 30 days after their end" in caption for caption in captions(as_ada()))
    assert any("It is deleted after 20" in caption for caption in captions(detail(held.task_id)))
