"""Nothing that a command started outlives it, whatever it does, in a sandbox and without one."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.core.sandbox.commands import living, outcome, python, started
from tests.support.waiting import eventually
from tests.support.world import World

ROOT = Path(__file__).parents[3]

IGNORE = "import signal\nfor each in set(signal.Signals) - {9, 17, 19}: signal.signal(each, signal.SIG_IGN)\n"
TWICE = "import os\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  {}\n os._exit(0)\nos.wait()\n"
SPAWN = "import os; os.spawnlp(os.P_NOWAIT, 'sh', 'sh', '-c', {!r})\n"
SLEEP = "import time; print('ready', flush=True); time.sleep(600)"

DETACHED = {
    "a new session": SPAWN.format("exec setsid sleep 600"),
    "forked twice, holding the pipe": TWICE.format("import time; time.sleep(600)"),
    "forked twice, closed": TWICE.format("import time; os.closerange(0, 3); time.sleep(600)"),
    "ignoring every signal": TWICE.format("exec(" + repr(IGNORE + "while True: signal.pause()") + ")"),
    "a tree of shells": SPAWN.format("sleep 600 & (setsid sleep 600 &) & wait"),
    "never the same": TWICE.format("\n  while True:\n   os.setsid()\n   if os.fork(): os._exit(0)"),
}


@pytest.fixture(autouse=True, params=["bwrap", "none"])
def sandbox(request: pytest.FixtureRequest, world: World) -> str:
    world.settle(TASKDECK_SANDBOX=request.param)
    return str(request.param)


@pytest.mark.attack(88)
@pytest.mark.parametrize("kind", DETACHED)
def test_it_is_dead_when_the_command_was_stopped(kind: str, folder: Path) -> None:
    with started(python(IGNORE + DETACHED[kind] + SLEEP, folder)) as process:
        eventually(lambda: len(living(folder)) >= 3)  # the supervisor, the command, what it detached
        process.stop()
        assert process._supervisor.returncode == 128 + signal.SIGKILL, "it ended in time, by itself"
    assert living(folder) == []


@pytest.mark.attack(88)
@pytest.mark.parametrize("kind", DETACHED)
def test_it_is_dead_when_the_command_has_ended(kind: str, folder: Path) -> None:
    code = DETACHED[kind] + "print('done', flush=True); os._exit(4)"
    assert (outcome(python(code, folder)), living(folder)) == (([("done", False)], 4, None), [])


@pytest.mark.attack(88)
@pytest.mark.parametrize("victim", ["server", "supervisor"])
def test_it_is_dead_when_its_watcher_was_killed(victim: str, sandbox: str, folder: Path) -> None:
    detached = DETACHED["forked twice, holding the pipe"]
    code = IGNORE + (detached if (victim, sandbox) != ("supervisor", "none") else "") + SLEEP  # which nobody could find
    server = (
        "import sys, time; from pathlib import Path; from tests.core.sandbox.commands import python, started\n"
        f"process = started(python({code!r}, Path(sys.argv[1])))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", server, str(folder)], cwd=ROOT, stdout=subprocess.PIPE) as helper:
        try:
            assert helper.stdout and helper.stdout.readline() == b"ready\n"
            (supervisor,) = psutil.Process(helper.pid).children()
            (helper if victim == "server" else supervisor).kill()
            eventually(lambda: living(folder) == [], 5)
        finally:
            helper.kill()


@pytest.mark.parametrize("sandbox", ["bwrap"], indirect=True)
def test_a_command_that_kills_all_that_it_can_see_kills_only_itself(folder: Path) -> None:
    with started(python(SLEEP, folder)) as other:
        lines, _, _ = outcome(python("import os; os.kill(-1, 9)", folder))
        assert lines[-1] == ("ProcessLookupError: [Errno 3] No such process", True)
        assert not other.ended
