"""Whole lives of tasks for claude and codex: the real programs, in the sandbox, against the stand-in of their APIs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.database.models import EndReason, TaskStatus
from core.tasks import commands
from tests.core.agents.model_api import KEY, Drip, ModelApi, Silence, Text, Tool, Turn
from tests.core.living import Life, left_behind
from tests.core.sandbox.commands import living
from tests.support import clis
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("programs")

PROGRAMS = {"claude": clis.CLAUDE, "codex": clis.CODEX}

#: Each writes the same file, with the tool that it has.
NOTE = "printf 'hello\\n' > note.txt"
TURNS = {
    "claude": (Tool("Bash", {"command": NOTE, "description": "write"}), Text("The note is there.")),
    "codex": (Tool("exec_command", {"cmd": NOTE}), Text("The note is there.")),
}


#: Asks its API once, and says nothing until the answer is complete.
SILENT = f"""#!{sys.executable} -I
import os, urllib.request
print('{{"type":"system","subtype":"init"}}', flush=True)
headers = {{"x-api-key": os.environ["ANTHROPIC_API_KEY"], "Content-Type": "application/json"}}
call = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", b"{{}}", headers)
with urllib.request.urlopen(call) as answer:
    assert b"message_stop" in answer.read()
print('{{"type":"result","is_error":false}}')
"""


@pytest.fixture
def talks_to(local_root: Path, world: World) -> Callable[..., None]:
    """Set an agent up with the stand-in as its API, which knows the one key."""

    def settle(name: str, api: ModelApi, program: Path | None = None, idle: int = 120) -> None:
        world.settle(MODEL_KEY=KEY)
        world.catalog(
            f'[agents.{name}]\ncommand = ["{program or PROGRAMS[name]}"]\nupstream = "{api.url}"\nidle = {idle}\n'
            'secrets = { api_key = "MODEL_KEY" }\n'
            f'[repositories]\nlocal_roots = ["{local_root}"]\n'
        )

    return settle


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_real_agent_changes_a_repository(
    name: str,
    run_task: Life,
    data: Path,
    local_root: Path,
    make_repository: Callable[..., Path],
    talks_to: Callable[..., None],
) -> None:
    origin = make_repository(local_root / "shop", {"price.txt": "1\n"})
    with ModelApi(*TURNS[name]) as api:
        talks_to(name, api)
        task = run_task(name, str(origin))
    log = run_task.log(task)
    assert (task.status, task.error, task.progress) == (TaskStatus.COMPLETED, None, 100), log
    assert task.branch_name == f"task/{task.id}-the-prompt"
    assert "+hello" in run_task.files(task)["changes.patch"]
    assert any("note.txt" in line for line in run_task.log(task)) and any("tokens in" in line for line in log)
    assert KEY not in "".join(log) and "[hidden]" not in "".join(log)
    assert left_behind(data) == [str(task.id), "changes.patch"]


@pytest.mark.attack(93)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_stop_while_the_model_is_silent_ends_the_task_and_every_process(
    name: str, run_task: Life, data: Path, talks_to: Callable[..., None]
) -> None:
    with ModelApi(Silence(begun=True)) as api:
        talks_to(name, api)
        task, thread = run_task.begin(name)
        eventually(lambda: api.calls, 30)
        commands.cancel(run_task.actor, task.id)
        assert run_task.after(thread, task, 15).end_reason is EndReason.CANCELLED
    used = [line for line in run_task.log(task) if " in, " in line and "tokens" in line]
    assert len(used) == 1, "the call that was cut off counts too"
    assert not used[0].startswith("0 calls")
    assert (living(data / "workspaces"), left_behind(data)) == ([], [])


@pytest.mark.parametrize(("turn", "error"), [
    (Drip(signs=14, pause=0.25), None), (Silence(begun=True), "claude said nothing for 2 s and was stopped."),
], ids=["its model speaks", "its model is silent"])  # fmt: skip
def test_an_agent_is_silent_only_when_its_model_is_too(
    turn: Turn, error: str | None, run_task: Life, tmp_path: Path, talks_to: Callable[..., None]
) -> None:
    program = tmp_path / "silent"
    program.write_text(SILENT)
    program.chmod(0o755)
    with ModelApi(turn) as api:
        talks_to("claude", api, program, idle=2)
        task = run_task("claude")
    assert task.error == error, run_task.log(task)
    assert len(api.calls) == 1
