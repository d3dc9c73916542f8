"""Commands to box, and what became of them."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from core.sandbox import isolation
from core.sandbox.command import Command, Network, ResourceLimits, Sandbox
from core.sandbox.process import Process

TASK = 7
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
    isolation.chown_folder(folder, user)
    return Command(argv, folder, "test", Sandbox((folder,), (), network, limits, user), stdin, env or {})


def python(
    code: str, folder: Path, *arguments: str, limits: ResourceLimits = USUAL, network: Network = "none"
) -> Command:
    return command((sys.executable, "-c", code, *arguments), folder, limits, network)


def shell(code: str, folder: Path, limits: ResourceLimits = USUAL, network: Network = "none") -> Command:
    return command(("sh", "-c", code), folder, limits, network)


def finish(command: Command, seconds: float = 30) -> tuple[list[tuple[str, bool]], int]:
    """All lines and the exit status of a command that ends by itself."""
    lines, status, _ = outcome(command, seconds)
    return lines, status


def outcome(command: Command, seconds: float = 30) -> tuple[list[tuple[str, bool]], int, str | None]:
    """All lines, the exit status and the verdict."""
    lines, deadline = [], time.monotonic() + seconds
    with Process(command, 30) as process:
        while not process.ended:
            assert time.monotonic() < deadline
            lines += process.read(0.1)
        return lines, process.exit_status, process.verdict


def said(command: Command) -> list[str]:
    """The lines of its standard output; it must succeed."""
    lines, status = finish(command)
    assert status == 0, lines
    return [line for line, is_error in lines if not is_error]


def living(folder: Path) -> list[psutil.Process]:
    """The processes of this machine that work in a folder, whatever number their box gave them."""
    return [process for process in psutil.process_iter() if folder_of(process) == str(folder)]


def folder_of(process: psutil.Process) -> str:
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.cwd()
    except psutil.Error:
        return ""
