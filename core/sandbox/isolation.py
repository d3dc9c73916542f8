"""What isolation there is for the processes of tasks on this machine, and how a command gets it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import core
from core.config import settings
from core.errors import AgentFailed
from core.sandbox import bubblewrap
from core.sandbox.cgroup import Group
from core.sandbox.command import Command, Sandbox
from core.sandbox.syscalls import forbidden

#: The numbers that tasks run as where the server is root; nobody on a machine should have one of them.
FIRST_USER, USERS = 60_000, 5_000

PROBE_SECONDS = 20


@dataclass(frozen=True)
class State:
    """The isolation of tasks' processes; ``reason`` says why there is no sandbox."""

    state: Literal["bwrap", "none", "unavailable"]
    reason: str | None
    memory: Literal["cgroup", "watch"]  #: who limits it: the kernel, or a look every half second


def state() -> State:
    """How it stands on this machine."""
    memory: Literal["cgroup", "watch"] = "cgroup" if _has_groups() else "watch"
    if settings().sandbox == "none":
        return State("none", "TASKDECK_SANDBOX is none", memory)
    reason = unavailable()
    return State("unavailable" if reason else "bwrap", reason, memory)


def warning() -> str | None:
    """The sentence for whoever starts the server, if there is no sandbox."""
    now = state()
    if now.state == "none":
        return "TASKDECK_SANDBOX=none: tasks run without a sandbox; their programs can do what the server's user can."
    if now.state == "unavailable":
        return f"Tasks run without a sandbox, and agents that run foreign code not at all: {now.reason}."
    return None


def unavailable() -> str | None:
    """Why programs that run a repository's or a model's code cannot be sandboxed here, as the middle of a sentence.

    None when they can be, or when the administrator wants no sandbox.
    """
    if settings().sandbox == "none":
        return None
    try:
        return _hindrance(shutil.which("bwrap"))
    except subprocess.TimeoutExpired:  # which says nothing about the next time
        return "bubblewrap does not answer, the machine may be too busy"


def enforced() -> bool:
    """Whether commands really are sandboxed."""
    return settings().sandbox == "bwrap" and unavailable() is None


def user_for(task_id: int) -> int | None:
    """The number that a task's processes run as when the server is root; None when they run as the server's user."""
    return FIRST_USER + task_id % USERS if os.geteuid() == 0 and enforced() else None


def sandboxed_argv(command: Command) -> list[str]:
    """What to start so that the command runs in its sandbox; the command itself where there is none.

    Raises AgentFailed when something else lies where a writable folder should, or its sandbox is required and gone.
    """
    program = shutil.which("bwrap")
    if program is None or not enforced():
        # With a user of its own: there was a sandbox when the command was made.
        wanted = command.sandbox.required or command.sandbox.user is not None
        if wanted and settings().sandbox == "bwrap":
            raise AgentFailed("The sandbox that this program needs is gone; ask an administrator to look.")
        return list(command.argv)
    for folder in command.sandbox.writable:
        if folder.is_symlink() or not folder.exists():  # else the link's target would be opened to the task
            raise AgentFailed(f"The task's folder {folder.name} is not what it was; run the task again.")
    return bubblewrap.argv(program, command, as_root=os.geteuid() == 0)


def files(command: Command) -> dict[str, str]:
    """Files that are made for the command's sandbox: path and content."""
    return bubblewrap.files(command.sandbox, as_root=os.geteuid() == 0) if enforced() else {}


def path() -> str:
    """Where a command finds programs that it names without a folder."""
    return bubblewrap.path() if enforced() else os.environ.get("PATH", os.defpath)


@cache
def _hindrance(program: str | None) -> str | None:
    """Why ``program`` cannot make a sandbox, tried once with what a real one needs. Raises TimeoutExpired."""
    if sys.platform != "linux":
        return "the sandbox needs Linux and bubblewrap"
    if program is None:
        return "bubblewrap is not installed (apt install bubblewrap)"
    probe = Command((sys.executable, "-c", "import core"), Path(core.__file__).parents[1], "", Sandbox())
    argv = bubblewrap.argv(program, probe, as_root=os.geteuid() == 0)
    try:
        with tempfile.TemporaryFile() as file:
            if rules := forbidden():
                file.write(rules)
                file.seek(0)
                argv[1:1] = ["--seccomp", str(file.fileno())]
            with subprocess.Popen(
                argv,
                env={"PATH": bubblewrap.path()},
                pass_fds=[file.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                process_group=0,
            ) as done:
                try:
                    _, complaint = done.communicate(timeout=PROBE_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(done.pid, signal.SIGKILL)  # also what it forked, which may not die with it yet
                    raise
    except OSError as error:
        return f"bubblewrap cannot be started ({type(error).__name__})"
    reason = " ".join(complaint.split())[:200]
    return f"bubblewrap cannot make a sandbox on this machine ({reason})" if done.returncode else None


@cache
def _has_groups() -> bool:
    try:
        Group(2**30, 100).remove()
    except OSError:
        return False
    return True
