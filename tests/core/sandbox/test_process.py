"""A process, its lines and its end. Without a box: what the box adds is in the files beside this one."""

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.errors import AgentFailed
from core.sandbox.command import Command
from core.sandbox.process import KEPT_BYTES, Process
from tests.core.sandbox import commands
from tests.core.sandbox.commands import finish, living
from tests.support.waiting import eventually, is_alive
from tests.support.world import World

ROOT = Path(__file__).parents[3]

#: A process that has nothing to do with its parent any more; it writes its id to the file that it is given.
DETACH = """
import os, sys, time
def detach(path):
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(path + ".draft", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".draft", path)
    {then}
    time.sleep(600)
    os._exit(0)
"""


@pytest.fixture(autouse=True)
def no_box(world: World) -> None:
    world.settle(TASKDECK_SANDBOX="none")


def python(code: str, folder: Path, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Command:
    return commands.command((sys.executable, "-c", code, *arguments), folder, stdin=stdin, env=env)


def read_pid(path: Path) -> int:
    return int(path.read_text()) if path.exists() else 0


def test_lines_of_both_streams_come_whole_and_errors_are_flagged(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); print(); print('no end', end='')"
    lines, status = finish(python(code, tmp_path))
    assert sorted(lines) == [("", False), ("err", True), ("no end", False), ("out", False)]
    assert [line for line, is_error in lines if not is_error] == ["out", "", "no end"]
    assert status == 0


def test_the_standard_input_arrives_whole(tmp_path: Path) -> None:
    given = "zwei Zeilen\nä 🎉 " + "x" * 100_000
    lines, _ = finish(python("import sys; print(ascii(sys.stdin.read()))", tmp_path, stdin=given))
    assert lines == [(ascii(given), False)]


def test_a_child_that_reads_nothing_of_a_large_input_blocks_nobody(tmp_path: Path) -> None:
    began = time.monotonic()
    assert finish(python("print('done')", tmp_path, stdin="x" * 2**20)) == ([("done", False)], 0)
    assert time.monotonic() - began < 10


def test_bytes_that_are_no_text_become_replacement_characters(tmp_path: Path) -> None:
    code = r"import os; os.write(1, b'a\xff\xfeb \xed\xa0\x80\r\n\xc3')"
    assert finish(python(code, tmp_path))[0] == [("a\ufffd\ufffdb \ufffd\ufffd\ufffd", False), ("\ufffd", False)]


def test_a_line_without_an_end_is_cut_and_what_follows_it_is_whole(tmp_path: Path) -> None:
    code = "import os\nfor _ in range(20): os.write(1, b'x' * 2**20)\nos.write(1, b'tail\\nnext\\n')"
    before = psutil.Process().memory_info().rss
    lines, status = finish(python(code, tmp_path))
    assert status == 0
    (long, _), (following, _) = lines
    assert long == "x" * KEPT_BYTES + f" … ({20 * 2**20 + 4:,} bytes, cut)"
    assert following == "next"
    assert psutil.Process().memory_info().rss - before < 15 * 2**20


def test_no_line_of_a_flood_is_lost_or_torn(tmp_path: Path) -> None:
    lines, _ = finish(
        python("for number in range(200_000): print(f'line {number}')", tmp_path, env={"PYTHONUNBUFFERED": ""})
    )
    assert [line for line, _ in lines] == [f"line {number}" for number in range(200_000)]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("raise SystemExit(255)", 255),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("import os; os.kill(os.getpid(), 15)", 143),
        ("import os; os.close(1); os.close(2); os._exit(5)", 5),
    ],
)
def test_the_exit_status_is_the_commands_or_128_and_the_signal(code: str, status: int, tmp_path: Path) -> None:
    assert finish(python(code, tmp_path))[1] == status


def test_a_program_that_is_not_there_is_127_and_one_line(tmp_path: Path) -> None:
    lines, status = finish(commands.command(("no-such-program", "x"), tmp_path))
    assert (lines, status) == ([("no-such-program could not be started: No such file or directory", True)], 127)


@pytest.mark.parametrize(("command", "folder"), [(("python", "a\0b"), "."), (("python",), "absent")])
def test_what_the_machine_cannot_start_is_an_agents_failure_and_leaks_nothing(
    command: tuple[str, ...], folder: str, tmp_path: Path
) -> None:
    before = psutil.Process().num_fds()
    for _ in range(5):
        with pytest.raises(AgentFailed, match="could not be started"):
            Process(replace(python("", tmp_path), argv=command, cwd=tmp_path / folder), 30)
    assert psutil.Process().num_fds() == before


def test_nothing_is_left_open_after_a_process(tmp_path: Path) -> None:
    finish(python("print(1)", tmp_path))
    before = psutil.Process().num_fds()
    for _ in range(3):
        finish(python("print(1)", tmp_path))
    assert psutil.Process().num_fds() == before


