"""Nothing that a boxed command started outlives it, whatever it does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from core.sandbox.process import Process
from tests.core.sandbox.commands import living, outcome, python
from tests.support.waiting import eventually

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
}


@pytest.mark.attack(88)
@pytest.mark.parametrize("code", DETACHED.values(), ids=DETACHED)
def test_it_is_dead_when_the_command_was_stopped(code: str, folder: Path) -> None:
    with Process(python(IGNORE + code + SLEEP, folder), 30) as process:
        lines: list[tuple[str, bool]] = []
        while not lines:
            lines += process.read(0.1)
        assert lines == [("ready", False)]
        eventually(lambda: len(living(folder)) >= 3)  # the supervisor, the command, what it detached
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert living(folder) == []


@pytest.mark.attack(88)
@pytest.mark.parametrize("code", DETACHED.values(), ids=DETACHED)
def test_it_is_dead_when_the_command_has_ended(code: str, folder: Path) -> None:
    began = time.monotonic()
    lines, status, verdict = outcome(python(code + "print('done', flush=True); os._exit(4)", folder))
    assert (lines, status, verdict) == ([("done", False)], 4, None)
    assert time.monotonic() - began < 3
    assert living(folder) == []


@pytest.mark.attack(88)
@pytest.mark.parametrize("victim", ["server", "supervisor"])
def test_it_is_dead_when_its_watcher_was_killed(victim: str, folder: Path) -> None:
    code = IGNORE + DETACHED["forked twice, holding the pipe"] + SLEEP
    server = (
        "import sys; from pathlib import Path; from core.sandbox.process import Process\n"
        "from tests.core.sandbox.commands import python\n"
        f"process = Process(python({code!r}, Path(sys.argv[1])), 30)\n"
        "while not process.read(0.1): pass\n"
        "print('ready', flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", server, str(folder)], cwd=ROOT, stdout=subprocess.PIPE) as helper:
        try:
            assert helper.stdout and helper.stdout.readline() == b"ready\n"
            (supervisor,) = psutil.Process(helper.pid).children()
            assert len(living(folder)) >= 3
            os.kill(helper.pid if victim == "server" else supervisor.pid, signal.SIGKILL)
            eventually(lambda: living(folder) == [], 5)
        finally:
            helper.kill()


def test_a_command_that_kills_all_that_it_can_see_kills_only_itself(folder: Path) -> None:
    with Process(python(SLEEP, folder), 30) as other:
        while not other.read(0.1):
            pass
        lines, _, _ = outcome(python("import os; os.kill(-1, 9)", folder))
        assert lines[-1] == ("ProcessLookupError: [Errno 3] No such process", True)
        assert not other.ended
