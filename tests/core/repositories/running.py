"""Git's steps and an agent's program, run for real: each in its sandbox, where this machine has one."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import AgentFailed
from core.repositories.changes import Changes
from core.repositories.checkout import Checkout, branch_name
from core.repositories.remote import Remote
from core.sandbox.command import Command, ResourceLimits
from core.sandbox.process import Process
from core.sandbox.workspace import Workspace

FILES = {"a.txt": "a\n", "b.txt": "b\n", "src/c.txt": "c\n", "src/d.txt": "d\n", ".gitignore": "*.log\n"}


@dataclass
class Runner:
    """Runs commands as the processor does, and keeps them and all that they said."""

    commands: list[Command] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    certificate: Path | None = None  #: what the test's own host of repositories signs with

    def __call__(self, command: Command, limit: float) -> tuple[int, list[str]]:
        self.commands.append(command)
        if self.certificate:
            sandbox = replace(command.sandbox, readable=(*command.sandbox.readable, self.certificate))
            command = replace(command, sandbox=sandbox, env={**command.env, "GIT_SSL_CAINFO": str(self.certificate)})
        printed, deadline = [], time.monotonic() + limit
        with Process(command, silence=30) as process:
            while not process.ended:
                process.alive()
                for line, is_error in process.read(0.1):
                    self.said.append(line)
                    if not is_error:
                        printed.append(line)
                if time.monotonic() > deadline:
                    raise AgentFailed(f"{command.argv[0]} was stopped.")
            if process.verdict:
                raise AgentFailed(process.verdict)
            return process.exit_status, printed


class Scene:
    """One task: its workspace, its checkout, an agent, and a repository to clone."""

    def __init__(
        self, workspace: Workspace, folder: Path, make_repository: Callable[..., Path], number: int = 7
    ) -> None:
        self.number = number
        self.workspace = workspace
        self.folder = folder
        self.runner = Runner()
        self.checkout = Checkout(workspace, self.runner)
        self._make_repository = make_repository
        self._mark = workspace.git / "sprung"
        #: A program that leaves a mark wherever git's own steps may write, and says so.
        self.trap = f"#!/bin/sh\ntouch {self._mark}\necho sprung >&2\ncat\n"

    def beside(self, workspace: Workspace, number: int) -> "Scene":
        """Another task beside this one."""
        other = Scene(workspace, self.folder, self._make_repository, number)
        other.runner.certificate = self.runner.certificate
        return other

    def origin(self, files: dict[str, str] = FILES, *extra: tuple[str, ...]) -> Path:
        return self._make_repository(self.folder / "origin", files, *extra)

    def clone(self, remote: Remote | Path) -> None:
        """Clone, on the task's branch, as the agent gets it."""
        self.checkout.clone(remote if isinstance(remote, Remote) else local(remote))
        self.checkout.branch(branch_name(self.number, "Fix it"))
        self.checkout.copy_git_dir_for_agent()

    def agent(self, script: str) -> list[str]:
        """Let an agent that may change the repository run a shell script in it; what it printed."""
        workspace = self.workspace
        env = {"HOME": str(workspace.home), "TMPDIR": str(workspace.home)}
        sandbox = workspace.sandbox(ResourceLimits(), changes_files=True)
        command = Command(("sh", "-euc", script), workspace.repository, "agent", sandbox, env=env)
        status, printed = self.runner(command, 30)
        assert status == 0, self.runner.said
        return printed

    def work(self, script: str, prompt: str = "Fix it") -> Changes:
        """What becomes of the repository after an agent ran this script in it."""
        self.agent(script)
        return self.checkout.collect(prompt, "lines", self.number)

    def patch(self) -> Path:
        self.checkout.patch(self.workspace.output)
        return self.workspace.output / "changes.patch"

    def kept(self, *arguments: str) -> str:
        """What git says of the store."""
        return git(self.workspace.git, "--git-dir=store", *arguments)

    def set_trap(self, path: Path) -> Path:
        path.write_text(self.trap)
        path.chmod(0o755)
        return path

    @property
    def sprung(self) -> bool:
        return self._mark.exists() or "sprung" in self.runner.said

    def reset_trap(self) -> None:
        self.runner.said.clear()
        self._mark.unlink(missing_ok=True)


def local(folder: Path) -> Remote:
    return Remote(f"file://{folder}", folder=folder)


def git(folder: Path, *arguments: str, given: bytes = b"") -> str:
    """Run the test's own git in a folder; what it printed."""
    who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments],
        input=given,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **who},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode(errors="surrogateescape")
