"""How git is called: in a sandbox of its own, with nothing that a repository or this machine could make it run."""

import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from core.errors import AgentFailed
from core.repositories.remote import Remote
from core.sandbox import isolation
from core.sandbox.command import Command, ResourceLimits, Sandbox
from core.sandbox.workspace import Workspace

#: Runs a command for at most so many seconds; its exit status and the lines of its standard output.
Run = Callable[[Command, float], tuple[int, list[str]]]

STEP_SECONDS = 60.0

#: The first git that takes a host's addresses from us. An older one would look the name up itself and perhaps find
#: another, private one.
PINNING = (2, 37)

LIMITS = ResourceLimits(file=512 * 2**20, disk=2**30, files=500_000)

ASKPASS = Path(__file__).with_name("askpass")
CONFIG = Path(__file__).with_name("gitconfig")

_OPTIONS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=true"),
    *("-c", "credential.helper="),
    *("-c", "gc.auto=0"),
    *("-c", "submodule.recurse=false"),
    *("-c", "transfer.fsckObjects=true"),
    *("-c", "http.followRedirects=false"),
    *("-c", "http.lowSpeedLimit=1000"),
    *("-c", "http.lowSpeedTime=30"),
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": str(ASKPASS),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": str(CONFIG),
    "GIT_LFS_SKIP_SMUDGE": "1",
}
_WHO = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Taskdeck"), ("EMAIL", "noreply@taskdeck.invalid"))
}


@cache
def version() -> tuple[int, ...]:
    """Of this machine's git. Raises AgentFailed when there is none."""
    try:
        where = {"PATH": isolation.path()}
        printed = subprocess.run(["git", "version"], env=where, capture_output=True, text=True).stdout  # noqa: S607
    except OSError:
        raise AgentFailed("git is not installed on this machine; ask an administrator to install it.") from None
    return tuple(map(int, re.findall(r"\d+", printed)))


@contextmanager
def open_untrusted(path: Path) -> Iterator[BinaryIO]:
    """A file in the folder where git works, which belongs to the task's user: no link is followed there.

    Raises AgentFailed when it is not there, or no file of its own.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            # O_NONBLOCK: were it a pipe, nobody would wait for its other end.
            handle = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise AgentFailed(f"What git wrote for this task cannot be read: {path.name}.") from error
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            raise AgentFailed(f"What git wrote for this task is not a file of its own: {path.name}.")
        yield file


class Git:
    """Calls git for one workspace, as the task's user, in the folder that holds the workspace's folders.

    What it keeps of the repository lies in ``store``, which no agent ever sees: an agent may write into a repository's
    own settings what git then runs, filters and hooks.
    """

    def __init__(self, workspace: Workspace, run: Run) -> None:
        self.workspace = workspace
        self.store = workspace.git / "store"
        self.asked = workspace.git / "asked"  #: is there once a password was asked for
        self.trace = workspace.git / "trace"  #: git's events of the last time at a remote, one JSON object a line
        self._run = run

    def reach(
        self, remote: Remote, *arguments: str, shown: str = "", writable: Sequence[Path] = ()
    ) -> tuple[int, list[str]]:
        """Call git where it may reach ``remote``, with the token; its exit status and what it printed."""
        options = [*_OPTIONS, "-c", f"credential.username={remote.user or 'git'}"]
        if remote.pin:
            if version() < PINNING:
                raise AgentFailed("git on this machine is too old; ask an administrator to install 2.37 or newer.")
            options += ["-c", f"http.curloptResolve={remote.pin}"]
        for left in (self.asked, self.trace):
            left.unlink(missing_ok=True)
        command = Command(
            argv=("git", *options, *arguments),
            cwd=self.workspace.root,
            shown=shown,
            env={
                **self._environment,
                "GIT_ALLOW_PROTOCOL": remote.address.partition("://")[0],
                "GIT_TRACE2_EVENT": str(self.trace),
                "TASKDECK_ASKED": str(self.asked),
                "TASKDECK_TOKEN": remote.token or "",
            },
            sandbox=Sandbox(
                writable=(self.workspace.git, *writable),
                readable=(remote.folder,) if remote.folder and remote.folder.exists() else (),
                network="none" if remote.folder else "open",
                limits=LIMITS,
                user=self.workspace.user,
            ),
        )
        return self._run(command, STEP_SECONDS)

    def here(self, *arguments: str, given: str = "") -> tuple[int, list[str]]:
        """Call git without a network, for the kept repository and the work tree, which it can only read."""
        trees = (f"--git-dir={self.store}", f"--work-tree={self.workspace.repository}")
        return self.run("git", *_OPTIONS, *trees, *arguments, given=given)

    def run(self, *argv: str, given: str = "", writable: Sequence[Path] = ()) -> tuple[int, list[str]]:
        """Run any program as git is run, without a network; its exit status and what it printed."""
        repository = self.workspace.repository
        command = Command(
            argv=argv,
            cwd=self.workspace.root,
            shown="",
            stdin=given,
            env={**self._environment, **_WHO, "GIT_ALLOW_PROTOCOL": "none", "GIT_OPTIONAL_LOCKS": "0"},
            sandbox=Sandbox(
                writable=(self.workspace.git, *writable),
                readable=() if repository in writable else (repository,),
                limits=LIMITS,
                user=self.workspace.user,
            ),
        )
        return self._run(command, STEP_SECONDS)

    @property
    def _environment(self) -> dict[str, str]:
        return {**_ENVIRONMENT, "HOME": str(self.workspace.git), "TMPDIR": str(self.workspace.git)}
