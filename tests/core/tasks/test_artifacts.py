"""The files that a task made: one by one, and as an archive; only what a row names, and nothing from elsewhere."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.config import settings
from core.database.models import EndReason
from core.database.ownership import Actor
from core.errors import NotFound
from core.runner import claims
from core.sandbox.output import StoredArtifact
from core.tasks import artifacts, commands
from core.tasks.stores import artifact_store
from tests.core.living import claimed

Finish = Callable[..., int]


@pytest.fixture
def finish(ada: Actor, data: Path, tmp_path: Path) -> Finish:
    """A completed task of Ada's with these files; its number."""

    def make(**files: bytes) -> int:
        claim, source = claimed(ada), tmp_path / "output"
        for name, content in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
        kept = list(artifact_store(settings()).put(claim.task_id, files, source))
        claims.finish(claim, EndReason.COMPLETED, artifacts=kept)
        return claim.task_id

    return make


@pytest.fixture
def task_id(finish: Finish) -> int:
    return finish(**{"b.json": b"{}", "a.md": b"# Hi"})


def folder_of(data: Path, task_id: int) -> Path:
    return data / "artifacts" / str(task_id)


def test_a_tasks_files_are_listed_by_name_and_each_is_found_where_it_lies(ada: Actor, task_id: int) -> None:
    assert [(artifact.name, artifact.size) for artifact in artifacts.of(ada, task_id)] == [("a.md", 4), ("b.json", 2)]
    assert commands.find(ada, task_id).sandbox_url == f"/api/tasks/{task_id}/artifacts/"
    artifact, path = artifacts.find(ada, task_id, "a.md")
    assert (artifact.media_type, path.read_text()) == ("text/markdown", "# Hi")


@pytest.mark.parametrize("name", ["", ".", "..", "c.md", "A.MD", "../../taskdeck.db", "/etc/passwd", "a.md/", "a.md\0"])
def test_only_a_name_that_a_row_holds_leads_to_a_file(name: str, ada: Actor, task_id: int) -> None:
    with pytest.raises(NotFound, match="no such file"):
        artifacts.find(ada, task_id, name)


def test_a_file_without_a_row_and_a_row_without_a_file_are_not_found(data: Path, ada: Actor, task_id: int) -> None:
    (folder_of(data, task_id) / "c.md").write_text("x")
    (folder_of(data, task_id) / "a.md").unlink()
    for name in ("a.md", "c.md"):
        with pytest.raises(NotFound):
            artifacts.find(ada, task_id, name)
    with pytest.raises(NotFound, match=r"a\.md is not in the data folder any more"):
        artifacts.archive(ada, task_id)


@pytest.mark.parametrize("other", ["theirs", 0, -1, 2**63])
def test_anothers_files_are_like_absent_ones(other: int | str, bob: Actor, task_id: int) -> None:
    asked = task_id if other == "theirs" else int(other)
    for ask in (artifacts.of, artifacts.archive, lambda actor, asked: artifacts.find(actor, asked, "a.md")):
        with pytest.raises(NotFound, match="no such task"):
            ask(bob, asked)


def test_a_task_without_files_has_none_no_address_and_no_archive(ada: Actor, finish: Finish, data: Path) -> None:
    task_id = finish()
    assert (artifacts.of(ada, task_id), commands.find(ada, task_id).sandbox_url) == ([], None)
    assert not folder_of(data, task_id).exists()
    with pytest.raises(NotFound, match="no files"):
        artifacts.archive(ada, task_id)


def test_an_archive_holds_every_file_under_its_path_for_anybody_to_read(ada: Actor, finish: Finish) -> None:
    files = {"report.md": b"# Hi", "charts/a.svg": b"<svg/>", "a/b/報告 é.csv": b"", "big": os.urandom(3_000_000)}
    task_id = finish(**files)
    first, second = (b"".join(artifacts.archive(ada, task_id)) for _ in range(2))
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as packed:
        assert packed.testzip() is None
        assert {entry.filename: packed.read(entry) for entry in packed.infolist()} == files
        assert {entry.external_attr >> 16 & 0o777 for entry in packed.infolist()} == {0o644}
        assert min(entry.date_time[0] for entry in packed.infolist()) >= 2024


def test_an_archive_is_made_in_small_pieces_whatever_it_holds(ada: Actor, finish: Finish, data: Path) -> None:
    task_id = finish(a=b"", b=b"")
    for name in "ab":
        os.truncate(folder_of(data, task_id) / name, 50 * 2**20)
    before = psutil.Process().memory_info().rss
    sizes = [len(piece) for piece in artifacts.archive(ada, task_id)]
    assert min(sizes) > 0 and max(sizes) <= 2**19 and psutil.Process().memory_info().rss - before < 30 * 2**20


@pytest.mark.attack(84)
@pytest.mark.parametrize("name", ["../../secret", "link", "folder/secret"])
def test_nothing_outside_of_the_tasks_folder_is_packed_or_found(name: str, ada: Actor, data: Path) -> None:
    (data / "secret").write_text("the signing secret")
    claim = claimed(ada)  # with a row that the collector would never make
    claims.finish(claim, EndReason.COMPLETED, artifacts=[StoredArtifact(name, 1, "0" * 64, "text/plain")])
    folder_of(data, claim.task_id).mkdir(parents=True)
    if target := {"link": data / "secret", "folder/secret": data}.get(name):
        (folder_of(data, claim.task_id) / name.partition("/")[0]).symlink_to(target)
    with pytest.raises(NotFound):
        artifacts.archive(ada, claim.task_id)
    with pytest.raises(NotFound):
        artifacts.find(ada, claim.task_id, name)
