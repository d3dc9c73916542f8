import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents import catalog, registry
from core.database.models import EndReason, TaskStatus
from core.log_text import LogType
from core.runner import processor
from core.sandbox import output
from core.tasks import artifacts, commands
from tests.core.living import SAY, Life, Patch, left_behind
from tests.support.scripts import Script


def test_a_task_runs_to_its_one_end_with_its_log_in_order(run_task: Life, data: Path) -> None:
    code = SAY + (
        "say(type='info', message=sys.stdin.read())\n"
        "say(type='progress', done=1, total=2)\n"
        "print('not an event', flush=True)\n"
        "print('to stderr', file=sys.stderr, flush=True)\n"
        "open(sys.argv[1] + '/report.md', 'w').write('# Report')\n"
        "say(type='success', message='made it')\n"
    )
    task = run_task.script(code)
    assert (task.status, task.end_reason, task.progress, task.error) == ("completed", "completed", 100, None)
    log = run_task.log(task)
    said = [message for message in log if message != "to stderr"]
    assert said[0] == "Task accepted for worker; it waits for a free runner."
    assert said[2:-1] == ["worker --output output", "the prompt", "not an event", "made it", "Kept 1 file: report.md."]
    assert "to stderr" in log and log[-1].startswith("Completed in ")
    types = run_task.types(task)
    assert (types[2], types[-1]) == (LogType.COMMAND, LogType.SUCCESS)
    (artifact,) = artifacts.of(run_task.actor, task.id)
    assert (artifact.name, artifact.size, artifact.media_type) == ("report.md", 8, "text/markdown")
    assert left_behind(data) == [str(task.id), "report.md"]


def test_an_agent_gets_its_repository(run_task: Life, local_root: Path, make_repository: Callable[..., Path]) -> None:
    origin = make_repository(local_root / "shop", {"sales.csv": "a\n1\n"})
    code = SAY + "import os; say(type='info', message=' '.join(sorted(os.listdir(os.path.dirname(sys.argv[1])))))"
    task = run_task(run_task.agent(code), str(origin))
    assert task.status is TaskStatus.COMPLETED
    log = run_task.log(task)
    assert f"git clone --depth 1 file://{origin}" in log
    assert log.index("worker --output output --input repository") < log.index("gateway git home output repository")


@pytest.mark.parametrize(("code", "sentence"), [
    (SAY + "say(type='error', message='The file is empty.'); sys.exit(3)", "The file is empty."),
    (SAY + "[say(type='error', message=each) for each in ('first', 'last')]; sys.exit(1)", "last"),
    (SAY + "say(type='progress', done=3, total=5); say(type='progress', done=1, total=5); sys.exit(1)", None),
    ("raise SystemExit(3)", "worker ended with exit status 3."),
    ("import os; os.kill(os.getpid(), 11)", "worker ended with exit status 139."),
])  # fmt: skip
def test_an_agents_failure_is_the_tasks_error(code: str, sentence: str, run_task: Life, data: Path) -> None:
    task = run_task.script("import sys; open(sys.argv[1] + '/half.md', 'w').write('x')\n" + code)
    assert (task.status, task.end_reason) == (TaskStatus.ERROR, EndReason.FAILED)
    assert run_task.log(task)[-1] == task.error == (sentence or "worker ended with exit status 1.")
    assert task.progress == (30 if sentence else 30 + 33), "progress stays where it was"
    assert (run_task.types(task)[-1], left_behind(data)) == (LogType.ERROR, [])


def test_an_agent_that_is_not_set_up_says_so_and_so_does_an_absent_repository(run_task: Life, local_root: Path) -> None:
    for name in ("claude", "codex"):
        task = run_task(name)
        assert (task.end_reason, task.error) == (EndReason.FAILED, registry.agents()[name].unavailable())
        assert task.progress == 10
    task = run_task("data-processor", f"{local_root}/absent")
    assert "could not be cloned" in str(task.error)
    assert any(message.startswith("fatal: ") for message in run_task.log(task))


def test_what_was_allowed_when_the_task_was_made_is_asked_again_when_it_runs(
    run_task: Life, local_root: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    gone = commands.create(run_task.actor, prompt="x", agent=run_task.agent("", "short-lived"))
    elsewhere = commands.create(run_task.actor, prompt="x", repo_url=f"{local_root}/absent", agent="data-processor")
    monkeypatch.delitem(registry.extra, "short-lived")
    (tmp_path / "agents.toml").unlink()
    catalog.catalog.cache_clear()
    run_task.run_task(), run_task.run_task()
    assert "There is no agent short-lived any more" in str(run_task.find(gone).error)
    task = run_task.find(elsewhere)
    assert (task.end_reason, "only where the administrator allowed it" in str(task.error)) == (EndReason.FAILED, True)


def test_a_flood_is_kept_to_its_head_and_tail(run_task: Life) -> None:
    run_task.settle(log_lines=100)
    task = run_task.script("for number in range(9_000): print(f'line {number}')")
    lines = run_task.log(task)[3:-1]
    assert lines[:80] == [f"line {number}" for number in range(80)]
    assert lines[80] == "8,900 lines of output were left out here; the last 20 follow, with their times."
    assert lines[81:] == [f"line {number}" for number in range(8_980, 9_000)]
    assert task.log_count == len(run_task.log(task))


def test_a_fault_of_taskdeck_ends_the_task_and_is_explained_in_the_servers_log_alone(
    run_task: Life, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "workspaces").write_text("a file where a folder should be")
    task = run_task("data-processor")
    assert (task.end_reason, task.error) == (EndReason.FAILED, processor.BROKEN)
    assert "ended by a fault of Taskdeck" in caplog.text and "workspaces" not in "".join(run_task.log(task))


def test_the_error_of_a_task_is_masked_cleaned_and_cut_like_its_log_and_a_file_left_is_named(run_task: Life) -> None:
    task = run_task.script("import os, sys; os.symlink('/etc/passwd', sys.argv[1] + '/passwd')")
    assert any(line.startswith("Not kept: passwd (a link).") for line in run_task.log(task))
    assert run_task.files(task) == {}
    code = SAY + "say(type='error', message='password=hunter2222 \\x1b[2J\\ud800 ' + 'x' * 100_000); sys.exit(1)"
    task = run_task.script(code)
    assert task.end_reason is EndReason.FAILED
    assert task.error is not None and task.error.startswith("password=[hidden]")
    assert len(task.error) <= 8_000 and not {"\x1b", "\ud800"} & set(task.error)


@pytest.mark.parametrize(("number", "sentence"), [("ENOSPC", "DISK_FULL"), ("EDQUOT", "DISK_FULL"), ("EIO", "BROKEN")])
def test_a_full_disk_leaves_no_file(number: str, sentence: str, run_task: Life, data: Path, monkeypatch: Patch) -> None:
    copy, copied = output._copy, []

    def fill(*file: object) -> object:
        if copied:
            raise OSError(getattr(errno, number), "from the system")
        copied.append(file)
        return copy(*file)

    monkeypatch.setattr(output, "_copy", fill)
    code = "import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(2)]"
    task = run_task.script(code)
    assert (task.end_reason, task.error) == (EndReason.FAILED, getattr(processor, sentence))
    assert copied
    assert left_behind(data) == []


@pytest.mark.attack(96)
def test_the_secrets_that_an_agent_names_are_masked(run_task: Life, monkeypatch: Patch) -> None:
    code = "print('the value is acme-licence-value-42')"
    monkeypatch.setitem(registry.extra, "plug", Script("plug", code, secrets=("acme-licence-value-42",)))
    assert "the value is [hidden]" in run_task.log(run_task("plug"))
