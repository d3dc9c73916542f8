"""Runs one command and ends everything that it started. Its own process, started by ``process.Process``.

    python supervisor.py LIFELINE SILENCE COMMAND [ARGUMENT ...]

LIFELINE is the number of an inherited pipe's reading end. When the other end closes, because the server wants the
command stopped or because the server is gone, or when nothing comes through it for SILENCE seconds, because the server
is frozen, the command and all its descendants are killed. They are also killed when the command ends by itself, so
nothing that it left behind goes on. Exit status: the command's, 128 + N after signal N, 127 if it could not be started.

On Linux, processes that detach themselves (double fork, setsid) are handed to this process by the kernel
(prctl(2), PR_SET_CHILD_SUBREAPER) and so are found; other systems have no such call, there they can escape.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KILL_SECONDS = 5.0


def main(lifeline: int, silence: float, argv: list[str]) -> int:
    """Run ``argv`` until it ends or the lifeline closes or falls silent; its exit status."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child_ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        child = subprocess.Popen(argv, start_new_session=True, preexec_fn=die_with_parent)
    except OSError as error:
        sys.stderr.write(f"{argv[0]} could not be started: {error.strerror}\n")
        return 127
    status = None
    heard = time.monotonic()
    while status is None and (left := heard + silence - time.monotonic()) > 0:
        ready, _, _ = select.select([lifeline, child_ended], [], [], left)
        if child_ended in ready:
            os.read(child_ended, 4096)
            status = reap(child.pid)
        if lifeline in ready:
            if not os.read(lifeline, 65_536):
                break
            heard = time.monotonic()
    kill_descendants()
    return 128 + signal.SIGKILL if status is None else status


def die_with_parent() -> None:
    """Let the kernel kill this process when the supervisor is killed; called between fork and exec."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


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
    deadline = time.monotonic() + KILL_SECONDS
    while (alive := psutil.Process().children(recursive=True)) and time.monotonic() < deadline:
        for process in alive:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        reap(0)
        time.sleep(0.002)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