def test_the_child_gets_nothing_of_the_servers_environment_but_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKDECK_SECRET", "q7XcV0nBz1LmKdJfHgTsRpWyEuIoAa32")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    code = "import json, os; print(json.dumps(dict(os.environ), sort_keys=True))"
    ((line, _),), _ = finish(python(code, tmp_path, env={"HOME": "/nowhere"}))
    expected = {"PATH", "HOME", "LANG", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert json.loads(line).keys() == expected


def test_a_ctrl_c_in_the_servers_terminal_reaches_neither_the_child_nor_its_supervisor(tmp_path: Path) -> None:
    code = "import os; print(os.getsid(0)); print(os.getsid(os.getppid()))"
    lines, _ = finish(python(code, tmp_path))
    assert len(lines) == 2
    assert str(os.getsid(0)) not in [line for line, _ in lines]


def test_the_child_gets_no_open_file_of_the_server(tmp_path: Path) -> None:
    with (tmp_path / "database").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        lines, _ = finish(python("import os; print(sorted(os.listdir('/proc/self/fd')))", tmp_path))
    assert lines == [("['0', '1', '2', '3']", False)]  # 3 is the listing itself


@pytest.mark.parametrize(
    "code",
    [
        "import time; print('ready', flush=True); time.sleep(600)",
        "import signal, time\nfor each in set(signal.Signals) - {9, 19}: signal.signal(each, signal.SIG_IGN)\n"
        "print('ready', flush=True)\nwhile True: time.sleep(1)",
        "import os, signal; print('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP)",
        "print('ready', flush=True)\nwhile True: pass",
        "while True: print('ready', flush=True)",
    ],
    ids=["sleeps", "ignores every signal", "stopped itself", "computes", "floods"],
)
def test_stop_kills_a_child_whatever_it_does(code: str, tmp_path: Path) -> None:
    with Process(python(code, tmp_path), 30) as process:
        while not process.read(0.1):
            pass
        family = psutil.Process(process._supervisor.pid).children()
        assert len(family) == 1
        began = time.monotonic()
        process.stop()
        assert time.monotonic() - began < 2
        assert not family[0].is_running()
        assert process.exit_status == 137
        process.stop()  # harmless


def test_stop_kills_a_grandchild_that_detached_itself(tmp_path: Path) -> None:
    code = DETACH.format(then="pass") + "detach(sys.argv[1]); time.sleep(600)"
    with Process(python(code, tmp_path, str(tmp_path / "pid")), 30):
        eventually(lambda: read_pid(tmp_path / "pid"))
        pid = read_pid(tmp_path / "pid")
        assert is_alive(pid)
    assert not is_alive(pid)


def test_stop_kills_a_process_that_never_stays_the_same(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "if os.fork(): time.sleep(600)\n"
        "while True:\n"
        "    os.setsid()\n"
        "    print('hop', flush=True)\n"
        "    if os.fork(): os._exit(0)\n"
    )
    hops: list[str] = []
    with Process(python(code, tmp_path), 30) as process:
        while len(hops) < 20:
            hops += [line for line, _ in process.read(0.1)]
    assert living(tmp_path) == []


def test_what_a_child_leaves_behind_ends_with_it_even_if_it_holds_the_pipe(tmp_path: Path) -> None:
    code = DETACH.format(then="print('still here', flush=True)") + (
        "detach(sys.argv[1])\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\nos._exit(4)"
    )
    began = time.monotonic()
    _, status = finish(python(code, tmp_path, str(tmp_path / "pid")))
    assert status == 4
    assert time.monotonic() - began < 10
    assert not is_alive(read_pid(tmp_path / "pid"))


def test_everything_dies_when_the_server_itself_is_killed(tmp_path: Path) -> None:
    child = DETACH.format(then="pass") + (
        "detach(sys.argv[1])\nopen(sys.argv[2], 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    server = (
        "import sys, time; from pathlib import Path\n"
        "from core.sandbox.command import Command, Sandbox; from core.sandbox.process import Process\n"
        f"kept = Process(Command((sys.executable, '-c', {child!r}, *sys.argv[1:]), Path('.'), 'test', Sandbox()), 30)\n"
        "time.sleep(600)\n"
    )
    grandchild, own = tmp_path / "grandchild", tmp_path / "own"
    with subprocess.Popen([sys.executable, "-c", server, str(grandchild), str(own)], cwd=ROOT) as helper:
        try:
            eventually(lambda: read_pid(grandchild) and own.exists() and own.read_text())
            pids = [read_pid(grandchild), int(own.read_text())]
            assert all(is_alive(pid) for pid in pids)
        finally:
            helper.kill()
    eventually(lambda: not any(is_alive(pid) for pid in pids), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child's life to its parent's")
def test_a_child_that_kills_its_supervisor_dies_with_it(tmp_path: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); os.kill(os.getppid(), 9); time.sleep(600)"
    with Process(python(code, tmp_path), 30) as process:
        lines = []
        while not process.ended:
            lines += process.read(0.1)
        assert process.exit_status == 137
    deadline = time.monotonic() + 5
    while psutil.pid_exists(int(lines[0][0])):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_command_that_nobody_watches_any_more_is_killed_by_its_supervisor(tmp_path: Path) -> None:
    """As when the server is frozen: its end of the lifeline is open, and silent."""
    with Process(python("import time; time.sleep(600)", tmp_path), 1.0) as process:
        supervisor = psutil.Process(process._supervisor.pid)
        eventually(supervisor.children)
        (child,) = supervisor.children()
        for _ in range(15):
            process.alive()
            time.sleep(0.1)
        assert is_alive(child.pid)
        eventually(lambda: not is_alive(child.pid), 4)
        eventually(lambda: process.read(0.01) or process.ended, 5)
        process.alive()  # too late, and harmless


def test_a_machine_without_another_descriptor_leaves_no_process_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    before = psutil.Process().children(recursive=True)
    monkeypatch.setattr(os, "set_blocking", no_more)
    with pytest.raises(AgentFailed, match="could not be started"):
        Process(python("import time; time.sleep(600)", tmp_path), 30)
    assert psutil.Process().children(recursive=True) == before


def test_a_script_may_open_its_standard_streams_by_their_paths(tmp_path: Path, world: World) -> None:
    world.settle(TASKDECK_SANDBOX="bwrap")
    folder = tmp_path / "work"
    folder.mkdir()
    made = replace(
        commands.shell("cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr", folder), stdin="given\n"
    )
    lines, status, _ = commands.outcome(made)
    assert (sorted(lines), status) == ([("err", True), ("given", False), ("out", False)], 0)
