"""Git's steps and an agent's program, run for real: each in its box, where this machine has one."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from core.errors import AgentFailed
from core.sandbox.command import Command, ResourceLimits
from core.sandbox.process import Process
from core.sandbox.workspace import Workspace


class Runner:
    """Runs commands as the processor does, and keeps them and all that they said."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.said: list[str] = []
        self.certificate: Path | None = None  #: what the test's own host of repositories signs with

    def __call__(self, command: Command, limit: float) -> tuple[int, list[str]]:
        self.commands.append(command)
        if self.certificate:
            sandbox = replace(command.sandbox, readable=(*command.sandbox.readable, self.certificate))
            command = replace(command, sandbox=sandbox, env={**command.env, "GIT_SSL_CAINFO": str(self.certificate)})
        printed = []
        deadline = time.monotonic() + limit
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

    def agent(self, workspace: Workspace, script: str) -> list[str]:
        """Let an agent that may change the repository run a shell script in it; what it printed."""
        env = {"HOME": str(workspace.home), "TMPDIR": str(workspace.home)}
        sandbox = workspace.sandbox(ResourceLimits(), changes_files=True)
        command = Command(("sh", "-euc", script), workspace.repository, "agent", sandbox, env=env)
        status, printed = self(command, 30)
        assert status == 0, self.said
        return printed


class Trap:
    """A program that leaves a mark wherever git's own steps may write, and says so."""

    def __init__(self, workspace: Workspace, runner: Runner) -> None:
        self._mark = workspace.git / "sprung"
        self._runner = runner
        self.script = f"#!/bin/sh\ntouch {self._mark}\necho sprung >&2\ncat\n"

    def set(self, path: Path) -> Path:
        """Put it there."""
        path.write_text(self.script)
        path.chmod(0o755)
        return path

    @property
    def sprung(self) -> bool:
        return self._mark.exists() or "sprung" in self._runner.said


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
