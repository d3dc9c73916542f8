"""What an owner does to a task on its page: stop it, give it more time, run it again."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from core import config
from core.agents import catalog
from core.database.engine import now
from core.database.models import EndReason, Task, TaskStatus
from core.database.ownership import Actor
from core.runner import claims
from core.tasks import commands, logs
from pages.parts import shared
from tests.pages.conftest import Open
from tests.pages.tasks.test_task_detail import start
from tests.pages.widgets import html, press
from tests.support.databases import unguarded


def labels(app) -> list[str]:
    return [button.label for button in app.button]


@pytest.fixture
def extendable(tmp_path: Path) -> None:
    (tmp_path / "agents.toml").write_text("[agents.data-processor]\nextension = 300\n")
    catalog.catalog.cache_clear()


def test_a_running_task_is_asked_to_stop_once(open_app: Open, ada: Actor) -> None:
    held = start(ada)
    app = press(open_app(ada, "tasks/detail", id=str(held.task_id)), "Stop")
    assert not app.exception
    assert claims.read_control(held).cancel_requested_at
    assert "Stopping" in html(app)
    assert "Stop" not in labels(app)
    assert "Stop requested by Ada." in html(app)


def test_a_waiting_task_is_stopped_at_once(open_app: Open, ada: Actor) -> None:
    task = commands.create(ada, prompt="Later", agent="data-processor")
    app = press(open_app(ada, "tasks/detail", id=str(task.id)), "Stop")
    assert [element.value for element in app.info] == [commands.NEVER_BEGAN.replace(".", "\\.")]
    assert "Cancelled" in html(app)


def test_a_stop_that_comes_too_late_is_explained(open_app: Open, ada: Actor) -> None:
    held = start(ada)
    app = open_app(ada, "tasks/detail", id=str(held.task_id))
    claims.finish(held, EndReason.COMPLETED)
    app = press(app, "Stop")
    assert not app.exception
    assert "Completed" in html(app)


def test_more_time_is_offered_where_it_is_allowed_and_once(open_app: Open, ada: Actor, extendable: None) -> None:
    held = start(ada)
    app = open_app(ada, "tasks/detail", id=str(held.task_id))
    assert "Left of 5 min" in html(app)
    press(app, "5 min more")
    assert "Left of 10 min" in html(app)
    assert "5 min more" not in labels(app)
    assert "Ada gave it 5 min more" in logs.after(ada, held.task_id)[-1].message


def test_more_time_is_not_offered_by_default(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "tasks/detail", id=str(start(ada).task_id))
    assert [label for label in labels(app) if "more" in label] == []


@pytest.mark.parametrize(("ran", "late"), [(225, False), (241, True)])
def test_the_countdown_turns_amber_at_the_warning(open_app: Open, ada: Actor, ran: int, late: bool) -> None:
    held = start(ada)
    with unguarded() as session:
        session.execute(update(Task).values(started_at=now() - timedelta(seconds=ran)))
    assert ('class="td-late"' in html(open_app(ada, "tasks/detail", id=str(held.task_id)))) is late


def test_a_re_run_links_the_first_one_and_says_what_is_different_also_when_that_is_gone(
    open_app: Open, ada: Actor
) -> None:
    first = commands.create(
        ada, prompt="Profile the data", repo_url="https://git.example.org/x", agent="data-processor"
    )
    second = commands.rerun(ada, first.id, agent="code-review")
    difference = shared.plain(f"Runs task {first.id} again: agent data-processor -> code-review.")
    app = open_app(ada, "tasks/detail", id=str(second.id))
    assert [link.proto.label for link in app.get("page_link")][1:] == [f"Task {first.id}"]
    assert difference in [caption.value for caption in app.caption]
    commands.delete_one(ada, first.id)
    app = open_app(ada, "tasks/detail", id=str(second.id))
    assert f"{difference} That task was deleted since." in [caption.value for caption in app.caption]


def test_a_stop_while_the_database_is_busy_is_a_notice(
    open_app: Open, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = start(ada)

    def busy(*_: object) -> None:
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    monkeypatch.setattr(commands, "cancel", busy)
    app = press(
        open_app(ada, "tasks/detail", id=str(held.task_id)), "Stop"
    )  # AppTest keeps no toast of a fragment's callback; without the notice this were an error
    assert not app.exception
    assert "Stop" in labels(app)


def test_a_completed_task_says_that_its_stop_came_too_late(open_app: Open, ada: Actor) -> None:
    held = start(ada)
    commands.cancel(ada, held.task_id)
    claims.finish(held, EndReason.COMPLETED)
    app = open_app(ada, "tasks/detail", id=str(held.task_id))
    assert commands.find(ada, held.task_id).status is TaskStatus.COMPLETED
    assert "already done" in app.info[0].value


def test_retention_is_announced_where_it_matters(open_app: Open, ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    held = start(ada)
    claims.finish(held, EndReason.COMPLETED)
    assert not any("deleted" in caption.value for caption in open_app(ada).caption)
    monkeypatch.setenv("TASKDECK_RETENTION", "30")
    config.settings.cache_clear()
    assert any("deleted 30 days after their end" in caption.value for caption in open_app(ada).caption)
    page = open_app(ada, "tasks/detail", id=str(held.task_id))
    assert any("It is deleted after 20" in caption.value for caption in page.caption)
