from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.agents.registry import agents
from core.database.models import EndReason, Task, TaskLog, TaskStatus
from core.database.ownership import Actor, acting_as
from core.errors import InvalidInput, NotFound
from core.tasks import commands, listing
from tests.core.living import claimed, ended, files_of, row_counts, with_files
from tests.support.databases import unguarded
from tests.support.world import World

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an empty prompt": ({"prompt": ""}, "empty"),
    "nothing that can be seen": ({"prompt": " \t\r\n\u2003\u200b\u202e\x1b "}, "empty"),
    "letters and marks that show nothing": ({"prompt": "\u3164\u2800 \ufe0f\u034f\u0301"}, "empty"),
    "20,001 characters": ({"prompt": "é" * 20_001}, "20,001 characters, at most 20,000"),
    "NUL": ({"prompt": "a\0b"}, "cannot be stored"),
    "half a character": ({"prompt": "a\udc80b"}, "cannot be stored"),
    "an unknown agent": ({"agent": "claud"}, f"choose one of {', '.join(agents())}."),
    "an agent in capitals": ({"agent": "Claude"}, "choose one of"),
    "a model not in the list": ({"model": "gpt"}, "claude has no such model; choose one of sonnet, opus, haiku."),
    "a review of nothing": ({"agent": "code-review"}, "code-review works on a repository: give its address."),
    "no recipe": ({"agent": "shell"}, "Begin the prompt with the name of"),
    "a model where there is none": ({"agent": "data-processor", "model": "gpt"}, "no models to choose from"),
    "an address": ({"repo_url": "http://h/x"}, "https"),
    "an address with a password": ({"repo_url": "https://u:p@h/x"}, "user name and password"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_input_is_explained_and_writes_nothing(what: str, ada: Actor) -> None:
    given, sentence = REFUSED[what]
    with pytest.raises(InvalidInput) as caught:
        commands.create(ada, **{"prompt": "hello"} | given)
    assert sentence in caught.value.message
    assert row_counts() == (0, 0)


def test_a_created_task_is_pending_with_one_entry_and_the_defaults(ada: Actor) -> None:
    task = commands.create(ada, prompt="  Look at the data.\n", repo_url="  https://git.example.org/x ")
    assert (task.prompt, task.repo_url) == ("Look at the data.", "https://git.example.org/x")
    assert (task.status, task.progress, task.attempt, task.log_count) == (TaskStatus.PENDING, 0, 0, 1)
    assert (task.selected_agent, task.selected_model, task.user_id) == ("claude", "sonnet", ada.id)
    assert task.created_at == task.updated_at
    with acting_as(ada, reading=True) as session:
        entry = session.scalars(select(TaskLog)).one()
    assert (entry.seq, entry.timestamp) == (1, task.created_at)
    assert entry.message == "Task accepted for claude; it waits for a free runner."


@pytest.fixture
def open_list(world: World) -> None:
    """An agents.toml that lets people choose other models of claude."""
    world.catalog("[agents.claude]\nallow_other_models = true\n")


@pytest.mark.parametrize("model", ["sonnet", "claude-3-opus-20240229", "a", "x" * 100, "vendor/model:free", "4.5_b"])
def test_where_the_list_of_models_is_open_any_name_is_kept_as_it_is(model: str, ada: Actor, open_list: None) -> None:
    assert commands.create(ada, prompt="x", model=model).selected_model == model
    assert commands.create(ada, prompt="x").selected_model == "sonnet"


@pytest.mark.attack(65)
@pytest.mark.parametrize(
    "model", ["x; touch /tmp/p", "--help", "-m", "$(id)", "a b", "a\n", "../x", "é", "x" * 101, "a\0", ":x", "/etc"]
)
def test_a_model_that_is_a_command_or_an_option_is_refused_anyway(model: str, ada: Actor, open_list: None) -> None:
    with pytest.raises(InvalidInput, match="That is no name of a model") as caught:
        commands.create(ada, prompt="x", model=model)
    assert "touch" not in caught.value.message
    assert row_counts() == (0, 0)


@pytest.mark.parametrize("prompt", ["x" * 20_000, "𝔘" * 20_000, "zwei\nZeilen", "\u202eאב", "'; DROP TABLE tasks; --"])
def test_a_prompt_is_kept_to_the_last_character(prompt: str, ada: Actor) -> None:
    assert commands.find(ada, commands.create(ada, prompt=prompt).id).prompt == prompt


@pytest.mark.parametrize("act", [commands.find, commands.delete_one, commands.cancel, commands.rerun, commands.extend])
def test_anothers_id_is_like_an_absent_one(act: Callable[[Actor, int], object], ada: Actor, bob: Actor) -> None:
    running, waiting = claimed(ada).task_id, commands.create(ada, prompt="x").id
    deleted = commands.create(bob, prompt="x").id
    commands.delete_one(bob, deleted)

    def stored() -> list[object]:
        with unguarded() as session:
            return [tuple(row) for row in session.execute(select(Task.__table__))]

    before = stored()
    for task_id in (running, waiting, deleted, 0, -1, 2**63, 10**30):
        with pytest.raises(NotFound, match=r"^There is no such task\.$"):
            act(bob, task_id)
    assert (stored(), row_counts()) == (before, (2, 3))


def test_a_deleted_task_takes_its_log_and_files_along_and_its_id_is_never_used_again(data: Path, ada: Actor) -> None:
    stays, goes = (commands.create(ada, prompt="x").id for _ in range(2))
    with_files(data, stays, goes)
    commands.delete_one(ada, goes)
    assert (row_counts(), files_of(data)) == ((1, 1), {stays})
    assert commands.create(ada, prompt="x").id > goes


@pytest.mark.parametrize(("words", "deleted"), [
    (["completed"], {0, 1}), (["failed"], {2}), (["completed", "failed"], {0, 1, 2}), (["failed", "failed"], {2}),
])  # fmt: skip
def test_ended_tasks_are_deleted_by_their_word_and_counted(
    words: list[str], deleted: set[int], data: Path, ada: Actor, bob: Actor
) -> None:
    made = [ended(ada, reason).id for reason in (EndReason.COMPLETED, EndReason.COMPLETED, EndReason.TIMED_OUT)]
    theirs = [ended(bob, reason).id for reason in (EndReason.COMPLETED, EndReason.FAILED)]
    with_files(data, *made)
    waits = commands.create(ada, prompt="waits").id
    assert commands.delete_ended(ada, words) == len(deleted)
    left = {task_id for number, task_id in enumerate(made) if number not in deleted}
    assert ({task.id for task in listing.page(ada).tasks}, files_of(data)) == (left | {waits}, left)
    assert ({task.id for task in listing.page(bob).tasks}, commands.delete_ended(ada, words)) == (set(theirs), 0)


@pytest.mark.parametrize("words", [[], [""], ["pending"], ["error"], ["completed", "all"], ["Completed"]])
def test_a_bulk_delete_of_anything_else_is_refused_and_deletes_nothing(words: list[str], ada: Actor) -> None:
    ended(ada, EndReason.COMPLETED)
    with pytest.raises(InvalidInput, match="action must be"):
        commands.delete_ended(ada, words)
    assert row_counts()[0] == 1
