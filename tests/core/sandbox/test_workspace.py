import os
import stat
from pathlib import Path

import pytest

from core.sandbox import isolation
from core.sandbox.command import ResourceLimits, Sandbox
from core.sandbox.workspace import Workspace


def test_the_folder_is_private_empty_at_the_start_and_gone_at_the_end(tmp_path: Path) -> None:
    root = tmp_path / "work" / "7"
    root.mkdir(parents=True)
    (root / "left over").write_text("from before")
    with Workspace(root, 7) as workspace:
        workspace.make()
        folders = [workspace.gateway, workspace.git, workspace.home, workspace.output]
        assert sorted(root.iterdir()) == folders
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in (root, *folders)} == {0o700}
        workspace.make_repository()
        (workspace.output / "deep" / "er").mkdir(parents=True)
    assert not root.exists()


def test_the_folder_is_gone_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Workspace(tmp_path / "7", 7) as workspace:
        workspace.make()
        raise ZeroDivisionError
    assert not (tmp_path / "7").exists()


def test_what_is_in_it_belongs_to_the_tasks_user_and_the_folder_itself_to_the_server(tmp_path: Path) -> None:
    with Workspace(tmp_path / "7", 7) as workspace:
        workspace.make()
        workspace.make_repository()
        owner = os.geteuid() if workspace.user is None else workspace.user
        assert workspace.user == isolation.user_for(7)
        assert {path.stat().st_uid for path in workspace.root.iterdir()} == {owner}
        assert workspace.root.stat().st_uid == os.geteuid()


def test_folders_that_their_own_user_closed_are_gone_at_the_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "7" / "output" / "a" / "b"
    real = os.rmdir

    def rmdir(path: str, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None and not os.fstat(dir_fd).st_mode & stat.S_IWUSR:  # what root does not feel
            raise PermissionError(path)
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", rmdir)
    with Workspace(tmp_path / "7", 7) as workspace:
        workspace.make()
        closed.mkdir(parents=True)
        (closed / "link").symlink_to(tmp_path)
        closed.parent.chmod(0o500)
    assert not (tmp_path / "7").exists()
    assert tmp_path.exists()


def test_an_agent_may_write_to_its_output_and_home_and_to_a_repository_only_to_change_it(tmp_path: Path) -> None:
    with Workspace(tmp_path / "7", 7) as workspace:
        workspace.make()
        limits = ResourceLimits(memory=1)
        alone = Sandbox((workspace.output, workspace.home), (), "none", limits, workspace.user)
        assert workspace.sandbox(limits, changes_files=True) == workspace.sandbox(limits, changes_files=False) == alone
        workspace.make_repository()
        changing = workspace.sandbox(limits, changes_files=True)
        assert (changing.writable, changing.readable) == (
            (workspace.output, workspace.home, workspace.repository),
            (),
        )
        reading = workspace.sandbox(limits, changes_files=False)
        assert (reading.writable, reading.readable) == (alone.writable, (workspace.repository,))
