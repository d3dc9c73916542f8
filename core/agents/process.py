"""A child process whose lines are read as they come and which, once stopped, leaves no process behind."""

import os
import selectors
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from core.agents.base import Command
from core.errors import AgentFailed

SUPERVISOR = Path(__file__).with_name("supervisor.py")

#: How long the supervisor may take to end everything, in seconds: its own limit and something for a busy machine.
STOP_SECONDS = 10.0

#: A longer line is cut, in bytes; 4 MiB holds the longest event line seen from a real agent many times over.
LINE_BYTES = 4 * 2**20
CHUNK_BYTES = 64 * 2**10

#: What every process gets beside its command's own variables. Nothing of the server's environment but PATH.
_ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Process:
    """A running command. Use it in a ``with``: leaving the block stops it and all that it started.

    Raises AgentFailed when the machine can start no process.
    """

    def __init__(self, command: Command) -> None:
        try:
            with tempfile.TemporaryFile() as stdin:  # a file, not a pipe: a child that reads nothing blocks nobody
                stdin.write(command.stdin.encode())
                stdin.seek(0)
                self._start(command, stdin)
        except (OSError, ValueError) as error:
            raise AgentFailed("A process could not be started on this machine.") from error
        self._selector = selectors.DefaultSelector()
        for pipe in (self._supervisor.stdout, self._supervisor.stderr):
            assert pipe is not None  # noqa: S101  both were asked for above
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, _Lines())

    def _start(self, command: Command, stdin: IO[bytes]) -> None:
        lifeline, self._lifeline = os.pipe()
        try:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", str(SUPERVISOR), str(lifeline), *command.argv],
                cwd=command.cwd,
                env={"PATH": os.environ.get("PATH", os.defpath)} | _ENVIRONMENT | dict(command.env),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[lifeline],
                start_new_session=True,  # a Ctrl-C in the terminal is the server's to handle
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

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
            found = key.data.feed(chunk)
            lines += [(line, pipe is self._supervisor.stderr) for line in found]
        return lines

    def stop(self) -> None:
        """Kill the command and everything that it started; harmless when it has ended."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        try:
            self._supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        for pipe in (self._supervisor.stdout, self._supervisor.stderr):
            if pipe is not None:
                pipe.close()
        self._selector.close()


class _Lines:
    """Bytes in, whole lines out; a line over LINE_BYTES is cut and its rest skipped."""

    def __init__(self) -> None:
        self._carry = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that ``chunk`` completes; an empty chunk ends the last one."""
        if not chunk:
            last, self._carry = bytes(self._carry), bytearray()
            return [_text(last)] if last else []
        *complete, rest = chunk.split(b"\n")
        lines = []
        for piece in complete:
            if not self._skipping:
                lines.append(_text(bytes(self._carry) + piece))
            self._carry.clear()
            self._skipping = False
        if not self._skipping:
            self._carry += rest
        if len(self._carry) > LINE_BYTES:
            lines.append(_text(bytes(self._carry)))
            self._carry.clear()
            self._skipping = True
        return lines


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r")
