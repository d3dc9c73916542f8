"""Runs one command within its limits and ends everything that it started. Its own process, see ``process.Process``.

    LIFELINE OPTIONS COMMAND [ARGUMENT ...]

LIFELINE is the number of an inherited socket. When its other end closes, because the server wants the command stopped
or because the server is gone, or when nothing comes through it for as long as OPTIONS say, because the server is
frozen, the command and all its descendants are killed. They are also killed when they use more than they may; then
one sentence that says so goes back through the lifeline. And they are killed when the command ends by itself, so
nothing that it left behind goes on. Exit status: the command's, 128 + N after signal N, 127 if it could not be started.

OPTIONS is JSON: ``silence`` in seconds, ``limits`` as in ``command.ResourceLimits``, the ``writable`` folders, and
``files`` that are made for the sandbox: path and content; none when there is no sandbox. This line is everybody's to
read, so there is no secret in it.

On Linux, processes that detach themselves (double fork, setsid) are handed to this process by the kernel
(prctl(2), PR_SET_CHILD_SUBREAPER) and so are found; other systems have no such call, there they can escape.

It has to start at once: of core it imports only what it needs, and nothing that loads long.
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.sandbox.cgroup import Group
from core.sandbox.syscalls import forbidden
from core.sandbox.watch import MIB, Broken, Watch

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KILL_SECONDS = 5.0

#: How often it looks what the command uses, in seconds; less often where a look takes more than a tenth of that, but
#: never so seldom that whoever makes the looks slow is left alone.
LOOK_SECONDS = 0.5
SHARE_OF_TIME = 0.1
LONGEST_PAUSE = 2.0

#: The server, the supervisors and other people's work come first.
NICE = 5
FIRST_TO_GO = 500  # when the machine itself has no memory left; see proc(5), oom_score_adj


def main() -> int:
    """Do what this process's arguments say, see above; the exit status."""
    lifeline, options, *argv = sys.argv[1:]
    return run(socket.socket(fileno=int(lifeline)), json.loads(options), argv)


def run(lifeline: socket.socket, options: Mapping[str, Any], argv: list[str]) -> int:
    """Run ``argv`` until it ends, is too much, or the lifeline closes or falls silent; its exit status."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child_ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT):  # whoever sends them to all of a service means the server
        signal.signal(number, signal.SIG_IGN)
    limits = options["limits"]
    group = make_group(limits)
    try:
        watch = Watch(limits, options["writable"], group, lambda: is_open(lifeline))
        child = start(argv, options["files"], limits, group)
        status, verdict = attend(child.pid, child_ended, lifeline, options["silence"], watch)
        kill_descendants()
        if status is not None:
            with suppress(Broken):
                verdict = by_kernel(status, limits) or watch.exceeded_at_rest()
        if verdict:
            with suppress(OSError):  # the server is gone
                lifeline.sendall(verdict.encode())
    except OSError as error:
        sys.stderr.write(f"{argv[0]} could not be started: {error.strerror}\n")
        return 127
    finally:
        if group:
            group.remove()
    return 128 + signal.SIGKILL if status is None or verdict else status


def start(
    argv: list[str], files: Mapping[str, str], limits: Mapping[str, int], group: Group | None
) -> subprocess.Popen[bytes]:
    """The process that becomes the command; keep it, else its exit status is lost. Raises OSError."""
    argv, handles = with_files(argv, files)
    try:
        return subprocess.Popen(
            argv, pass_fds=handles, start_new_session=True, preexec_fn=lambda: prepare(limits, group)
        )
    finally:
        for handle in handles:
            os.close(handle)


def attend(
    child: int, child_ended: int, lifeline: socket.socket, silence: float, watch: Watch
) -> tuple[int | None, str | None]:
    """Wait until there is something to end: the child's exit status if it ended, the verdict if it was too much."""
    last_sign = time.monotonic()
    look = last_sign + LOOK_SECONDS
    while (now := time.monotonic()) < last_sign + silence:
        left = max(0.0, min(last_sign + silence, look) - now)
        ready, _, _ = select.select([lifeline.fileno(), child_ended], [], [], left)
        if child_ended in ready:
            os.read(child_ended, 4096)
            if (status := reap(child)) is not None:
                return status, None
        if lifeline.fileno() in ready:
            if not receive(lifeline):
                break
            last_sign = time.monotonic()
        if (began := time.monotonic()) >= look:
            try:
                verdict = watch.exceeded()
            except Broken:
                break
            if verdict:
                return None, verdict
            ended = time.monotonic()
            look = ended + min(LONGEST_PAUSE, max(LOOK_SECONDS, (ended - began) / SHARE_OF_TIME))
    return None, None


