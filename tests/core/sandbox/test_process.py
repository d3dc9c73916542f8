"""A process, its lines and its end. Without a sandbox: what that adds is in the files beside this one."""

import errno
import hashlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from core.errors import AgentFailed
from core.sandbox.process import KEPT_BYTES, Process
from tests.core.sandbox.commands import command, outcome, output, python, shell, started
from tests.support.waiting import eventually, is_alive
from tests.support.world import Patch, World

SLEEP = "import time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def no_sandbox(world: World) -> None:
    world.settle(TASKDECK_SANDBOX="none")


def test_lines_of_both_streams_come_whole_and_errors_are_flagged(folder: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); print(); print('no end', end='')"
    lines, status, verdict = outcome(python(code, folder))
    assert sorted(lines) == [("", False), ("err", True), ("no end", False), ("out", False)]
    assert ([line for line, is_error in lines if not is_error], status, verdict) == (["out", "", "no end"], 0, None)


def test_the_standard_input_arrives_whole_and_a_child_that_does_not_read_it_is_not_held_up(folder: Path) -> None:
    given = "zwei Zeilen\nä 🎉 " + "x" * 2**20
    code = "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    assert output(python(code, folder, stdin=given)) == [hashlib.sha256(given.encode()).hexdigest()]
    assert output(python("print('done')", folder, stdin=given)) == ["done"]


def test_a_line_without_an_end_is_cut_in_little_memory_and_what_follows_it_is_whole(folder: Path) -> None:
    code = "import os\nfor _ in range(20): os.write(1, b'x' * 2**20)\nos.write(1, b'tail\\nne\\xffxt\\r\\n')"
    before = psutil.Process().memory_info().rss
    long, following = output(python(code, folder))
    assert long == "x" * KEPT_BYTES + f" … ({20 * 2**20 + 4:,} bytes, cut)"
    assert following == "ne\ufffdxt"
    assert psutil.Process().memory_info().rss - before < 15 * 2**20


def test_no_line_of_a_flood_is_lost_or_torn(folder: Path) -> None:
    code = "for number in range(100_000): print(f'line {number}')"
    assert output(python(code, folder, env={"PYTHONUNBUFFERED": ""})) == [f"line {n}" for n in range(100_000)]


def test_the_exit_status_is_the_commands_or_128_and_the_signal_or_127_for_one_that_is_not_there(folder: Path) -> None:
    codes = {"exit 3": 3, "exit 255": 255, "kill -9 $$": 137, "kill -15 $$": 143, "exec >&- 2>&-; exit 5": 5}
    for code, status in codes.items():
        assert outcome(shell(code, folder)) == ([], status, None), code
    line = "no-such-program could not be started: No such file or directory"
    assert outcome(command(("no-such-program", "x"), folder)) == ([(line, True)], 127, None)


def test_what_cannot_be_started_is_an_agents_failure_and_leaves_nothing(folder: Path, monkeypatch: Patch) -> None:
    outcome(shell("echo", folder))
    before = psutil.Process().num_fds(), psutil.Process().children(recursive=True)
    outcome(shell("echo", folder))
    for argv, place in ((("python", "a\0b"), "."), (("python",), "absent")):
        with pytest.raises(AgentFailed, match="could not be started"):
            Process(replace(python("", folder), argv=argv, cwd=folder / place), 30)
    monkeypatch.setattr(os, "set_blocking", Mock(side_effect=OSError(errno.EMFILE, "Too many open files")))
    with pytest.raises(AgentFailed, match="could not be started"):
        Process(python(SLEEP, folder), 30)
    assert (psutil.Process().num_fds(), psutil.Process().children(recursive=True)) == before


def test_the_child_gets_nothing_of_the_server_but_the_path(folder: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("TASKDECK_SECRET", "q7XcV0nBz1LmKdJfHgTsRpWyEuIoAa32")
    code = (
        "import json, os; print(json.dumps([sorted(os.environ), sorted(os.listdir('/proc/self/fd'))]))\n"
        "print(os.getsid(0)); print(os.getsid(os.getppid()))"
    )
    with (folder / "database").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        line, *sessions = output(python(code, folder, env={"HOME": "/nowhere"}))
    variables = ["HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"]
    assert json.loads(line) == [variables, ["0", "1", "2", "3"]]  # 3 is the listing itself
    assert str(os.getsid(0)) not in sessions, "a Ctrl-C in its terminal would reach the child or its supervisor"


def test_nothing_of_the_task_says_what_its_supervisor_imports(folder: Path) -> None:
    for name in ("psutil.py", "json.py", "core.py", "sitecustomize.py"):
        (folder / name).write_text("raise SystemExit(99)")
    env = {"PYTHONPATH": str(folder), "PYTHONSTARTUP": str(folder / "core.py"), "PYTHONHOME": "/nowhere"}
    assert output(command(("echo", "ran"), folder, env=env)) == ["ran"]


UNWILLING = {
    "ignores every signal": "import signal\nfor n in {*signal.Signals} - {9, 19}: signal.signal(n, 1)\n" + SLEEP,
    "stopped itself": "import os, signal; print('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP)",
    "floods": "while True: print('ready', flush=True)",
}


@pytest.mark.parametrize("code", UNWILLING.values(), ids=UNWILLING)
def test_stop_kills_a_child_whatever_it_does(code: str, folder: Path) -> None:
    with started(python(code, folder)) as process:
        (child,) = psutil.Process(process._supervisor.pid).children()
        process.stop()
        assert process._supervisor.returncode == 128 + signal.SIGKILL, "it ended in time, by itself"
        assert not child.is_running()
        assert process.exit_status == 137
        process.stop()  # harmless


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child's life to its parent's")
def test_a_child_that_kills_its_supervisor_dies_with_it(folder: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); os.kill(os.getppid(), 9); time.sleep(600)"
    lines, status, _ = outcome(python(code, folder))
    assert status == 137
    eventually(lambda: not is_alive(int(lines[0][0])), 5)


def test_a_command_that_nobody_watches_any_more_is_killed_by_its_supervisor(folder: Path) -> None:
    """As when the server is frozen: its end of the lifeline is open, and silent."""
    with started(python(SLEEP, folder), silence=0.8) as process:
        (child,) = psutil.Process(process._supervisor.pid).children()
        for _ in range(10):
            process.alive()
            process.read(0.1)
        assert is_alive(child.pid)
        eventually(lambda: process.read(0.01) or process.ended, 10)
        assert not is_alive(child.pid)
        process.alive()  # too late, and harmless


def test_a_script_may_open_its_standard_streams_by_their_paths(folder: Path, world: World) -> None:
    world.settle(TASKDECK_SANDBOX="bwrap")
    code = "cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr"
    lines, status, _ = outcome(replace(shell(code, folder), stdin="given\n"))
    assert (sorted(lines), status) == ([("err", True), ("given", False), ("out", False)], 0)
