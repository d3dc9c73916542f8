"""Whether there is a sandbox, what is said where there is none, and what a command gets of it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.errors import AgentFailed
from core.sandbox import isolation
from core.sandbox.command import Command, Sandbox
from core.sandbox.folders import chown_tree
from tests.core.sandbox.commands import TASK, command, outcome, output, python, shell
from tests.support.waiting import eventually
from tests.support.world import Patch, World

SECRET = "q7XcV0nBz1LmKdJfHgTsRpWyEuIoAa32"


def test_with_bubblewrap_there_is_a_sandbox_and_nothing_to_say() -> None:
    assert (isolation.unavailable(), isolation.enforced(), isolation.warning()) == (None, True, None)
    assert isolation.state().state == "bwrap"


def test_without_bubblewrap_only_what_needs_no_sandbox_runs(folder: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = "bubblewrap is not installed (apt install bubblewrap)"
    assert (isolation.unavailable(), isolation.enforced(), isolation.user_for(TASK)) == (reason, False, None)
    assert isolation.warning() == f"Tasks run without a sandbox, and agents that run foreign code not at all: {reason}."
    assert (isolation.state().state, isolation.state().reason) == ("unavailable", reason)
    assert output(python("import os; print(os.getuid())", folder)) == [str(os.geteuid())]
    for given in (Sandbox(required=True), Sandbox(user=60_007)):
        with pytest.raises(AgentFailed, match="The sandbox that this program needs is gone"):
            isolation.sandboxed_argv(replace(python("", folder), sandbox=given))


def test_a_bubblewrap_that_was_too_slow_once_leaves_nothing_and_is_asked_again(data: Path, monkeypatch: Patch) -> None:
    isolation._hindrance.cache_clear()
    for seconds in (0.0001, 0.001, 0.003):  # at any moment of its start
        with monkeypatch.context() as patch:
            patch.setattr(isolation, "PROBE_SECONDS", seconds)
            assert isolation.unavailable() == "bubblewrap does not answer, the machine may be too busy"
    eventually(lambda: not [p for p in psutil.process_iter(["cmdline"]) if str(data) in (p.info["cmdline"] or ())])
    assert isolation.unavailable() is None


def test_a_bubblewrap_that_cannot_work_is_none_and_its_words_are_kept(tmp_path: Path, monkeypatch: Patch) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reason = "bwrap: No permissions to create new namespace"
    assert isolation.unavailable() == f"bubblewrap cannot make a sandbox on this machine ({reason})"
    assert not isolation.enforced()
    program.write_text("no program")
    isolation._hindrance.cache_clear()
    assert isolation.unavailable() == "bubblewrap cannot be started (OSError)"


def test_the_administrator_can_do_without_and_that_is_said(folder: Path, world: World) -> None:
    world.settle(TASKDECK_SANDBOX="none")
    assert (isolation.unavailable(), isolation.enforced(), isolation.user_for(TASK)) == (None, False, None)
    assert isolation.warning() == (
        "TASKDECK_SANDBOX=none: tasks run without a sandbox; their programs can do what the server's user can."
    )
    assert (isolation.state().state, isolation.sandboxed_argv(python("", folder))[-1]) == ("none", "")
    assert output(python("import os; print(os.getuid())", folder)) == [str(os.geteuid())]


@pytest.mark.attack(80)
def test_a_program_in_a_sandbox_gets_no_variable_but_its_own(folder: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("TASKDECK_SECRET", SECRET)
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    given = {"HOME": str(folder), "TASK_PROMPT": "x"}
    lines = output(command(("sh", "-c", "env; echo; cat /proc/*/environ | tr '\\0' '\\n'"), folder, env=given))
    own = dict(line.split("=", 1) for line in lines[: lines.index("")])
    assert own.keys() == {"PATH", "LANG", "PWD", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", *given}
    assert own["PATH"].endswith(":/usr/local/bin:/usr/bin:/bin") and SECRET not in "".join(lines)


@pytest.mark.attack(80)
def test_the_secrets_of_the_server_are_in_no_argument_that_others_can_read(folder: Path) -> None:
    made = command(("sleep", "1"), folder, env={"TOKEN": SECRET})
    assert SECRET not in " ".join(isolation.sandboxed_argv(made)) + str(isolation.files(made)) + repr(made)


def test_every_task_has_a_user_where_the_server_is_root_and_reads_no_others_files(folder: Path, tmp_path: Path) -> None:
    users = [isolation.user_for(task) for task in (1, 2, 5_001)]
    assert users == ([60_001, 60_002, 60_001] if os.geteuid() == 0 else [None] * 3)
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text(SECRET)
    chown_tree(other, isolation.user_for(TASK + 1))
    assert output(shell(f"test -e {other}/file || echo absent", folder)) == ["absent"]


def test_a_link_in_place_of_a_writable_folder_opens_nothing(folder: Path, tmp_path: Path) -> None:
    made = python("", folder)
    shutil.rmtree(folder)
    folder.symlink_to("/")
    with pytest.raises(AgentFailed, match=r"^The task's folder work is not what it was; run the task again\.$"):
        isolation.sandboxed_argv(made)


def test_a_folder_that_is_only_to_be_read_cannot_be_written_but_a_writable_one_in_it_can(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "file").write_text("content\n")
    made = shell("cat file; echo x > inner/file; cat inner/file; echo x > file; touch new; mkdir inner/new", folder)
    given = Sandbox(readable=(folder, folder / "absent"), writable=(folder / "inner",), user=made.sandbox.user)
    lines, status, _ = outcome(Command(made.argv, folder, "", given))
    assert ([line for line, is_error in lines if not is_error], status) == (["content", "x"], 0)
    assert ["Read-only file system" in line for line, is_error in lines if is_error] == [True, True]


def test_the_data_folder_is_hidden_even_in_a_folder_that_may_be_read(folder: Path, data: Path) -> None:
    (data / "secret").write_text(SECRET)
    inner = data / "workspaces" / "7"
    inner.mkdir(parents=True)
    made = shell(f"ls {folder} {data}", inner)
    (folder / "file").touch()
    chown_tree(folder.parent, isolation.user_for(TASK))
    given = Sandbox(readable=(folder.parent,), writable=(inner,), user=isolation.user_for(TASK))
    assert output(Command(made.argv, inner, "", given)) == [f"{data}:", "workspaces", "", f"{folder}:", "file"]


def test_a_program_in_a_sandbox_knows_who_it_is_and_runs_taskdecks_own_agents(folder: Path) -> None:
    code = "import core.agents.base, getpass, grp, os; print(getpass.getuser(), grp.getgrgid(os.getgid()).gr_name)"
    made = python(code, folder)
    assert output(replace(made, cwd=Path(isolation.__file__).parents[2])) == ["task task"]
