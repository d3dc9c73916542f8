"""The Python files of a repository, and which of them the request is about."""

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.programs.shared.folders import walk
from core.programs.shared.words import visible

from .limits import MAX_FILE_BYTES, MAX_FILES, MIB

SUFFIXES = (".py", ".pyi")

# What others wrote, or a program made.
VENDORED = frozenset(
    (
        "__pypackages__", "_vendor", "bower_components", "build", "dist", "node_modules", "site-packages",
        "third-party", "third_party", "vendor", "vendored", "venv",
    )
)  # fmt: skip

_OLDEST = re.compile(r">=?\s*3\.(\d{1,3})")
_MINORS = range(7, 16)  # that ruff knows
_LENGTHS = range(1, 321)  # too
_PYPROJECT_BYTES = MIB

_AROUND = "\"'`“”‘’()[]{}<>,;:!?"  # a word


@dataclass(frozen=True)
class Source:
    """A regular file to review."""

    path: Path
    relative: str  # to the repository, with slashes; as it is, so not fit to be shown
    size: int  # bytes

    @property
    def name(self) -> str:
        """Return the path inside the repository, made visible."""
        return visible(self.relative)


@dataclass
class SourceFolder:
    """What a walk found: files to review, and what had to be left, each with its reason."""

    files: list[Source] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    vendored: list[str] = field(default_factory=list)  # folders of others' code
    scope: list[str] = field(default_factory=list)  # what the request names; nothing: all of it
    outside: int = 0  # files that the request leaves out


class Refused(Exception):
    """A file is not reviewed; the message is one plain sentence that says why."""


def find(root: Path, request: str) -> SourceFolder:
    """Return the Python files under `root` in order of their path; links are never followed.

    Hidden folders and folders of others' code are left out. A word of `request` that is the path of a folder or file
    among the rest restricts the review to it. Raises OSError if `root` itself can not be opened.
    """
    found = SourceFolder()
    os.scandir(root).close()
    # By bytes, not by text: a name need not be valid UTF-8.
    paths = sorted(_walk(root, found), key=os.fsencode)
    found.scope = _named(request, paths)
    inside = [path for path in paths if not found.scope or _lies_in(path, found.scope)]
    found.outside = len(paths) - len(inside)
    found.scope = [visible(name) for name in found.scope]
    for relative in inside:
        try:
            found.files.append(_source(root, relative, len(found.files)))
        except Refused as error:
            found.refused.append((visible(relative), str(error)))
    return found


def _walk(root: Path, found: SourceFolder) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        folder = os.path.relpath(error.filename or root, root)
        found.refused.append((visible(folder) + "/", "The folder could not be opened."))

    for folder, subfolders, names in walk(root, refuse):
        here = [name for name in subfolders if not name.startswith(".")]
        vendored = {name for name in here if name in VENDORED or os.path.exists(f"{folder}/{name}/pyvenv.cfg")}
        found.vendored += (visible(os.path.relpath(Path(folder, name), root)) for name in sorted(vendored))
        subfolders[:] = [name for name in here if name not in vendored]
        yield from (os.path.relpath(Path(folder, name), root) for name in names if name.lower().endswith(SUFFIXES))


def _named(request: str, paths: list[str]) -> list[str]:
    known = set(paths).union(*(map(str, PurePosixPath(path).parents) for path in paths)) - {"."}
    words = (word.rstrip(_AROUND + ".").lstrip(_AROUND).removeprefix("./").rstrip("/") for word in request.split())
    return list(dict.fromkeys(word for word in words if word in known))


def _lies_in(path: str, scope: list[str]) -> bool:
    return any(path == name or path.startswith(name + "/") for name in scope)


def _source(root: Path, relative: str, already: int) -> Source:
    path = root / relative
    try:
        status = path.lstat()
    except OSError as error:
        raise Refused("The file could not be opened.") from error
    if stat.S_ISLNK(status.st_mode):
        raise Refused("It is a symbolic link, and links are not followed.")
    if not stat.S_ISREG(status.st_mode):
        raise Refused("It is not a regular file.")
    if status.st_size > MAX_FILE_BYTES:
        raise Refused(f"The file is over {MAX_FILE_BYTES // MIB:,} MiB, the most that is reviewed.")
    if any("\udc80" <= character <= "\udcff" for character in relative):
        raise Refused("Its name is not valid UTF-8, so no finding could be told to be its own.")
    if already >= MAX_FILES:
        raise Refused(f"Only the first {MAX_FILES:,} Python files are reviewed; name a folder to review that one.")
    return Source(path, relative, status.st_size)


@dataclass(frozen=True)
class Project:
    """What counts of a repository's pyproject.toml; the rest of its settings has no say."""

    minor: int | None = None  # the oldest Python 3 that it is for, by [project]
    line_length: int | None = None  # by [tool.ruff]


def project(root: Path) -> Project:
    """Return what pyproject.toml says, each number as the nearest one that ruff knows; nothing if it is not valid."""
    path = root / "pyproject.toml"
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _PYPROJECT_BYTES:
            return Project()
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # there is none, or it cannot be read: the same to us
        return Project()
    requires, length = _at(settings, "project", "requires-python"), _at(settings, "tool", "ruff", "line-length")
    oldest = _OLDEST.search(requires) if isinstance(requires, str) else None
    return Project(
        _nearest(int(oldest[1]), _MINORS) if oldest else None,
        _nearest(length, _LENGTHS) if type(length) is int else None,
    )


def _at(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _nearest(number: int, known: range) -> int:
    return min(max(number, known[0]), known[-1])
