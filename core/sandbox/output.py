"""Collects artifacts from the output folder: regular files only.

The program that wrote them may have been hostile, so no link is followed: each folder is opened from the one above it.
It is dead by now, and the folder stands still.
"""

import hashlib
import mimetypes
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import AgentFailed

FILES = 200
FILE_MIB = 100
ALL_MIB = 500
DEPTH = 16  # folders in folders
NAME_BYTES = 200  # of a file's or a folder's name
PATH_BYTES = 500

LIMITS = f"regular files of up to {FILE_MIB} MiB, at most {FILES} and {ALL_MIB} MiB in all"

LOOKED_AT = 100_000  # entries; a sandbox ends its program long before
NAMED = 50  # of what is left behind
NAMED_CHARACTERS = 200

#: By a file's ending; Python's own table lies below, without what this machine's files would add to it.
MEDIA_TYPES = mimetypes.MimeTypes().types_map[True] | {
    ".csv": "text/csv",
    ".diff": "text/x-diff",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".ndjson": "application/x-ndjson",
    ".patch": "text/x-diff",
    ".sarif": "application/sarif+json",
    ".tsv": "text/tab-separated-values",
    ".yaml": "text/plain",
    ".yml": "text/plain",
}


@dataclass(frozen=True)
class StoredArtifact:
    """A file that an agent made and that now lies in the artifact folder; size in bytes.

    The name is its path there, with slashes.
    """

    name: str
    size: int
    sha256: str
    media_type: str


class _Refused(Exception):
    """It becomes no artifact; says why in a few words."""


def find(folder: Path) -> tuple[list[str], list[str]]:
    """The files that become artifacts, as paths with slashes, and what is left behind, with reasons, fit to be shown.

    A folder's files come before those of the folders in it. Of many that are left only the first are named.
    """
    try:
        with _folder(folder) as handle:
            return _chosen(_entries(handle, "", 1))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return [], ["the folder for files (it is not there any more)"]


def store(names: Iterable[str], source: Path, target: Path) -> Iterator[StoredArtifact]:
    """Copy these files of ``source`` to ``target``, one by one; what lay there is gone. No file makes no folder.

    Raises AgentFailed when one is not as it was found, OSError when the disk is full.
    """
    shutil.rmtree(target, ignore_errors=True)
    for name in names:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                handle = stack.enter_context(_folder(source))
                *folders, last = name.split("/")
                for each in folders:
                    handle = stack.enter_context(_folder(each, handle))
                handle = stack.enter_context(_file(last, handle))
            except (_Refused, OSError):
                raise AgentFailed(f"The file {_shown(name)} changed while it was stored; run the task again.") from None
            yield _copy(name, handle, target / name)


def media_type(name: str) -> str:
    """The media type by a file's ending alone: whatever else the name looks like, and packed or not."""
    return MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def _chosen(entries: Iterator[tuple[int, str]]) -> tuple[list[str], list[str]]:
    chosen: list[str] = []
    left: list[str] = []
    unnamed, room = 0, ALL_MIB * 2**20
    for parent, path in islice(entries, LOOKED_AT):
        try:
            size = _size(parent, path)
            if size is not None and len(chosen) == FILES:
                raise _Refused(f"over {FILES} files")
            if size is not None and size > room:
                raise _Refused(f"over {ALL_MIB} MiB in all")
        except _Refused as why:
            if len(left) < NAMED:
                left.append(f"{_shown(path)} ({why})")
            else:
                unnamed += 1
        else:
            if size is not None:
                chosen.append(path)
                room -= size
    if unnamed:
        left.append(f"{unnamed:,} more")
    if next(entries, None):
        left.append(f"what follows the first {LOOKED_AT:,} names")
    return chosen, left


def _entries(handle: int, prefix: str, depth: int) -> Iterator[tuple[int, str]]:
    """Every entry of an open folder and those below: its folder's handle, open until the next one, and its path."""
    with os.scandir(handle) as found:
        entries = sorted(islice(found, LOOKED_AT + 1), key=lambda entry: (_is_folder(entry), os.fsencode(entry.name)))
    for entry in entries:
        path = prefix + entry.name
        yield handle, path
        if _is_folder(entry) and not _unfit(path) and depth < DEPTH:
            try:
                with _folder(entry.name, handle) as inner:
                    yield from _entries(inner, f"{path}/", depth + 1)
            except PermissionError:
                continue  # ``_size`` has refused it


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _size(parent: int, path: str) -> int | None:
    """The size of a file that may be stored; None for a folder that is looked into. Raises _Refused for all others."""
    if reason := _unfit(path):
        raise _Refused(reason)
    name = path.rpartition("/")[2]
    try:
        state = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(state.st_mode):
            with _file(name, parent):
                return state.st_size
        if path.count("/") + 1 >= DEPTH:
            raise _Refused("too deep")
        with _folder(name, parent):
            return None
    except OSError:
        raise _Refused("not readable") from None


def _unfit(path: str) -> str | None:
    """Why the last name of a path cannot stand in an address, a row and an archive; None when it can.

    What is hidden is a tool's left-over more often than a result, and whoever unpacks it would not see it.
    """
    name = path.rpartition("/")[2]
    if name.startswith("."):
        return "hidden"
    if not name.isprintable() or "\\" in name:
        return "odd name"
    if len(name.encode()) > NAME_BYTES or len(path.encode()) > PATH_BYTES:
        return "name too long"
    return None


@contextmanager
def _folder(name: str | Path, parent: int | None = None) -> Iterator[int]:
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _file(name: str, parent: int) -> Iterator[int]:
    """A regular file, open for reading. Raises _Refused for anything else, OSError when it cannot be read."""
    _check(os.stat(name, dir_fd=parent, follow_symlinks=False))  # before: to open a device may be to use it
    # O_NONBLOCK: were it a pipe after all, nobody would wait for its other end.
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    try:
        _check(os.fstat(handle))
        yield handle
    finally:
        os.close(handle)


def _check(state: os.stat_result) -> None:
    if stat.S_ISLNK(state.st_mode):
        raise _Refused("a link")
    if not stat.S_ISREG(state.st_mode):
        raise _Refused("not a file")
    if state.st_nlink != 1:
        raise _Refused("a hard link")  # its other name may lie anywhere
    if state.st_size > FILE_MIB * 2**20:
        raise _Refused(f"over {FILE_MIB} MiB")


def _copy(name: str, source: int, target: Path) -> StoredArtifact:
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as writer:
        os.fchmod(
            writer.fileno(), 0o644
        )  # as it will be in an archive, for whoever unpacks that; the folder is private
        while block := os.read(source, 2**20):
            digest.update(block)
            size += len(block)
            writer.write(block)
    return StoredArtifact(name, size, digest.hexdigest(), media_type(name))


def _shown(path: str) -> str:
    """A path as text: what is not printable, no Unicode or a backslash is escaped; of a long one the middle is cut."""
    text = "".join(sign if sign.isprintable() and sign != "\\" else _escaped(sign) for sign in path)
    half = NAMED_CHARACTERS // 2
    return text if len(text) <= NAMED_CHARACTERS else f"{text[:half]}…{text[-half:]}"


def _escaped(sign: str) -> str:
    byte = ord(sign) - 0xDC00  # how Python keeps a byte that is no UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else sign.encode("unicode_escape").decode()
