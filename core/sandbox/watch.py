"""What a command uses, all its processes together, held against its limits. Runs in the supervisor."""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from core.sandbox.cgroup import Group

MIB = 2**20

#: How long one look at the folders may take, in seconds; they can change under it for ever.
LOOK_SECONDS = 20.0

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Broken(Exception):
    """Nobody wants the work any more."""


class Watch:
    """Looks at the descendants of this process and at the folders that they may write to.

    ``limits`` are those of ``command.ResourceLimits``. What is in the folders at first was not made by the command.
    ``wanted`` is asked all the time while it looks.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        writable: Sequence[str],
        group: Group | None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._limits = dict(limits)
        paths = [os.path.join(path, "") for path in writable]
        self._writable = [
            path for path in paths if not any(path != other and path.startswith(other) for other in paths)
        ]
        self._group = group
        self._wanted = wanted
        there = _Count()
        with suppress(OSError):  # the first look will say so
            for found in _beneath(self._writable, limits["depth"]):
                there.add(found)
        self._files, self._disk = limits["files"] + there.files, limits["disk"] + there.disk

    def exceeded(self) -> str | None:
        """What is too much by now, in one sentence; None while all is within the limits. Raises Broken."""
        from core.sandbox import descendants  # late, see there

        limits = self._limits
        running = descendants.running()
        if descendants.memory(running, limits["memory"]) > limits["memory"]:
            return self._too_much_memory()
        if descendants.threads(running) >= limits["processes"]:
            return f"The work was stopped: it started more than {limits['processes']:,} processes and threads."
        return self.exceeded_at_rest([process.pid for process in running])

    def exceeded_at_rest(self, running: Iterable[int] = ()) -> str | None:
        """As above, of what can be seen without a look at the processes; their numbers are those still running."""
        if self._group and self._group.out_of_memory:
            return self._too_much_memory()
        try:
            return self._exceeded_on_disk(running)
        except OSError:
            return "The work was stopped: it made a folder that cannot be looked into."

    def _too_much_memory(self) -> str:
        return f"The work was stopped: it used more than {self._limits['memory'] // MIB:,} MiB of memory."

    def _exceeded_on_disk(self, running: Iterable[int]) -> str | None:
        count, seen = _Count(), 0
        until = time.monotonic() + LOOK_SECONDS
        for stage in (_unlinked(running), _beneath(self._writable, self._limits["depth"])):
            for found in stage:
                seen += 1
                if found:
                    count.add(found)
                if count.disk > self._disk:
                    return f"The work was stopped: it used more than {self._limits['disk'] // MIB:,} MiB of disk space."
                if count.files > self._files:
                    return f"The work was stopped: it made more than {self._limits['files']:,} files."
                if seen % 100 == 0:
                    if not self._wanted():
                        raise Broken
                    if time.monotonic() > until:
                        return "The work was stopped: its files changed too fast, or were too many, to be counted."
        return None


class _Count:
    """Files and what they take on the disk, in bytes; a file of several names takes it once."""

    def __init__(self) -> None:
        self.files = self.disk = 0
        self._linked: set[tuple[int, int]] = set()

    def add(self, found: os.stat_result) -> None:
        self.files += 1
        if found.st_nlink != 1 and not stat.S_ISDIR(found.st_mode):
            if (found.st_dev, found.st_ino) in self._linked:
                return
            self._linked.add((found.st_dev, found.st_ino))
        self.disk += found.st_blocks * 512


def _beneath(folders: Sequence[str], depth: int) -> Iterator[os.stat_result]:
    """Everything in these folders, each reached from the one that it is in, so that no link leads elsewhere.

    Raises OSError when something is hidden from us, or too deep.
    """
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError):
            yield from _within(os.open(folder.rstrip("/"), _OPEN), depth)


def _within(handle: int, depth: int) -> Iterator[os.stat_result]:
    """Everything below an open folder, which is closed in the end."""
    try:
        if depth < 0:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        folders = []
        with os.scandir(handle) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # gone in the meantime, as below
                    yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
        for name in folders:
            with suppress(FileNotFoundError, NotADirectoryError):  # or something else by now
                yield from _within(os.open(name, _OPEN, dir_fd=handle), depth - 1)
    finally:
        os.close(handle)


def _unlinked(running: Iterable[int]) -> Iterator[os.stat_result | None]:
    """Files that have no name any more but are open, on disk or in memory; None for every other handle."""
    for number in running:
        with suppress(OSError), os.scandir(f"/proc/{number}/fd") as handles:
            for handle in handles:
                with suppress(OSError):
                    found = handle.stat()
                    yield found if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 else None
