import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.agents.drivers.builtin import BuiltIn, Events
from core.errors import AgentFailed
from core.runner.claims import Claim
from core.runner.clock import Clock
from core.runner.execution import Execution
from core.runner.heartbeat import Heartbeat
from core.runner.task_logger import TaskLogger
from core.sandbox.command import Command, Sandbox
from tests.core.living import Stored, messages

AGENT = BuiltIn(name="thinker", title="Thinker", summary="Thinks.", module="", idle=0.6)


@pytest.fixture
def execution(claim: Claim, log: TaskLogger) -> Iterator[Execution]:
    with Heartbeat(claim, log, 30, time.monotonic) as heartbeat:
        clock = Clock(30, 20, 10, time.monotonic)
        yield Execution(log, heartbeat, clock, threading.Event(), 30, time.monotonic)


def python(code: str, folder: Path, shown: str = "python") -> Command:
    return Command((sys.executable, "-c", code), folder, shown, Sandbox(writable=(folder,)))


def test_a_silent_agent_is_at_work_as_long_as_it_gives_a_sign_of_life(execution: Execution, tmp_path: Path) -> None:
    silent = python("import time; time.sleep(1.2)", tmp_path)
    assert execution.work(AGENT, silent, Events("thinker"), lambda _: None, time.monotonic) == 0
    with pytest.raises(AgentFailed, match=r"^thinker said nothing for 1 s and was stopped\.$"):
        execution.work(AGENT, silent, Events("thinker"), lambda _: None, lambda: 0.0)


def test_a_step_is_logged_if_it_is_shown(execution: Execution, tmp_path: Path, log: TaskLogger, stored: Stored) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert execution.run(python(code, tmp_path, shown=""), 10) == (3, ["out"])
    assert execution.run(python(code, tmp_path, shown="step"), 10) == (3, ["out"])
    log.end_of_output()
    log.flush()
    said = messages(stored())
    assert (said[0], sorted(said[1:])) == ("step", ["err", "out"])


def test_a_step_that_does_not_end_is_stopped(execution: Execution, tmp_path: Path) -> None:
    with pytest.raises(AgentFailed, match=r"was stopped after 1 s without an end\.$"):
        execution.run(python("import time; time.sleep(60)", tmp_path), 0.6)
