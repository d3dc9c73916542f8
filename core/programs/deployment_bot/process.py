"""A recipe's process: every line that it writes is told, however long it is and whatever it holds."""

import ctypes
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LINE_BYTES = 16_000  # of one line; what follows is left out
CHUNK_BYTES = 64 * 2**10
NOT_STARTED = 127

#: How long what the command left behind is still heard, in seconds.
GRACE_SECONDS = 1.0
LOOK_SECONDS = 0.1

_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """Keep this process's memory and open files from the recipe, which runs as the same user."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def run(argv: Sequence[str], folder: Path, env: Mapping[str, str], told: Callable[[str], None]) -> int:
    """Run a command to its end and return its exit status: 128 + N after signal N, 127 if it could not be started."""
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # in its place among the rest
        )
    except OSError as error:
        told(f"{argv[0]} could not be started: {error.strerror}.")
        return NOT_STARTED
    with process:
        assert process.stdout is not None  # noqa: S101  asked for above
        _hear(process, process.stdout.fileno(), _Lines(told))
        process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _hear(process: subprocess.Popen[bytes], output: int, lines: "_Lines") -> None:
    """Tell the lines until the output is closed, or the process is over: one that it started may hold the output."""
    until = None
    while True:
        ready, _, _ = select.select([output], [], [], LOOK_SECONDS)
        if ready:
            chunk = os.read(output, CHUNK_BYTES)
            if not chunk:
                break
            lines.take(chunk)
        if process.poll() is not None:
            until = until or time.monotonic() + GRACE_SECONDS
            if not ready or time.monotonic() > until:
                break
    lines.end()


class _Lines:
    """Whole lines from pieces of output."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._begun = b""
        self._cut = False

    def take(self, chunk: bytes) -> None:
        """Tell the lines that end in this piece."""
        first, *others = chunk.split(b"\n")
        self._add(first)
        for line in others:
            self.end(is_whole=True)
            self._add(line)

    def end(self, *, is_whole: bool = False) -> None:
        """Tell what there is of a line, an empty one too if it `is_whole`."""
        if self._begun or is_whole:
            text = self._begun.decode("utf-8", "replace").removesuffix("\r")
            self._told(f"{text} … (cut)" if self._cut else text)
        self._begun, self._cut = b"", False

    def _add(self, piece: bytes) -> None:
        room = LINE_BYTES - len(self._begun)
        self._cut = self._cut or len(piece) > room
        self._begun += piece[:room]
