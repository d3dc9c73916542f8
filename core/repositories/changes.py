"""What an agent changed in a work tree: which of it is committed, and what that came to."""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import AgentFailed

CHANGED_FILES = 5_000
FILE_MIB = 50
SKIPPED_NAMED = 50

#: How git writes a name's bytes that it does not print as they are.
_ESCAPED = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}

_NUMBERS = re.compile(r"(\d+|-)\t(\d+|-)\t")


@dataclass
class Plan:
    """Which paths of the work tree are committed, each as git writes it, and the words for those that are not."""

    removed: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Changes:
    """What one task changed in its repository."""

    commit: str | None = None  #: None when no file changed
    names: Sequence[str] = ()  #: files that are new or different, with slashes
    files: int = 0
    added: int = 0  #: lines
    removed: int = 0  #: lines
    deleted: int = 0  #: files
    stat: Sequence[str] = ()  #: as git diff --stat shows it
    skipped: Sequence[str] = ()  #: the words for what was left out of the commit

    @property
    def said(self) -> list[str]:
        """What the log says of them."""
        left_out = [f"Left out of the commit: skipped {what}." for what in self.skipped[:SKIPPED_NAMED]]
        if more := len(self.skipped) - len(left_out):
            left_out.append(f"Left out of the commit: {more:,} more.")
        return [*left_out, *self.stat] if self.files else [*left_out, "No files changed."]


def plan(folder: Path, lines: Iterable[str]) -> Plan:
    """What to commit of a work tree, from the lines of ``git status --porcelain=v1 --untracked-files=all``.

    Raises AgentFailed when it is too much.
    """
    found, nested = Plan(), dict[str, bool]()
    for state, path in ((line[:2], line[3:]) for line in lines):
        name = unquoted(path)
        if inner := _repository_around(folder, name, nested):
            words = f"nested repository {inner}/"
            if words not in found.skipped:
                found.skipped.append(words)
        elif state[1] == "D":
            found.removed.append(path)
        elif reason := _unfit(folder / name):
            found.skipped.append(f"{name} ({reason})")
        else:
            found.written.append(path)
    if (count := len(found.removed) + len(found.written)) > CHANGED_FILES:
        raise AgentFailed(
            f"The agent changed {count:,} files, and at most {CHANGED_FILES:,} are committed: "
            "have it leave out what can be generated again, such as by a .gitignore."
        )
    return found


def summary(lines: Iterable[str], skipped: Sequence[str]) -> Changes:
    """What ``git show --format=%H --raw --numstat --stat`` says."""
    commit, *rest = lines
    raw = [line for line in rest if line.startswith(":")]
    numbers = [found for line in rest if (found := _NUMBERS.match(line))]
    paths = [(line.split()[4], line.rpartition("\t")[2]) for line in raw]
    return Changes(
        commit=commit if raw else None,
        names=[unquoted(path) for state, path in paths if state != "D"],
        files=len(raw),
        added=sum(int(found[1]) for found in numbers if found[1] != "-"),
        removed=sum(int(found[2]) for found in numbers if found[2] != "-"),
        deleted=sum(state == "D" for state, _ in paths),
        stat=[line[1:] for line in rest if line.startswith(" ")],
        skipped=skipped,
    )


def unquoted(path: str) -> str:
    """A path from git's output as the system's calls take it."""
    if not path.startswith('"'):
        return path

    def letter(found: re.Match[bytes]) -> bytes:
        sign = found[1]
        return bytes([int(sign, 8)]) if len(sign) == 3 else _LETTERS.get(sign, sign)

    return os.fsdecode(_ESCAPED.sub(letter, path[1:-1].encode()))


def _repository_around(folder: Path, name: str, known: dict[str, bool]) -> str | None:
    """The outermost folder below ``folder`` that holds a ``.git`` and in which the path lies."""
    parts = name.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        inner = "/".join(parts[:count])
        if inner not in known:
            path = folder / inner
            if path.is_symlink():  # what is behind it is not ours to look at
                return None
            known[inner] = os.path.lexists(path / ".git")
        if known[inner]:
            return inner
    return None


def _unfit(path: Path) -> str | None:
    """Why a file is not committed, in a few words."""
    try:
        status = path.lstat()
    except OSError:
        return "it cannot be read"
    if stat.S_ISLNK(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return "not a file"
    if not status.st_mode & stat.S_IRUSR:
        return "it cannot be read"
    if status.st_size > FILE_MIB * 2**20:
        return f"more than {FILE_MIB} MiB"
    return None
