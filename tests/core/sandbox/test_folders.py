import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.sandbox import folders
from tests.support.world import Patch


@pytest.fixture
def work(as_ordinary_user: Path) -> Path:
    """The folder to remove; beside it is another one, with a file."""
    for name in ("work", "outside"):
        (as_ordinary_user / name).mkdir()
    (as_ordinary_user / "outside" / "file").touch()
    return as_ordinary_user / "work"


def test_a_tree_changes_hands_and_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "link").symlink_to(outside)
    (folder / "deep" / "file").symlink_to(outside / "file")
    user = 60_001 if os.geteuid() == 0 else os.geteuid()
    folders.chown_tree(folder, user)
    assert len([path for path in (folder, *folder.rglob("*")) if path.lstat().st_uid == user]) == 5
    folders.chown_tree(folder / "deep" / "link", user)
    assert {path.stat().st_uid for path in (outside, outside / "file")} == {os.geteuid()}
    folders.chown_tree(tmp_path / "absent", None)


def test_a_folder_is_removed_however_deep_it_is_and_whatever_its_rights(work: Path, dig: Callable[..., None]) -> None:
    outside = work.parent / "outside"
    (work / "link").symlink_to(outside)
    (work / "locked" / "inner").mkdir(parents=True)
    (work / "locked" / "inner" / "file").touch()
    (work / "read only" / "inner").mkdir(parents=True)
    dig(work, 1_100, "file")  # more than Python can call itself
    for locked in ("locked/inner/file", "locked/inner", "locked"):
        (work / locked).chmod(0)
    for locked in ("read only/inner", "read only", ""):
        (work / locked).chmod(0o500)
    folders.remove(work)
    assert list(work.parent.iterdir()) == [outside]
    assert (outside / "file").exists()
    folders.remove(work)  # harmless
    work.symlink_to(outside)
    folders.remove(work)
    assert list(work.parent.iterdir()) == [outside]
    assert (outside / "file").exists()


@pytest.mark.parametrize("moment", [1, 2], ids=["before it is opened", "before it is given back to its owner"])
def test_a_folder_swapped_for_a_link_at_its_removal_leads_nowhere(moment: int, work: Path, monkeypatch: Patch) -> None:
    outside = work.parent / "outside"
    outside.chmod(0o755)
    (work / "inner").mkdir(mode=0)
    real, opened = os.open, []

    def swap(name: str, flags: int, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None:
            opened.append(name)
            if len(opened) == moment:
                (work / name).rename(work / "moved")
                (work / name).symlink_to(outside)
        return real(name, flags, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", swap)
        folders.remove(work)
    assert len(opened) >= moment and (outside / "file").exists()
    assert outside.stat().st_mode & 0o777 == 0o755
    folders.remove(work)
    assert not work.exists()
