"""The data files of a folder, and what each of them is."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from core.programs.shared.folders import walk
from core.programs.shared.words import visible

from .limits import MAX_FILE_BYTES, MAX_FILES, MIB

SUFFIXES = (".csv", ".tsv", ".parquet", ".json", ".ndjson", ".jsonl")

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_POINTER_BYTES = 1024  # a pointer is never larger


class Unreadable(Exception):
    """A file could not be read as a table; the message is one plain sentence that says why."""


@dataclass(frozen=True)
class DataFile:
    """A regular file to read; `name` is its path inside the folder, made visible."""

    path: Path
    name: str
    size: int  # bytes

    @property
    def suffix(self) -> str:
        """Return the kind of the file: its suffix in lower case."""
        return self.path.suffix.lower()


@dataclass
class DataFolder:
    """What a walk found: files to read, and what had to be left, each with its reason."""

    files: list[DataFile] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def find(root: Path) -> DataFolder:
    """Return the data files under `root` in order of their path; links are never followed.

    Hidden folders are left out. Raises OSError if `root` itself can not be opened.
    """
    found = DataFolder()
    os.scandir(root).close()

    def refuse(error: OSError) -> None:
        folder = os.path.relpath(error.filename or root, root)
        found.refused.append((visible(folder) + "/", "The folder could not be opened."))

    paths: list[Path] = []
    for folder, subfolders, names in walk(root, refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        paths += [Path(folder, name) for name in names if name.lower().endswith(SUFFIXES)]
    # By bytes, not by text: a name need not be valid UTF-8.
    for path in sorted(paths, key=os.fsencode):
        name = visible(os.path.relpath(path, root))
        try:
            found.files.append(_data_file(path, name, len(found.files)))
        except Unreadable as error:
            found.refused.append((name, str(error)))
    return found


def _data_file(path: Path, name: str, already: int) -> DataFile:
    try:
        status = path.lstat()
    except OSError as error:
        raise Unreadable("The file could not be opened.") from error
    if stat.S_ISLNK(status.st_mode):
        raise Unreadable("It is a symbolic link, and links are not followed.")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("It is not a regular file.")
    if status.st_size == 0:
        raise Unreadable("The file is empty.")
    if status.st_size > MAX_FILE_BYTES:
        raise Unreadable(f"The file is over {MAX_FILE_BYTES // MIB:,} MiB, the most that is read.")
    if already >= MAX_FILES:
        raise Unreadable(f"Only the first {MAX_FILES:,} data files of a repository are read.")
    if status.st_size <= _LFS_POINTER_BYTES and _is_pointer(path):
        raise Unreadable("It is a Git LFS pointer; the data itself is not in the repository.")
    return DataFile(path, name, status.st_size)


def _is_pointer(path: Path) -> bool:
    try:
        return path.read_bytes().startswith(_LFS_POINTER)
    except OSError as error:
        raise Unreadable("The file could not be opened.") from error
