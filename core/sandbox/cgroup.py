"""A control group around one command: where the kernel lets this process make one, it limits memory and processes.

Linux alone, and version 2 of control groups with a memory controller. Its own group must be writable, as root's is, or
a parent that systemd delegated (Delegate=yes and DelegateSubgroup= in the unit).
"""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "taskdeck-"
REMOVE_SECONDS = 2.0

PROC = Path("/proc")


class Group:
    """A new control group with these limits: bytes of memory, swap included, and processes and threads.

    Raises OSError when the kernel or the administrator allows none. ``remove`` it in the end.
    """

    def __init__(self, memory: int, processes: int) -> None:
        parent = _parent()
        _clear(parent, 0)
        self._folder = parent / f"{PREFIX}{os.getpid()}"
        self._folder.mkdir()
        try:
            (self._folder / "memory.max").write_text(str(memory))
            for name, value in (("memory.swap.max", 0), ("memory.oom.group", 1), ("pids.max", processes)):
                with suppress(OSError):  # no swap is counted here, say
                    (self._folder / name).write_text(str(value))
            self._entrance = os.open(self._folder / "cgroup.procs", os.O_WRONLY)
        except BaseException:
            _remove(self._folder, 0)
            raise

    def join(self) -> None:
        """Put the calling process into the group; what it starts is born there."""
        with suppress(OSError):  # the watch still counts what it uses
            os.write(self._entrance, b"0")

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group because of its limit."""
        try:
            killed = re.search(r"^oom_kill (\d+)$", (self._folder / "memory.events").read_text(), re.M)
        except OSError:
            return False
        return killed is not None and killed[1] != "0"

    def remove(self) -> None:
        """Take the group away, once all its processes are dead. Once: it cannot be used afterwards."""
        os.close(self._entrance)
        _remove(self._folder, REMOVE_SECONDS)


def clear() -> None:
    """Take away the groups of supervisors that were killed, and so could not."""
    with suppress(OSError):
        _clear(_parent(), REMOVE_SECONDS)


def _clear(parent: Path, seconds: float) -> None:
    for left in parent.glob(f"{PREFIX}*"):
        if not (PROC / left.name.removeprefix(PREFIX)).exists():
            _remove(left, seconds)


def _remove(folder: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() >= deadline:
                return
            time.sleep(0.005)  # the last of its processes is dead, but not yet taken out
        else:
            return


def _parent() -> Path:
    """Where groups can be made. Raises OSError where there is no such place, or no memory controller."""
    own = _own()
    for parent in (own, own.parent) if _is_delegated(own.parent) else (own,):
        with suppress(OSError):
            if "memory" in (parent / "cgroup.controllers").read_text().split():
                (parent / "cgroup.subtree_control").write_text("+memory +pids")
                return parent
    raise FileNotFoundError("no control group with a memory controller is ours to divide")


def _is_delegated(folder: Path) -> bool:
    """Whether systemd handed this part of the tree to its service."""
    try:
        return os.getxattr(folder, "user.delegate") == b"1"
    except OSError:
        return False


def _own() -> Path:
    """This process's own group. Raises OSError where the kernel shows none."""
    group = re.search(r"^0::(.*)$", (PROC / "self/cgroup").read_text(), re.M)
    for line in (PROC / "self/mountinfo").read_text().splitlines():
        place, _, about = line.partition(" - ")
        if group and about.startswith("cgroup2 "):
            root, mounted = place.split()[3:5]
            return Path(mounted + group[1].removeprefix(root.rstrip("/")))
    raise FileNotFoundError("cgroup2")
