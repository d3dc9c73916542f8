import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents import catalog, registry
from core.config import Settings
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.log_text import LogType
from core.runner import processor
from core.sandbox import output
from core.tasks import artifacts, commands
from tests.core.living import SAY, Life, left_behind
from tests.support.world import World


def test_a_task_runs_to_its_one_end_with_its_log_in_order(run_task: Life, data: Path, world: World) -> None:
    code = SAY + (
        "say(type='info', message=sys.stdin.read())\n"
        "say(type='progress', done=1, total=2)\n"
        "print('not an event', flush=True)\n"
        "print('to stderr', file=sys.stderr, flush=True)\n"
        "open(sys.argv[1] + '/report.md', 'w').write('# Report')\n"
        "say(type='success', message='made it')\n"
    )
    task = run_task(world.script_agent("worker", code))
    assert (task.status, task.end_reason, task.progress, task.error) == ("completed", "completed", 100, None)
    log = run_task.log(task)
    assert [message for message in log if message != "to stderr"] == [
        "Task accepted for worker; it waits for a free runner.",
        log[1],
        "worker --output output",
        "the prompt",
        "not an event",
        "made it",
        "Kept 1 file: report.md.",
        "Completed in 0 s.",
    ]
    assert "to stderr" in log
    types = run_task.types(task)
    assert (types[2], types[-1]) == (LogType.COMMAND, LogType.SUCCESS)
    (artifact,) = artifacts.of(run_task.actor, task.id)
    assert (artifact.name, artifact.size, artifact.media_type) == ("report.md", 8, "text/markdown")
    assert left_behind(data) == [str(task.id), "report.md"]


def test_a_repository_is_cloned_and_handed_to_the_agent(
    run_task: Life, local_root: Path, make_repository: Callable[..., Path], world: World
) -> None:
    origin = make_repository(local_root / "shop", {"sales.csv": "a\n1\n"})
    code = SAY + "import os; say(type='info', message=' '.join(sorted(os.listdir(os.path.dirname(sys.argv[1])))))"
    task = run_task(world.script_agent("worker", code), str(origin))
    assert task.status is TaskStatus.COMPLETED
    log = run_task.log(task)
    assert f"git clone --depth 1 file://{origin}" in log
    assert log.index("worker --output output --input repository") < log.index("gateway git home output repository")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (SAY + "say(type='error', message='The file is empty.'); sys.exit(3)", "The file is empty."),
        (SAY + "[say(type='error', message=each) for each in ('first', 'last')]; sys.exit(1)", "last"),
        ("raise SystemExit(3)", "worker ended with exit status 3."),
        ("import os; os.kill(os.getpid(), 11)", "worker ended with exit status 139."),
    ],
)
def test_an_agents_failure_is_the_tasks_error(
    code: str, sentence: str, run_task: Life, data: Path, world: World
) -> None:
    task = run_task(world.script_agent("worker", "import sys; open(sys.argv[1] + '/half.md', 'w').write('x')\n" + code))
    assert (task.status, task.end_reason, task.error) == (TaskStatus.ERROR, EndReason.FAILED, sentence)
    assert run_task.log(task)[-1] == sentence
    assert run_task.types(task)[-1] is LogType.ERROR
    assert left_behind(data) == []


def test_progress_stays_where_it_was_when_the_agent_fails(run_task: Life, world: World) -> None:
    code = SAY + "say(type='progress', done=3, total=5); say(type='progress', done=1, total=5); sys.exit(1)"
    assert run_task(world.script_agent("worker", code)).progress == 30 + 33


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_an_agent_that_is_not_set_up_says_so(name: str, run_task: Life) -> None:
    task = run_task(name)
    assert (task.end_reason, task.error) == (EndReason.FAILED, registry.agents()[name].unavailable())
    assert task.progress == 10


