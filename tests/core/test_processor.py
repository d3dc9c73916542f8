import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import core.agents
from core import artifacts, claims, logs, processor, tasks
from core.agents import catalog
from core.config import Settings
from core.models import EndReason, LogType, Task, TaskStatus
from core.ownership import Actor

SAY = "import json, sys\ndef say(**event): print(json.dumps(event), flush=True)\n"
DETACH = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    with open({path!r} + ".draft", "w") as file:
        file.write(str(os.getpid()))
    os.rename({path!r} + ".draft", {path!r})
    time.sleep(600)
time.sleep(600)
"""


class Life:
    """Creates, claims and lives Ada's tasks, with limits small enough for a test."""

    def __init__(self, actor: Actor, data: Path) -> None:
        self.actor = actor
        self.settings = Settings(timeout=30, warning=20, tick=10, data=data)
        self.stopping = threading.Event()
        self.monotonic: Callable[[], float] = time.monotonic

    def __call__(self, agent: str, repo_url: str | None = None) -> Task:
        task = tasks.create(self.actor, "the prompt", repo_url, agent)
        self.live()
        return tasks.find(self.actor, task.id)

    def live(self) -> None:
        claim = claims.claim("runner", 30)
        assert claim
        processor.live(claim, self.settings, self.stopping, self.monotonic)

    def log(self, task: Task) -> list[str]:
        return [entry.message for entry in logs.after(self.actor, task.id)]

    def types(self, task: Task) -> list[LogType]:
        return [entry.type for entry in logs.after(self.actor, task.id)]


@pytest.fixture
def live(ada: Actor, data: Path) -> Life:
    return Life(ada, data)


def left_behind(data: Path) -> list[str]:
    """What lies in the folders of tasks."""
    return [path.name for name in ("workspaces", "artifacts") for path in sorted((data / name).rglob("*"))]


def read_pid(path: Path) -> int:
    return int(path.read_text()) if path.exists() else 0


def test_a_task_runs_to_its_one_end_with_its_log_in_order(
    live: Life, data: Path, script_agent: Callable[[str, str], str]
) -> None:
    code = SAY + (
        "say(type='info', message=sys.stdin.read())\n"
        "say(type='progress', done=1, total=2)\n"
        "print('not an event', flush=True)\n"
        "print('to stderr', file=sys.stderr, flush=True)\n"
        "open(sys.argv[1] + '/report.md', 'w').write('# Report')\n"
        "say(type='success', message='made it')\n"
    )
    task = live(script_agent("worker", code))
    assert (task.status, task.end_reason, task.progress, task.error) == ("completed", "completed", 100, None)
    log = live.log(task)
    assert [message for message in log if message != "to stderr"] == [
        "Task accepted for worker; it waits for a free runner.",
        log[1],
        "worker --output output",
        "the prompt",
        "not an event",
        "made it",
        "Kept 1 files: report.md.",
        "Completed in 0 s.",
    ]
    assert "to stderr" in log
    types = live.types(task)
    assert (types[2], types[-1]) == (LogType.COMMAND, LogType.SUCCESS)
    (artifact,) = artifacts.of(live.actor, task.id)
    assert (artifact.name, artifact.size, artifact.media_type) == ("report.md", 8, "text/markdown")
    assert left_behind(data) == [str(task.id), "report.md"]


def test_a_repository_is_cloned_and_handed_to_the_agent(
    live: Life, local_root: Path, make_repository: Callable[..., Path], script_agent: Callable[[str, str], str]
) -> None:
    origin = make_repository(local_root / "shop", {"sales.csv": "a\n1\n"})
    code = SAY + "import os; say(type='info', message=' '.join(sorted(os.listdir(os.path.dirname(sys.argv[1])))))"
    task = live(script_agent("worker", code), str(origin))
    assert task.status is TaskStatus.COMPLETED
    log = live.log(task)
    assert f"git clone --depth 1 file://{origin}" in log
    assert log.index("worker --output output --input repository") < log.index("home output repository")


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
    code: str, sentence: str, live: Life, data: Path, script_agent: Callable[[str, str], str]
) -> None:
    task = live(script_agent("worker", "import sys; open(sys.argv[1] + '/half.md', 'w').write('x')\n" + code))
    assert (task.status, task.end_reason, task.error) == (TaskStatus.ERROR, EndReason.FAILED, sentence)
    assert live.log(task)[-1] == sentence
    assert live.types(task)[-1] is LogType.ERROR
    assert left_behind(data) == []


def test_progress_stays_where_it_was_when_the_agent_fails(live: Life, script_agent: Callable[[str, str], str]) -> None:
    code = SAY + "say(type='progress', done=3, total=5); say(type='progress', done=1, total=5); sys.exit(1)"
    assert live(script_agent("worker", code)).progress == 30 + 33


