"""A repository with agent settings runs nothing and leads nowhere else; the real programs read it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from core.agents.drivers.claude import ENVIRONMENT, Claude
from core.agents.drivers.codex import Codex
from tests.core.agents.drivers import hostile
from tests.core.agents.drivers.runs import KINDS, VARIABLE, Kind, host_users, run
from tests.core.agents.model_api import KEY, ModelApi, Text, Tool
from tests.support import clis
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("programs")

WORK = {Claude: Tool("Bash", {"command": "true"}), Codex: Tool("exec_command", {"cmd": "true"})}


@pytest.mark.attack(79)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sandbox", ["bwrap", "none"])
def test_nothing_of_it_runs_and_nobody_else_is_asked(kind: Kind, sandbox: str, tmp_path: Path, world: World) -> None:
    world.settle(**{"TASKDECK_SANDBOX": sandbox, VARIABLE: KEY})
    root = tmp_path / "7"

    def fill(repository: Path) -> None:
        subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
        hostile.fill(repository, root / "output", evil.url)

    with ModelApi(Text()) as evil, run(kind, root, WORK[kind], Text(), fill=fill) as outcome:
        assert (outcome.failure, evil.asked, len(outcome.api.calls)) == (None, [], 2)
        assert list(outcome.workspace.output.iterdir()) == []
        body = json.dumps(outcome.api.calls[0].body)
        assert "Be kind." in body  # instructions are read
        assert host_users() not in body


def test_without_the_drivers_words_it_would_be_obeyed(tmp_path: Path) -> None:
    """So the test above would see it if they were not enough."""
    home, repository, marks = (tmp_path / name for name in ("home", "repository", "marks"))
    for folder in (home, repository, marks):
        folder.mkdir()
    own = {"ANTHROPIC_API_KEY": "the key", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    environment = {"HOME": str(home), "PATH": os.defpath, **own, **ENVIRONMENT}
    with ModelApi(Text()) as evil:
        hostile.fill(repository, marks, evil.url)
        argv = (str(clis.CLAUDE), "-p", "--model", "sonnet", "Do it.")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(argv, cwd=repository, env=environment, **quiet) as process:
            try:
                eventually(lambda: evil.asked and (marks / "settings-SessionStart").exists(), 30)
            finally:
                process.kill()
