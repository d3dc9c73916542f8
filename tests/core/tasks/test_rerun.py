"""The same task once more, with or without changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.agents import catalog, registry
from core.agents.base import Assignment
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.errors import InvalidInput, NotFound
from core.sandbox.command import Command
from core.tasks import commands, logs, notifications
from tests.core.living import Life, Patch, claimed, ended, row_counts
from tests.support.scripts import Script


class Modelled(Script):
    """A script that says which model it was given."""

    def command(self, assignment: Assignment) -> Command:
        return replace(super().command(assignment), env={"MODEL": str(assignment.model)})


@pytest.fixture(autouse=True)
def modelled(monkeypatch: Patch) -> None:
    """Two agents with models."""
    code = "import os; print('the model is', os.environ['MODEL'])"
    for name, models in (("painter", ("oil", "water")), ("writer", ("prose", "verse"))):
        monkeypatch.setitem(registry.extra, name, Modelled(name, code, models=models))


FIRST = {"prompt": "Paint a tree", "repo_url": "https://git.example.org/x", "agent": "painter", "model": "water"}


def fields(actor: Actor, task_id: int) -> dict[str, str | None]:
    task = commands.find(actor, task_id)
    chosen = {"agent": task.selected_agent, "model": task.selected_model}
    return {"prompt": task.prompt, "repo_url": task.repo_url, **chosen}


X, Y = "https://git.example.org/x", "https://git.example.org/y"
PAINTER, WATER = ": agent painter ->", ", model water ->"

#: What is given, what else becomes different, and the words in the log.
CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "nothing": ({}, {}, ", unchanged"),
    "everything as it was": (FIRST, {}, ", unchanged"),
    "the prompt": ({"prompt": " Paint a house "}, {"prompt": "Paint a house"}, ": prompt changed"),
    "the repository": ({"repo_url": Y}, {}, f": repository {X} -> {Y}"),
    "no repository": ({"repo_url": None}, {}, f": repository {X} -> none"),
    "an empty repository": ({"repo_url": " "}, {"repo_url": None}, f": repository {X} -> none"),
    "the agent": ({"agent": "writer"}, {"model": "prose"}, f"{PAINTER} writer{WATER} prose"),
    "an agent without models": ({"agent": "data-processor"}, {"model": None}, f"{PAINTER} data-processor{WATER} none"),
    "agent and model": ({"agent": "writer", "model": "verse"}, {}, f"{PAINTER} writer{WATER} verse"),
    "the usual agent": ({"agent": None}, {"agent": "claude", "model": "sonnet"}, f"{PAINTER} claude{WATER} sonnet"),
    "the model": ({"model": "oil"}, {}, f":{WATER[1:]} oil"),
    "no model is the agent's own": ({"model": None}, {"model": "oil"}, f":{WATER[1:]} oil"),
    "much": (
        {"prompt": "Write", "repo_url": None, "agent": "writer"}, {"model": "prose"},
        f": prompt changed, repository {X} -> none,{PAINTER[1:]} writer{WATER} prose",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGED)
def test_a_rerun_changes_what_is_given_and_says_so(what: str, ada: Actor) -> None:
    changes, different, words = CHANGED[what]
    first = commands.create(ada, **FIRST)
    second = commands.rerun(ada, first.id, **changes)
    assert (fields(ada, second.id), fields(ada, first.id)) == (FIRST | changes | different, FIRST)
    said = [entry.message for entry in logs.after(ada, second.id)]
    assert said == [
        f"Runs task {first.id} again{words}.",
        f"Task accepted for {second.selected_agent}; it waits for a free runner.",
    ]


def test_a_rerun_is_a_new_task_that_waits_and_is_notified(ada: Actor) -> None:
    first = ended(ada, EndReason.TIMED_OUT)
    told: list[int] = []
    unsubscribe, second = notifications.task_waiting.subscribe(told.append), commands.rerun(ada, first.id)
    unsubscribe()
    assert second.id > first.id
    assert (second.status, second.progress, second.attempt, second.log_count) == (TaskStatus.PENDING, 0, 0, 2)
    assert (second.rerun_of, second.end_reason, second.error, second.started_at) == (first.id, None, None, None)
    assert (second.user_id, second.cancel_requested_at, second.extension, told) == (ada.id, None, 0, [second.id])
    assert commands.find(ada, first.id).end_reason is EndReason.TIMED_OUT


def test_a_task_may_be_run_again_however_it_stands_also_one_that_is_a_rerun_itself(ada: Actor) -> None:
    waiting = commands.create(ada, prompt="x").id
    running, *over = (
        claimed(ada).task_id,
        *(ended(ada, reason).id for reason in (EndReason.COMPLETED, EndReason.FAILED)),
    )
    for first in (waiting, running, *over):
        before, second = commands.find(ada, first).status, commands.rerun(ada, first, prompt="y")
        third = commands.rerun(ada, second.id)
        assert (second.rerun_of, third.rerun_of, third.prompt) == (first, second.id, "y")
        assert commands.find(ada, first).status is before


@pytest.mark.parametrize(("changes", "words"), [
    ({"prompt": " "}, "empty"), ({"model": "verse"}, "no such model"),
    ({"agent": "writer", "model": "oil"}, "writer has no such model; choose one of prose, verse"),
])  # fmt: skip
def test_a_change_that_cannot_be_used_is_refused_whole(changes: dict[str, Any], words: str, ada: Actor) -> None:
    first, before = commands.create(ada, **FIRST), row_counts()
    with pytest.raises(InvalidInput, match=words):
        commands.rerun(ada, first.id, **changes)
    assert row_counts() == before


def test_what_may_no_longer_be_used_is_refused_unless_it_is_changed(
    ada: Actor, local_root: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    first = commands.create(ada, prompt="x", repo_url=f"{local_root}/shop", agent="painter")
    (tmp_path / "agents.toml").unlink()
    catalog.catalog.cache_clear()
    with pytest.raises(InvalidInput, match="only where the administrator allowed it"):
        commands.rerun(ada, first.id)
    monkeypatch.delitem(registry.extra, "painter")
    with pytest.raises(InvalidInput, match="no such agent"):
        commands.rerun(ada, first.id, repo_url=None)
    assert commands.rerun(ada, first.id, repo_url=None, agent="codex").selected_agent == "codex"


def test_a_rerun_outlives_its_task_even_one_that_is_deleted_meanwhile(ada: Actor, monkeypatch: Patch) -> None:
    first, checked = commands.create(ada, **FIRST), commands._checked

    def deleted_meanwhile(*fields: str | None) -> object:
        commands.delete_one(ada, first.id)
        return checked(*fields)  # type: ignore[arg-type]

    monkeypatch.setattr(commands, "_checked", deleted_meanwhile)
    second = commands.rerun(ada, first.id)
    assert (second.rerun_of, fields(ada, second.id)) == (first.id, FIRST)
    monkeypatch.setattr(commands, "_checked", checked)
    assert commands.rerun(ada, second.id).rerun_of == second.id
    with pytest.raises(NotFound):
        commands.rerun(ada, first.id)


def test_the_agent_really_gets_the_model(run_task: Life) -> None:
    first = commands.create(run_task.actor, **(FIRST | {"repo_url": None}))
    run_task.run_task()
    second = commands.rerun(run_task.actor, first.id, agent="writer", model="verse")
    run_task.run_task()
    assert "the model is water" in run_task.log(first) and "the model is verse" in run_task.log(second)
