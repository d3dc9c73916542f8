"""A recipe's process: every line that it writes is passed on, however long it is and whatever it holds."""

import ctypes
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from core.sandbox.lines import BoundedLines

LINE_BYTES = 16_000  # of one line; what follows is left out
CHUNK_BYTES = 64 * 2**10
NOT_STARTED = 127

#: How long the output of what the command left behind is still read, in seconds.
GRACE_SECONDS = 1.0
LOOK_SECONDS = 0.1

_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """Keep this process's memory and open files from the recipe, which runs as the same user."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def run(argv: Sequence[str], folder: Path, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
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
        on_line(f"{argv[0]} could not be started: {error.strerror}.")
        return NOT_STARTED
    with process:
        assert process.stdout is not None  # noqa: S101  asked for above
        for line in _lines(process, process.stdout.fileno()):
            on_line(line)
        process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _lines(process: subprocess.Popen[bytes], output: int) -> Iterator[str]:
    """The lines until the output is closed, or the process is over: one that it started may hold the output."""
    lines = BoundedLines(LINE_BYTES)
    until = None
    while True:
        ready, _, _ = select.select([output], [], [], LOOK_SECONDS)
        if ready:
            chunk = os.read(output, CHUNK_BYTES)
            if not chunk:
                break
            yield from lines.feed(chunk)
        if process.poll() is not None:
            until = until or time.monotonic() + GRACE_SECONDS
            if not ready or time.monotonic() > until:
                break
    yield from lines.rest()
