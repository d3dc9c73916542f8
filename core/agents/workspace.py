"""A task's private folder: the cloned repository, a home, and the output that becomes artifacts."""

import hashlib
import mimetypes
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from core.agents.base import Command, Kept
from core.errors import AgentFailed

CLONE_SECONDS = 60.0

ARTIFACT_FILES = 200
ARTIFACT_MIB = 100  # of one file

_MEDIA_TYPES = {".md": "text/markdown", ".ndjson": "application/x-ndjson", ".patch": "text/x-diff"}

#: git with everything off that a hostile repository or address could use: hooks, helpers, redirects, submodules.
_GIT = (
    "git",
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "credential.helper="),
    *("-c", "submodule.recurse=false"),
    *("-c", "transfer.fsckObjects=true"),
    *("-c", "http.followRedirects=false"),
    *("-c", "http.lowSpeedLimit=1000"),
    *("-c", "http.lowSpeedTime=30"),
)
_GIT_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_LFS_SKIP_SMUDGE": "1",
}


class Workspace:
    """The folder of one attempt at one task, private to the server's user.

    Use it in a ``with``: ``make`` makes it, empty, and at the end it is gone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = root / "repository"
        self.output = root / "output"
        self.home = root / "home"

    def __enter__(self) -> "Workspace":
        return self

    def make(self) -> None:
        """Make the folders. Raises OSError, for one when the disk is full."""
        self._remove()
        for folder in (self.root, self.output, self.home):
            folder.mkdir(mode=0o700, parents=True)

    def __exit__(self, *_: object) -> None:
        self._remove()

    def clone(self, address: str, run: Callable[[Command, float], int]) -> Path:
        """Clone the newest commit with ``run(command, seconds) -> exit status``; the folder.

        Raises AgentFailed when git cannot.
        """
        scheme = address.partition("://")[0]
        options = ("--depth", "1", "--single-branch", "--no-tags", "--no-recurse-submodules", "--template=")
        status = run(
            Command(
                argv=(*_GIT, "clone", *options, "--", address, self.repository.name),
                cwd=self.root,
                shown=f"git clone --depth 1 {address}",
                env=_GIT_ENVIRONMENT | {"HOME": str(self.home), "GIT_ALLOW_PROTOCOL": scheme},
            ),
            CLONE_SECONDS,
        )
        if status != 0:
            raise AgentFailed(
                "The repository could not be cloned: check that the address is right and open to everybody; "
                "what git said is in the log."
            )
        return self.repository

    def made(self) -> tuple[list[str], list[str]]:
        """The names in the output: those to keep, and those left behind (links, folders, what is too large or many)."""
        keep: list[str] = []
        leave: list[str] = []
        for entry in sorted(os.scandir(self.output), key=lambda entry: entry.name):
            fits = (
                entry.is_file(follow_symlinks=False)
                and entry.name.isprintable()
                and entry.stat(follow_symlinks=False).st_size <= ARTIFACT_MIB * 2**20
                and len(keep) < ARTIFACT_FILES
            )
            (keep if fits else leave).append(entry.name)
        return keep, leave

    def keep(self, names: Iterable[str], folder: Path) -> Iterator[Kept]:
        """Copy these files of the output to ``folder``, one by one."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in names:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield _copy(self.output / name, folder / name)

    def _remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def media_type(name: str) -> str:
    """The media type by a file's ending."""
    ending = Path(name).suffix.lower()
    return _MEDIA_TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _copy(source: Path, target: Path) -> Kept:
    digest, size = hashlib.sha256(), 0
    # O_NOFOLLOW: what was a file when it was listed may be a link by now.
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as reader, target.open("wb") as writer:
        if not stat.S_ISREG(os.fstat(reader.fileno()).st_mode):
            raise AgentFailed(f"{source.name} is not a regular file.")
        while block := reader.read(2**20):
            digest.update(block)
            size += len(block)
            writer.write(block)
    return Kept(target.name, size, digest.hexdigest(), media_type(target.name))
