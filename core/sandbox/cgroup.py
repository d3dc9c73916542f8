"""A control group around one command: where the kernel lets this process make one, it bounds memory and processes.

Linux alone; version 2 where the memory controller is there, otherwise version 1. Its own group must be writable, which
root's is, or a parent that systemd delegated (Delegate=yes and DelegateSubgroup= in the unit).
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

PREFIX = "taskdeck-"
REMOVE_SECONDS = 2.0

PROC = Path("/proc")


class Group:
    """A new control group with these bounds: bytes of memory, swap included, and processes and threads.

    Raises OSError when the kernel or the administrator allows none. ``remove`` it in the end.
    """

    def __init__(self, memory: int, processes: int) -> None:
        self._folders: list[Path] = []
        try:
            if parent := _unified():
                folder = self._make(parent)
                self._counter = folder / "memory.events"
                limits = {"memory.max": memory, "memory.swap.max": 0, "memory.oom.group": 1, "pids.max": processes}
                _write(folder, limits, needed="memory.max")
            else:
                folder = self._make(_version_1("memory"))
                self._counter = folder / "memory.oom_control"
                limits = {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
                _write(folder, limits, needed="memory.limit_in_bytes")
                with suppress(OSError):
                    _write(self._make(_version_1("pids")), {"pids.max": processes}, needed="pids.max")
            self._entrances = [os.open(folder / "cgroup.procs", os.O_WRONLY) for folder in self._folders]
        except BaseException:
            self.remove()
            raise

    def join(self) -> None:
        """Put the calling process into the group; what it starts is born there."""
        for entrance in self._entrances:
            with suppress(OSError):  # the watch still counts what it uses
                os.write(entrance, b"0")

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group because of its bound."""
        try:
            killed = re.search(r"^oom_kill (\d+)$", self._counter.read_text(), re.M)
        except OSError:
            return False
        return killed is not None and killed[1] != "0"

    def remove(self) -> None:
        """Take the group away, once all its processes are dead; harmless when it is gone."""
        for entrance in getattr(self, "_entrances", ()):
            os.close(entrance)
        self._entrances = []
        for folder in self._folders:
            _remove(folder, REMOVE_SECONDS)
        self._folders = []

    def _make(self, parent: Path) -> Path:
        _clear(parent, 0)
        folder = parent / f"{PREFIX}{os.getpid()}"
        folder.mkdir()
        self._folders.append(folder)
        return folder


def clear() -> None:
    """Take away the groups of supervisors that were killed, and so could not."""
    with suppress(OSError):
        _clear(_unified() or _version_1("memory"), REMOVE_SECONDS)
        _clear(_version_1("pids"), REMOVE_SECONDS)


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


def _write(folder: Path, limits: dict[str, int], needed: str) -> None:
    for name, value in limits.items():
        try:
            (folder / name).write_text(str(value))
        except OSError:  # no swap is counted here, say
            if name == needed:
                raise


def _unified() -> Path | None:
    """Where groups of version 2 can be made; None where there is no such place, or no memory controller."""
    for own in _own(lambda kind, _: kind == "cgroup2", lambda controllers: controllers == ""):
        for parent in (own, own.parent) if _is_delegated(own.parent) else (own,):
            with suppress(OSError):
                if "memory" in (parent / "cgroup.controllers").read_text().split():
                    (parent / "cgroup.subtree_control").write_text("+memory +pids")
                    return parent
    return None


def _is_delegated(folder: Path) -> bool:
    """Whether systemd handed this part of the tree to its service."""
    try:
        return os.getxattr(folder, "user.delegate") == b"1"
    except OSError:
        return False


def _version_1(controller: str) -> Path:
    for own in _own(
        lambda kind, options: kind == "cgroup" and controller in options.split(","),
        lambda controllers: controller in controllers.split(","),
    ):
        return own
    raise FileNotFoundError(controller)


def _own(is_mount: Callable[[str, str], bool], is_group: Callable[[str], bool]) -> Iterator[Path]:
    """This process's own groups, where ``is_mount(type, options)`` and ``is_group(controllers)``."""
    for line in (PROC / "self/mountinfo").read_text().splitlines():
        place, _, about = line.partition(" - ")
        root, mounted = place.split()[3:5]
        kind, _, options = about.split()[:3]
        if not is_mount(kind, options):
            continue
        for group in (PROC / "self/cgroup").read_text().splitlines():
            _, controllers, path = group.split(":", 2)
            if is_group(controllers):
                yield Path(mounted + path.removeprefix(root.rstrip("/")))