def test_an_agent_that_is_gone_since_is_named(
    run_task: Life, ada: Actor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = commands.create(ada, prompt="x", agent=world.script_agent("short-lived", ""))
    monkeypatch.setattr(core.agents.registry, "build_agents", made)
    run_task.run_task()
    assert "There is no agent short-lived any more" in str(commands.find(ada, task.id).error)


def test_a_repository_that_is_not_there_or_not_allowed_any_more_fails_the_task(
    run_task: Life, ada: Actor, local_root: Path, tmp_path: Path
) -> None:
    task = run_task("data-processor", f"{local_root}/absent")
    assert "could not be cloned" in str(task.error)
    assert any(message.startswith("fatal: ") for message in run_task.log(task))
    task = commands.create(ada, prompt="x", repo_url=f"{local_root}/absent", agent="data-processor")
    (tmp_path / "agents.toml").unlink()
    catalog.catalog.cache_clear()
    run_task.run_task()
    task = commands.find(ada, task.id)
    assert (task.end_reason, "only where the administrator allowed it" in str(task.error)) == (EndReason.FAILED, True)


def test_a_flood_is_kept_to_its_head_and_tail(run_task: Life, data: Path, world: World) -> None:
    run_task.settings = Settings(timeout=30, warning=20, tick=10, data=data, log_lines=100)
    task = run_task(world.script_agent("flooder", "for number in range(50_000): print(f'line {number}')"))
    lines = run_task.log(task)[3:-1]
    assert lines[:80] == [f"line {number}" for number in range(80)]
    assert lines[80] == "49,900 lines of output were left out here; the last 20 follow, with their times."
    assert lines[81:] == [f"line {number}" for number in range(49_980, 50_000)]
    assert task.log_count == len(run_task.log(task))


@pytest.mark.parametrize(
    "line",
    [
        r"b'\xff\xfe\x00 \x1b]0;x\x07 \xed\xa0\x80\n'",
        r"b'[' * 100_000 + b'\n'",
        r"b'x' * 6_000_000",
        r"""b'{"type": "progress", "done": 1' + b'0' * 400 + b', "total": 1}\n'""",
    ],
    ids=["no text", "deep brackets", "a line of six million", "a huge number"],
)
def test_garbage_does_not_end_a_task(line: str, run_task: Life, world: World) -> None:
    task = run_task(world.script_agent("babbler", f"import sys; sys.stdout.buffer.write({line})"))
    assert (task.status, task.error) == (TaskStatus.COMPLETED, None)


def test_a_fault_of_taskdeck_ends_the_task_and_is_explained_in_the_servers_log_alone(
    run_task: Life, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "workspaces").write_text("a file where a folder should be")
    task = run_task("data-processor")
    assert (task.end_reason, task.error) == (EndReason.FAILED, processor.BROKEN)
    assert "ended by a fault of Taskdeck" in caplog.text
    assert "workspaces" not in "".join(run_task.log(task))


def test_the_error_of_a_task_is_masked_cleaned_and_cut_like_its_log(run_task: Life, world: World) -> None:
    code = SAY + "say(type='error', message='password=hunter2222 \\x1b[2J\\ud800 ' + 'x' * 100_000); sys.exit(1)"
    task = run_task(world.script_agent("leaky", code))
    assert task.end_reason is EndReason.FAILED
    assert task.error is not None
    assert task.error.startswith("password=[hidden]")
    assert len(task.error) <= 8_000
    assert not {"\x1b", "\ud800"} & set(task.error)


def test_a_file_that_is_not_kept_is_named(run_task: Life, world: World) -> None:
    task = run_task(world.script_agent("linker", "import os, sys; os.symlink('/etc/passwd', sys.argv[1] + '/passwd')"))
    assert any(line.startswith("Not kept: passwd (a link).") for line in run_task.log(task))
    assert artifacts.of(run_task.actor, task.id) == []


@pytest.mark.parametrize(("number", "sentence"), [("ENOSPC", "DISK_FULL"), ("EDQUOT", "DISK_FULL"), ("EIO", "BROKEN")])
def test_a_full_disk_is_named_and_leaves_no_file(
    number: str, sentence: str, run_task: Life, data: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, copied = output._copy, []

    def fill(*file: object) -> object:
        if copied:
            raise OSError(getattr(errno, number), "from the system")
        copied.append(file)
        return copy(*file)

    monkeypatch.setattr(output, "_copy", fill)
    code = "import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(2)]"
    task = run_task(world.script_agent("worker", code))
    assert (task.end_reason, task.error) == (EndReason.FAILED, getattr(processor, sentence))
    assert copied
    assert left_behind(data) == []