def make_group(limits: Mapping[str, int]) -> Group | None:
    """A control group, where one can be had; elsewhere the watch alone counts."""
    try:
        return Group(limits["memory"], limits["processes"])
    except OSError:
        return None


def with_files(argv: list[str], files: Mapping[str, str]) -> tuple[list[str], list[int]]:
    """The command that makes these files in its sandbox, and the handles that it reads them and its filter from."""
    if not files:
        return argv, []
    words: list[str] = []
    handles: list[int] = []
    if rules := forbidden():
        handles.append(memory_file(rules))
        words += ["--seccomp", str(handles[-1])]
    for path, text in files.items():
        handles.append(memory_file(text.encode()))
        words += ["--perms", "0755", "--dir", os.path.dirname(path)]
        words += ["--perms", "0444", "--ro-bind-data", str(handles[-1]), path]
    return [*argv[:1], *words, *argv[1:]], handles


def memory_file(content: bytes) -> int:
    """The handle of a nameless file with this content."""
    handle = os.memfd_create("sandbox")
    os.write(handle, content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def prepare(limits: Mapping[str, int], group: Group | None) -> None:
    """Bind the process that becomes the command; called between fork and exec."""
    if sys.platform == "linux":  # the kernel kills it when the supervisor is killed
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))
    if group:
        group.join()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.nice(NICE)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NOFILE, limits["open_files"])
    limit(resource.RLIMIT_FSIZE, limits["file"])
    limit(resource.RLIMIT_CPU, limits["cpu"], limits["cpu"] + 5)  # a signal that says why, then one that kills
    if limits["address_space"] is not None:
        limit(resource.RLIMIT_AS, limits["address_space"])


def limit(kind: int, value: int, hard: int | None = None) -> None:
    """Set a limit, or leave it where the machine's own is lower."""
    hard = value if hard is None else hard
    _, highest = resource.getrlimit(kind)
    if highest == resource.RLIM_INFINITY or hard <= highest:
        resource.setrlimit(kind, (value, hard))


def is_open(lifeline: socket.socket) -> bool:
    """Whether the lifeline's other end is open; what came through it stays there to be received."""
    poll = select.poll()
    poll.register(lifeline, 0)
    return not poll.poll(0)


def receive(lifeline: socket.socket) -> bool:
    """Take what came through the lifeline; whether its other end is open."""
    try:
        return bool(lifeline.recv(65_536))
    except ConnectionResetError:
        return False


def by_kernel(status: int, limits: Mapping[str, int]) -> str | None:
    """Why the kernel ended the command itself, in one sentence, if it was for one of its limits."""
    if status == 128 + signal.SIGXFSZ:
        return f"The work was stopped: it wrote more than {limits['file'] // MIB:,} MiB into one file."
    if status == 128 + signal.SIGXCPU:
        return f"The work was stopped: it computed for more than {limits['cpu']:,} seconds."
    return None


def reap(child: int) -> int | None:
    """Collect everything that ended, adopted orphans too; the child's exit status if it was among them."""
    status = None
    while True:
        try:
            pid, result = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            code = os.waitstatus_to_exitcode(result)
            status = code if code >= 0 else 128 - code


def kill_descendants() -> None:
    """Kill until nothing is left: a process may fork while it is being looked for."""
    if not has_children():
        return
    from core.sandbox import descendants  # late, see there

    deadline = time.monotonic() + KILL_SECONDS
    while (alive := descendants.running()) and time.monotonic() < deadline:
        descendants.kill(alive)
        reap(0)
        time.sleep(0.002)


def has_children() -> bool:
    """Whether this process has any child; one that ended is collected first."""
    reap(0)
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