@pytest.mark.parametrize("name", ["claude", "codex", "shell"])
def test_an_agent_that_is_not_set_up_says_so(name: str, live: Life) -> None:
    task = live(name)
    assert (task.end_reason, task.error) == (EndReason.FAILED, core.agents.agents()[name].unavailable())
    assert task.progress == 10


def test_an_agent_that_is_gone_since_is_named(
    live: Life, ada: Actor, script_agent: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tasks.create(ada, "x", None, script_agent("short-lived", ""))
    monkeypatch.setattr(core.agents, "_AGENTS", core.agents._AGENTS[:-1])
    live.live()
    assert "There is no agent short-lived any more" in str(tasks.find(ada, task.id).error)


def test_a_repository_that_is_not_there_or_not_allowed_any_more_fails_the_task(
    live: Life, ada: Actor, local_root: Path, tmp_path: Path
) -> None:
    task = live("data-processor", f"{local_root}/absent")
    assert "could not be cloned" in str(task.error)
    assert any(message.startswith("fatal: ") for message in live.log(task))
    task = tasks.create(ada, "x", f"{local_root}/absent", "data-processor")
    (tmp_path / "agents.toml").unlink()
    catalog.catalog.cache_clear()
    live.live()
    task = tasks.find(ada, task.id)
    assert (task.end_reason, "only where the administrator allowed it" in str(task.error)) == (EndReason.FAILED, True)


def test_at_the_limit_the_task_ends_and_even_a_detached_process_is_dead(
    live: Life, data: Path, tmp_path: Path, script_agent: Callable[[str, str], str], is_alive: Callable[[int], bool]
) -> None:
    live.settings = Settings(timeout=1.5, warning=0.5, tick=0.4, data=data)
    began = time.monotonic()
    task = live(script_agent("sleeper", DETACH.format(path=str(tmp_path / "pid"))))
    assert time.monotonic() - began < 4
    assert (task.status, task.end_reason) == (TaskStatus.ERROR, EndReason.TIMED_OUT)
    assert task.error == "The task was stopped at its limit of 2 s."
    assert task.progress == 30
    log = live.log(task)
    warning = log.index("1 s left: the task will be stopped at 2 s.")
    assert warning < log.index(task.error)
    assert [message for message in log if message.endswith("of work: sleeper at work.")]
    assert not is_alive(read_pid(tmp_path / "pid"))
    assert left_behind(data) == []


def test_every_tick_of_silent_work_is_an_entry_and_moves_no_progress(
    live: Life, ada: Actor, data: Path, script_agent: Callable[[str, str], str]
) -> None:
    live.settings = Settings(timeout=30, warning=20, tick=0.2, data=data)
    task = live(script_agent("sleeper", SAY + "import time; time.sleep(0.9); say(type='info', message='awake')"))
    log = live.log(task)
    ticks = [message for message in log[: log.index("awake")] if "of work: sleeper at work." in message]
    assert 3 <= len(ticks) <= 5
    assert task.status is TaskStatus.COMPLETED


def test_a_deleted_tasks_process_dies_within_two_seconds_and_nothing_is_left(
    live: Life,
    ada: Actor,
    data: Path,
    tmp_path: Path,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
    is_alive: Callable[[int], bool],
) -> None:
    code = "import sys; open(sys.argv[1] + '/a.md', 'w').write('x')\n" + DETACH.format(path=str(tmp_path / "pid"))
    task = tasks.create(ada, "x", None, script_agent("sleeper", code))
    runner = threading.Thread(target=live.live)
    runner.start()
    eventually(lambda: read_pid(tmp_path / "pid"))
    eventually(lambda: tasks.find(ada, task.id).progress == 30)  # all is written: only the look can tell
    pid = read_pid(tmp_path / "pid")
    tasks.delete_one(ada, task.id)
    eventually(lambda: not is_alive(pid), 2)
    runner.join(5)
    assert not runner.is_alive()
    assert left_behind(data) == []
    assert tasks.page(ada).tasks == []


def test_a_task_that_is_deleted_while_its_files_are_kept_leaves_no_file(
    live: Life, ada: Actor, data: Path, script_agent: Callable[[str, str], str]
) -> None:
    code = "import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(3)]"
    task = tasks.create(ada, "x", None, script_agent("worker", code))
    gone: list[bool] = []

    def clock() -> float:
        if (data / "artifacts" / str(task.id)).exists() and not gone:
            gone.append(True)
            tasks.delete_one(ada, task.id)
        return time.monotonic()

    live.monotonic = clock
    live.live()
    assert gone
    assert left_behind(data) == []


def test_a_limit_that_comes_while_files_are_kept_leaves_no_file(
    live: Life, ada: Actor, data: Path, script_agent: Callable[[str, str], str]
) -> None:
    code = "import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(3)]"
    live.monotonic = lambda: time.monotonic() + 100 * any((data / "artifacts").glob("*/*"))
    task = live(script_agent("worker", code))
    assert task.end_reason is EndReason.TIMED_OUT
    assert (artifacts.of(ada, task.id), task.sandbox_url) == ([], None)
    assert left_behind(data) == []


def test_a_server_that_stops_ends_its_task_as_interrupted_at_once(
    live: Life,
    tmp_path: Path,
    ada: Actor,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
    is_alive: Callable[[int], bool],
) -> None:
    task = tasks.create(ada, "x", None, script_agent("sleeper", DETACH.format(path=str(tmp_path / "pid"))))
    runner = threading.Thread(target=live.live)
    runner.start()
    eventually(lambda: read_pid(tmp_path / "pid"))
    live.stopping.set()
    runner.join(3)
    assert not runner.is_alive()
    task = tasks.find(ada, task.id)
    assert (task.end_reason, task.error) == (EndReason.INTERRUPTED, processor.INTERRUPTED)
    assert live.log(task)[-1] == processor.INTERRUPTED
    assert not is_alive(read_pid(tmp_path / "pid"))


def test_a_runner_that_lost_its_lease_does_not_overwrite_the_end(
    live: Life, ada: Actor, tmp_path: Path, script_agent: Callable[[str, str], str], eventually: Callable[..., None]
) -> None:
    task = tasks.create(ada, "x", None, script_agent("sleeper", DETACH.format(path=str(tmp_path / "pid"))))
    runner = threading.Thread(target=live.live)
    runner.start()
    eventually(lambda: read_pid(tmp_path / "pid"))
    eventually(lambda: tasks.find(ada, task.id).progress == 30)
    later = tasks.find(ada, task.id).lease_until
    assert later
    claims.expire(now=later.replace(year=later.year + 1))
    ended = live.log(task)
    runner.join(5)
    assert not runner.is_alive()
    assert tasks.find(ada, task.id).end_reason is EndReason.INTERRUPTED
    assert live.log(task) == ended


def test_a_flood_is_kept_to_its_head_and_tail(live: Life, data: Path, script_agent: Callable[[str, str], str]) -> None:
    live.settings = Settings(timeout=30, warning=20, tick=10, data=data, log_lines=100)
    task = live(script_agent("flooder", "for number in range(50_000): print(f'line {number}')"))
    lines = live.log(task)[3:-1]
    assert lines[:80] == [f"line {number}" for number in range(80)]
    assert lines[80] == "49,900 lines of output were left out here; the last 20 follow, with their times."
    assert lines[81:] == [f"line {number}" for number in range(49_980, 50_000)]
    assert task.log_count == len(live.log(task))


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
def test_garbage_does_not_end_a_task(line: str, live: Life, script_agent: Callable[[str, str], str]) -> None:
    task = live(script_agent("babbler", f"import sys; sys.stdout.buffer.write({line})"))
    assert (task.status, task.error) == (TaskStatus.COMPLETED, None)


def test_a_fault_of_taskdeck_ends_the_task_and_is_explained_in_the_servers_log_alone(
    live: Life, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "workspaces").write_text("a file where a folder should be")
    task = live("data-processor")
    assert (task.end_reason, task.error) == (EndReason.FAILED, processor.BROKEN)
    assert "ended by a fault of Taskdeck" in caplog.text
    assert "workspaces" not in "".join(live.log(task))


def test_the_error_of_a_task_is_masked_cleaned_and_cut_like_its_log(
    live: Life, script_agent: Callable[[str, str], str]
) -> None:
    code = SAY + "say(type='error', message='password=hunter2222 \\x1b[2J\\ud800 ' + 'x' * 100_000); sys.exit(1)"
    task = live(script_agent("leaky", code))
    assert task.end_reason is EndReason.FAILED
    assert task.error is not None
    assert task.error.startswith("password=[hidden]")
    assert len(task.error) <= 8_000
    assert not {"\x1b", "\ud800"} & set(task.error)


def test_a_file_that_is_not_kept_is_named(live: Life, script_agent: Callable[[str, str], str]) -> None:
    task = live(script_agent("linker", "import os, sys; os.symlink('/etc/passwd', sys.argv[1] + '/passwd')"))
    assert any(line.startswith("Not kept: passwd.") for line in live.log(task))
    assert artifacts.of(live.actor, task.id) == []
