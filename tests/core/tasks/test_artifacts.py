from pathlib import Path

import pytest

from core.database.models import EndReason
from core.database.ownership import Actor
from core.errors import NotFound
from core.runner import claims
from core.sandbox.output import StoredArtifact
from core.tasks import artifacts, commands


@pytest.fixture
def task_id(ada: Actor, data: Path) -> int:
    """A completed task of Ada's with two files."""
    task = commands.create(ada, prompt="x")
    claim = claims.claim("runner", 30)
    assert claim
    folder = data / "artifacts" / str(task.id)
    folder.mkdir(parents=True)
    for name in ("b.json", "a.md"):
        (folder / name).write_text(name)
    kept = [StoredArtifact(name, len(name), "0" * 64, "text/plain") for name in ("b.json", "a.md")]
    claims.finish(claim, EndReason.COMPLETED, artifacts=kept)
    return task.id


def test_a_tasks_files_are_listed_by_name(ada: Actor, task_id: int) -> None:
    assert [(artifact.name, artifact.size) for artifact in artifacts.of(ada, task_id)] == [("a.md", 4), ("b.json", 6)]
    assert commands.find(ada, task_id).sandbox_url == f"/api/tasks/{task_id}/artifacts/"


def test_a_file_is_found_where_it_lies(ada: Actor, task_id: int) -> None:
    artifact, path = artifacts.find(ada, task_id, "a.md")
    assert (artifact.media_type, path.read_text()) == ("text/plain", "a.md")


@pytest.mark.parametrize("name", ["", ".", "..", "c.md", "A.MD", "../../taskdeck.db", "/etc/passwd", "a.md/", "a.md\0"])
def test_only_a_name_that_a_row_holds_leads_to_a_file(name: str, ada: Actor, task_id: int) -> None:
    with pytest.raises(NotFound, match="no such file"):
        artifacts.find(ada, task_id, name)


def test_a_file_without_a_row_and_a_row_without_a_file_are_not_found(data: Path, ada: Actor, task_id: int) -> None:
    (data / "artifacts" / str(task_id) / "c.md").write_text("x")
    (data / "artifacts" / str(task_id) / "a.md").unlink()
    for name in ("a.md", "c.md"):
        with pytest.raises(NotFound):
            artifacts.find(ada, task_id, name)


@pytest.mark.parametrize("other", ["theirs", 0, -1, 2**63])
def test_anothers_files_are_like_absent_ones(other: int | str, bob: Actor, task_id: int) -> None:
    asked = task_id if other == "theirs" else int(other)
    with pytest.raises(NotFound, match="no such task"):
        artifacts.of(bob, asked)
    with pytest.raises(NotFound, match="no such task"):
        artifacts.find(bob, asked, "a.md")


def test_a_task_without_files_has_none_and_no_address(ada: Actor) -> None:
    task = commands.create(ada, prompt="x")
    assert artifacts.of(ada, task.id) == []
    assert task.sandbox_url is None
