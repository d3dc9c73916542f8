"""A child process whose lines are read as they come and which, once stopped, leaves no process behind."""

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import core
from core.errors import AgentFailed
from core.sandbox import cgroup, isolation
from core.sandbox.command import Command
from core.sandbox.lines import BoundedLines

#: Starts the supervisor in an isolated Python, where no variable and no folder of the task says what is imported.
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from core.sandbox.supervisor import main; sys.exit(main())"
_ROOT = Path(core.__file__).parents[1]

#: How long the supervisor may take to end everything, in seconds: its own limit and something for a busy machine.
STOP_SECONDS = 10.0

#: Of a longer line only the beginning is kept, in bytes; 4 MiB holds the longest event line seen from a real agent many
#: times over.
LINE_BYTES = 4 * 2**20
KEPT_BYTES = 4_000
CHUNK_BYTES = 64 * 2**10

#: What every process gets beside PATH and its command's own variables. Nothing of it is the server's.
_ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Process:
    """A running command, in its sandbox where there is one and within its limits everywhere.

    Use it in a ``with``: leaving the block stops it and all that it started. It also stops when ``alive`` was not
    called for ``silence`` seconds: whoever should watch it is dead or frozen. Raises AgentFailed when the machine can
    start no process.
    """

    def __init__(self, command: Command, silence: float) -> None:
        with ExitStack() as started:
            try:
                self._selector = started.enter_context(selectors.DefaultSelector())
                # A file, not a pipe: a child that reads nothing blocks nobody.
                stdin = started.enter_context(tempfile.TemporaryFile())
                stdin.write(command.stdin.encode())
                stdin.seek(0)
                self._start(command, stdin, silence)
                started.callback(self.stop)
                if command.sandbox.user is not None:  # who may then open /dev/stdin, too
                    os.fchown(stdin.fileno(), command.sandbox.user, command.sandbox.user)
                for pipe in (self._supervisor.stdout, self._supervisor.stderr):
                    assert pipe is not None  # noqa: S101  both were asked for above
                    if command.sandbox.user is not None:
                        os.fchown(pipe.fileno(), command.sandbox.user, command.sandbox.user)
                    os.set_blocking(pipe.fileno(), False)
                    self._selector.register(pipe, selectors.EVENT_READ, _lines())
            except (OSError, ValueError) as error:
                raise AgentFailed("A process could not be started on this machine.") from error
            stdin.close()
            started.pop_all()

    def _start(self, command: Command, stdin: IO[bytes], silence: float) -> None:
        self._verdict = b""
        options = {
            "silence": silence,
            "limits": asdict(command.sandbox.limits),
            "writable": [str(folder) for folder in command.sandbox.writable],
            "files": isolation.files(command),
        }
        argv = isolation.sandboxed_argv(command)
        lifeline, self._lifeline = socket.socketpair()
        try:
            os.set_blocking(self._lifeline.fileno(), False)
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, str(_ROOT), str(lifeline.fileno()), json.dumps(options), *argv],
                cwd=command.cwd,
                env={"PATH": isolation.path()} | _ENVIRONMENT | dict(command.env),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[lifeline.fileno()],
                start_new_session=True,  # a Ctrl-C in the terminal is the server's to handle
            )
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            lifeline.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def alive(self) -> None:
        """Say that somebody still watches."""
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):  # it has enough of them, or is over
            self._lifeline.send(b".")

    @property
    def ended(self) -> bool:
        """Whether it is over and all its output was read; at once if somebody killed the supervisor."""
        status = self._supervisor.poll()
        return status is not None and (status < 0 or not self._selector.get_map())

    @property
    def exit_status(self) -> int:
        """The command's exit status once it has ended; 128 + N after signal N."""
        status = self._supervisor.wait()
        return status if status >= 0 else 128 - status

    @property
    def verdict(self) -> str | None:
        """Once it has ended: the sentence that says which of its limits ended it; None when none did."""
        with suppress(OSError):  # it was closed, or the supervisor was killed
            self._verdict += self._lifeline.recv(4096)
        return self._verdict.decode() or None

    def read(self, timeout: float) -> list[tuple[str, bool]]:
        """The lines that arrive within ``timeout`` seconds, each with whether it is from standard error.

        Returns as soon as there is something, and early when the process ends.
        """
        if not self._selector.get_map():
            with suppress(subprocess.TimeoutExpired):
                self._supervisor.wait(timeout)
            return []
        lines = []
        for key, _ in self._selector.select(timeout):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
            chunk = os.read(key.fd, CHUNK_BYTES)
            if not chunk:
                self._selector.unregister(pipe)
            found = key.data.feed(chunk) if chunk else key.data.rest()
            lines += [(line, pipe is self._supervisor.stderr) for line in found]
        return lines

    def stop(self) -> None:
        """Kill the command and everything that it started; harmless when it has ended."""
        with suppress(OSError):  # it was stopped already
            self._lifeline.shutdown(socket.SHUT_WR)
        try:
            self._supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        _ = self.verdict
        self._lifeline.close()
        if self._supervisor.returncode < 0:
            cgroup.clear()
        for pipe in (self._supervisor.stdout, self._supervisor.stderr):
            if pipe is not None:
                pipe.close()
        self._selector.close()


def _lines() -> BoundedLines:
    return BoundedLines(LINE_BYTES, kept=KEPT_BYTES, mark=" … ({:,} bytes, cut)")
