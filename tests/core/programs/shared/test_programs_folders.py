"""The walk through folders that a repository may have made to be hard to walk through."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.programs.shared.folders import walk


def refuse(error: OSError) -> None:
    raise AssertionError(error)


def test_all_is_found_but_what_is_behind_a_link_and_what_was_taken_out(tmp_path: Path) -> None:
    for name in ("root/a/b", "root/out", "outside/c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "root" / "a" / "file").touch()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    found = {}
    for folder, folders, names in walk(tmp_path / "root", refuse):
        found[os.path.relpath(folder, tmp_path)] = (sorted(folders), names)
        folders[:] = [name for name in folders if name != "out"]
    assert found == {"root": (["a", "link", "loop", "out"], []), "root/a": (["b"], ["file"]), "root/a/b": ([], [])}


@pytest.mark.attack(84)
def test_folders_deeper_than_python_recurses_or_a_path_can_name(tmp_path: Path, dig: Callable[..., None]) -> None:
    deep, deeper = tmp_path / "one", tmp_path / "two"
    deep.mkdir()
    deeper.mkdir()
    dig(deep, 1_100, "file")
    *_, last = walk(deep, refuse)
    assert (last[0].removeprefix(str(deep)), last[1:]) == ("/d" * 1_100, ([], ["file"]))
    dig(deeper, 30, name="d" * 200)
    told: list[OSError] = []
    reached = max(folder.removeprefix(str(deeper)).count("/") for folder, _, _ in walk(deeper, told.append))
    assert (15 < reached < 30, len(told)) == (True, 1)
