import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.database.models import EndReason
from core.database.ownership import Actor
from core.errors import NotFound
from core.runner import claims
from core.sandbox.output import StoredArtifact
from core.tasks import artifacts, commands

Finish = Callable[..., int]


@pytest.fixture
def finish(ada: Actor, data: Path) -> Finish:
    """A completed task of Ada's with these files; its id."""

    def made(**files: bytes) -> int:
        task = commands.create(ada, prompt="x")
        claim = claims.claim("runner", 30)
        assert claim
        for name, content in files.items():
            path = data / "artifacts" / str(task.id) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        kept = [StoredArtifact(name, len(content), "0" * 64, "text/plain") for name, content in files.items()]
        claims.finish(claim, EndReason.COMPLETED, artifacts=kept)
        return task.id

    return made


def unpacked(actor: Actor, task_id: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(artifacts.archive(actor, task_id))))


def test_an_archive_holds_every_file_under_its_path_for_anybody_to_read(ada: Actor, finish: Finish) -> None:
    files = {"report.md": b"# Hi", "charts/a.svg": b"<svg/>", "a/b/報告 é.csv": b"", "big": os.urandom(3_000_000)}
    with unpacked(ada, finish(**files)) as packed:
        assert packed.testzip() is None
        assert {entry.filename: packed.read(entry) for entry in packed.infolist()} == files
        assert {entry.external_attr >> 16 & 0o777 for entry in packed.infolist()} == {0o644}
        assert min(entry.date_time[0] for entry in packed.infolist()) >= 2024


def test_an_archive_is_made_in_small_pieces_whatever_it_holds(ada: Actor, finish: Finish, data: Path) -> None:
    task_id = finish(a=b"", b=b"")
    for name in "ab":
        os.truncate(data / "artifacts" / str(task_id) / name, 100 * 2**20)
    before = psutil.Process().memory_info().rss
    sizes = [len(piece) for piece in artifacts.archive(ada, task_id)]
    assert max(sizes) <= 2**19
    assert psutil.Process().memory_info().rss - before < 30 * 2**20


def test_nothing_is_packed_of_an_absent_task_or_one_without_files(ada: Actor, bob: Actor, finish: Finish) -> None:
    theirs = finish(a=b"x")
    for actor, task_id in ((bob, theirs), (ada, 0), (ada, 987654)):
        with pytest.raises(NotFound, match="no such task"):
            artifacts.archive(actor, task_id)
    with pytest.raises(NotFound, match="no files"):
        artifacts.archive(ada, finish())


def test_a_missing_file_is_named_before_anything_is_packed(ada: Actor, finish: Finish, data: Path) -> None:
    task_id = finish(a=b"x", b=b"x")
    (data / "artifacts" / str(task_id) / "b").unlink()
    with pytest.raises(NotFound, match="b is not in the data folder any more"):
        artifacts.archive(ada, task_id)


@pytest.mark.attack(84)
@pytest.mark.parametrize("name", ["../../secret", "link", "folder/secret"])
def test_nothing_outside_of_the_tasks_folder_is_packed_or_found(
    ada: Actor, finish: Finish, data: Path, name: str
) -> None:
    (data / "secret").write_text("the signing secret")
    task_id = finish(**{name: b"x"}) if name == "../../secret" else finish(**{"a": b"x", name: b"x"})
    folder = data / "artifacts" / str(task_id)
    if name == "link":
        (folder / "link").unlink()
        (folder / "link").symlink_to(data / "secret")
    if name == "folder/secret":
        (folder / "folder" / "secret").unlink()
        (folder / "folder").rmdir()
        (folder / "folder").symlink_to(data)
    with pytest.raises(NotFound):
        artifacts.archive(ada, task_id)
    with pytest.raises(NotFound):
        artifacts.find(ada, task_id, name)
