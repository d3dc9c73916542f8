"""What several tests of core share: waiting with a bound, agents with a special behaviour, real git repositories."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import core.agents
from core.agents.base import Assignment, Command
from core.agents.builtin import BuiltIn
from core.ownership import Actor
from tests.core.living import Life


@pytest.fixture
def live(ada: Actor, data: Path) -> Life:
    return Life(ada, data)


@dataclass(frozen=True)
class Script(BuiltIn):
    """An agent that is a few lines of Python; its own process, with the output folder as its one argument."""

    code: str = ""

    def command(self, assignment: Assignment) -> Command:
        return replace(super().command(assignment), argv=(sys.executable, "-c", self.code, str(assignment.output)))


@pytest.fixture
def script_agent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Put an agent into the registry that runs Python code; its name."""

    def register(name: str, code: str) -> str:
        agent = Script(name=name, title=name, summary=name, module="", code=code)
        monkeypatch.setattr(core.agents, "_AGENTS", (*core.agents._AGENTS, agent))
        return name

    return register


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Path]:
    """Make a real git repository with these files committed; its folder."""

    def make(folder: Path, files: dict[str, str], *extra: tuple[str, ...]) -> Path:
        folder.mkdir(parents=True)
        who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", **who}

        def git(*arguments: str) -> None:
            subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=env)

        git("init", "--quiet")
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git("add", "--all")
        for arguments in extra:
            git(*arguments)
        if files or extra:
            git("commit", "--quiet", "--message", "first")
        return folder

    return make
