"""The walk: which files count as data, and what is refused with which reason."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.programs.data_processor import files
from core.programs.data_processor.files import DataFolder, find
from core.programs.data_processor.limits import MAX_FILE_BYTES


def names(folder: DataFolder) -> list[str]:
    return [file.name for file in folder.files]


def test_takes_every_kind_in_order_up_to_their_number(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("sub", ".git", ".cache/deep"):
        (root / folder).mkdir(parents=True)
        (root / folder / "f.jsonl").write_text("x")
    for name in ("b.CSV", "a.tsv", "c.Parquet", "d.json", "e.ndjson", "g.txt"):
        (root / name).write_text("x")
    assert names(find(root)) == ["a.tsv", "b.CSV", "c.Parquet", "d.json", "e.ndjson", "sub/f.jsonl"]
    assert find(root).refused == []
    with pytest.raises(FileNotFoundError):
        find(root / "none")
    monkeypatch.setattr(files, "MAX_FILES", 5)
    assert names(find(root)) == ["a.tsv", "b.CSV", "c.Parquet", "d.json", "e.ndjson"]
    assert find(root).refused == [("sub/f.jsonl", "Only the first 5 data files of a repository are read.")]


@pytest.mark.attack(99)
def test_what_is_no_file_to_read_is_named_with_its_reason_and_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.csv").write_text("a\n1\n")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    (root / "data.csv").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe.csv")
    (root / "empty.csv").touch()
    (root / "lfs.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with (root / "huge.csv").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert find(root).files == []
    assert find(root).refused == [
        ("data.csv", "It is a symbolic link, and links are not followed."),
        ("empty.csv", "The file is empty."),
        ("huge.csv", "The file is over 512 MiB, the most that is read."),
        ("lfs.parquet", "It is a Git LFS pointer; the data itself is not in the repository."),
        ("pipe.csv", "It is not a regular file."),
    ]


def test_names_the_folders_that_are_too_deep_for_a_path(root: Path, dig: Callable[..., None]) -> None:
    dig(root, 30, "c.csv", name="e" * 200)
    (root / "b.csv").write_text("a\n1\n")
    found = find(root)
    assert names(found) == ["b.csv"]
    ((name, reason),) = found.refused
    assert (name.startswith("eee"), reason) == (True, "The folder could not be opened.")


@pytest.mark.parametrize(("name", "shown"), [
    (b"a\nb.csv", "a\\nb.csv"), (b"\x1b[31m.csv", "\\x1b[31m.csv"), (b"\xff.csv", "\\udcff.csv"),
    ("\u202egnp.csv".encode(), "\\u202egnp.csv"),
])  # fmt: skip
def test_makes_hostile_names_visible(root: Path, name: bytes, shown: str) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_text("a\n1\n")
    assert names(find(root)) == [shown]
