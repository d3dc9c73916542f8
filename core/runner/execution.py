"""A running task's processes: each is read, logged, watched and ended under the task's clock and heartbeat."""

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

from core.agents.base import Agent, LogLine, OutputParser, Progress
from core.errors import AgentFailed, ServerStopping
from core.log_text import LogType
from core.runner.clock import Clock
from core.runner.heartbeat import Heartbeat
from core.runner.task_logger import TaskLogger
from core.sandbox.command import Command
from core.sandbox.process import Process
from core.words import duration

#: Of what a step of our own prints, in characters: more is no answer that anything could be done with.
MOST_PRINTED = 32 * 2**20

#: How long one read of a process's output waits at most, in seconds: so soon is everything else noticed.
READ_SECONDS = 0.1


class _Feed(Protocol):
    def __call__(self, line: str, *, is_error: bool) -> None: ...


class Execution:
    """Runs one process after another for a task."""

    def __init__(
        self,
        log: TaskLogger,
        heartbeat: Heartbeat,
        clock: Clock,
        stopping: threading.Event,
        silence: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.stage = ""  #: what the minute marks say is going on
        self._log = log
        self._heartbeat = heartbeat
        self._clock = clock
        self._stopping = stopping
        self._silence = silence
        self._monotonic = monotonic

    def work(
        self,
        agent: Agent,
        command: Command,
        parser: OutputParser,
        progress: Callable[[float], None],
        activity: Callable[[], float],
    ) -> int:
        """Run an agent's process to its end; its exit status. ``progress`` is told the share of it that is done.

        The agent also counts as active while ``activity()`` changes. Raises AgentFailed when it said nothing for too
        long, or used more than it may; and what ``beat`` raises.
        """

        def feed(line: str, *, is_error: bool) -> None:
            for meaning in [LogLine(LogType.INFO, line)] if is_error else parser.feed(line):
                if isinstance(meaning, Progress):
                    progress(meaning.share)
                else:
                    self._log.output(LogType(meaning.type), meaning.message)

        try:
            return self._run(command, feed, agent.info.name, idle=agent.info.idle, activity=activity)
        finally:
            self._log.end_of_output()

    def run(self, command: Command, limit: float) -> tuple[int, list[str]]:
        """Run one of our own steps, at most ``limit`` seconds; its exit status and what it printed.

        One with nothing to show is not logged. Raises as ``work``.
        """
        printed: list[str] = []
        room = MOST_PRINTED

        def feed(line: str, *, is_error: bool) -> None:
            nonlocal room
            if command.shown:
                self._log.output(LogType.INFO, line)
            if not is_error:
                printed.append(line)
                room -= len(line)
                if room < 0:
                    raise AgentFailed("There are too many files, or their names are too long, for git to list them.")

        return self._run(command, feed, command.argv[0], limit=limit), printed

    def beat(self) -> None:
        """What goes on whatever the step: the clock, and the question whether the task is still wanted.

        Raises TimedOut, ServerStopping, and what Heartbeat.check raises.
        """
        self._heartbeat.check()
        if self._stopping.is_set():
            raise ServerStopping
        self._clock.extend(self._heartbeat.extension)
        self._clock.check()
        if warning := self._clock.warning():
            self._log.info(warning)
        if elapsed := self._clock.tick():
            self._log.info(f"{elapsed} of work: {self.stage}.")

    def _run(
        self,
        command: Command,
        feed: _Feed,
        name: str,
        limit: float = math.inf,
        idle: float = math.inf,
        activity: Callable[[], float] = lambda: 0.0,
    ) -> int:
        if command.shown:
            self._log.command(command.shown)
        began = active_at = self._monotonic()
        last_activity = activity()
        with Process(command, silence=self._silence) as process:
            while not process.ended:
                process.alive()
                if self._log.full:
                    time.sleep(READ_SECONDS)  # nothing is read: the pipe fills, and the process waits
                    active_at = self._monotonic()
                else:
                    for line, is_error in process.read(READ_SECONDS):
                        feed(line, is_error=is_error)
                        active_at = self._monotonic()
                if (newest := activity()) != last_activity:
                    last_activity, active_at = newest, self._monotonic()
                self.beat()
                if self._monotonic() >= began + limit:
                    raise AgentFailed(f"{name} was stopped after {duration(limit)} without an end.")
                if self._monotonic() >= active_at + idle:
                    raise AgentFailed(f"{name} said nothing for {duration(idle)} and was stopped.")
            self.beat()  # its end may be ours: it was killed because this thread was held up for too long
            if process.verdict:
                raise AgentFailed(process.verdict)
            return process.exit_status
