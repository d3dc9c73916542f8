"""Commands to start in a sandbox, and what became of them."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from core.sandbox import isolation
from core.sandbox.command import Command, Network, ResourceLimits, Sandbox
from core.sandbox.folders import chown_tree
from core.sandbox.process import Process

#: Each process of a test run has its own: a user's processes are counted together, whoever started them.
TASK = 500 + os.getpid() % 4_500
NOBODY = 65_534

USUAL = ResourceLimits()


def command(
    argv: tuple[str, ...],
    folder: Path,
    limits: ResourceLimits = USUAL,
    network: Network = "none",
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> Command:
    """A command that may write to this folder, and is in it."""
    user = isolation.user_for(TASK)
    chown_tree(folder, user)
    return Command(argv, folder, "test", Sandbox((folder,), (), network, limits, user), stdin, env or {})


def python(code: str, folder: Path, *arguments: str, **more: Any) -> Command:
    return command((sys.executable, "-c", code, *arguments), folder, **more)


def shell(code: str, folder: Path, **more: Any) -> Command:
    return command(("sh", "-c", code), folder, **more)


def started(command: Command, silence: float = 30) -> Process:
    """A process that has printed its first line."""
    process = Process(command, silence)
    while not process.read(0.1):
        assert not process.ended
    return process


def outcome(command: Command, seconds: float = 30) -> tuple[list[tuple[str, bool]], int, str | None]:
    """All lines, the exit status and the verdict of a command that ends by itself."""
    lines, deadline = [], time.monotonic() + seconds
    with Process(command, 30) as process:
        while not process.ended:
            assert time.monotonic() < deadline
            lines += process.read(0.1)
        return lines, process.exit_status, process.verdict


def output(command: Command) -> list[str]:
    """The lines of its standard output; it must succeed."""
    lines, status, _ = outcome(command)
    assert status == 0, lines
    return [line for line, is_error in lines if not is_error]


def living(folder: Path) -> list[psutil.Process]:
    """The processes of this machine that work in a folder, whatever number their sandbox gave them."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder):
                found.append(process)
    return found
