import os
from pathlib import Path

import pytest

from core.sandbox import isolation


def test_giving_a_folder_follows_no_link(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "link").symlink_to(outside)
    (folder / "deep" / "file").symlink_to(outside / "file")
    user = os.geteuid() + 60_001 if os.geteuid() == 0 else os.geteuid()
    isolation.chown_folder(folder, user)
    given = [path for path in (folder, *folder.rglob("*")) if path.lstat().st_uid == user]
    assert len(given) == 5
    assert {path.stat().st_uid for path in (outside, outside / "file")} == {os.geteuid()}
    isolation.chown_folder(folder / "deep" / "link", user)
    assert outside.stat().st_uid == os.geteuid()
    isolation.chown_folder(tmp_path / "absent", None)


def test_a_folder_is_removed_however_deep_it_is_and_whatever_its_rights(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (folder / "link").symlink_to(outside)
    (folder / "locked" / "inner").mkdir(parents=True)
    (folder / "locked" / "inner" / "file").touch()
    for locked in ("locked/inner/file", "locked/inner", "locked"):
        (folder / locked).chmod(0)
    deep = os.open(folder, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(os.open("file", os.O_CREAT, dir_fd=deep))
    os.close(deep)
    isolation.remove(folder)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "data") == ["outside"]
    assert (outside / "file").exists()
    isolation.remove(folder)  # harmless


def test_a_link_that_is_to_be_removed_leaves_its_target(folder: Path, tmp_path: Path) -> None:
    (folder / "file").touch()
    link = tmp_path / "link"
    link.symlink_to(folder)
    isolation.remove(link)
    assert (link.is_symlink(), (folder / "file").exists()) == (False, True)


@pytest.mark.parametrize("closed", [0o000, 0o500])
def test_a_folder_that_is_swapped_for_a_link_while_it_is_removed_leads_nowhere_else(
    closed: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    outside.chmod(0o755)
    (folder / "inner").mkdir()
    (folder / "inner").chmod(closed)
    listed = os.scandir

    def swap(place: int) -> object:
        found = listed(place)
        if (folder / "inner").is_dir() and not (folder / "inner").is_symlink():
            (folder / "inner").rename(tmp_path / "moved")
            (folder / "inner").symlink_to(outside)
        return found

    monkeypatch.setattr(os, "scandir", swap)
    isolation.remove(folder)
    monkeypatch.undo()
    assert (outside / "file").exists()
    assert outside.stat().st_mode & 0o777 == 0o755
