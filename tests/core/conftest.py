"""What several tests of core share: waiting with a bound, agents with a special behaviour, real git repositories."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

import core.agents
from core.agents.base import Assignment, Command
from core.agents.builtin import BuiltIn
from core.ownership import Actor
from tests.core.living import Life

STEP_SECONDS = 0.01


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
def eventually() -> Callable[..., None]:
    """Wait until something is true, at most some seconds."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not true after {seconds} s"
            time.sleep(STEP_SECONDS)

    return wait


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Whether a process still runs; a zombie does not."""

    def alive(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return alive


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
