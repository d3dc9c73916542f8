"""The processes that this one started, and those that they started in turn, as psutil sees them.

Imported late by the supervisor: psutil loads as long as all else together, and a short command ends without it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

Family = Sequence[psutil.Process]


def running() -> Family:
    """All of them, also those that detached themselves where the kernel hands them back."""
    return psutil.Process().children(recursive=True)


def memory(family: Family, bound: int) -> int:
    """Bytes of memory. What processes share is counted once, which costs time, where counting it often is too much."""
    simple = _sum(family, lambda process: process.memory_info().rss)
    return simple if simple <= bound else _sum(family, _proportional)


def threads(family: Family) -> int:
    """How many threads they have; a process is one at least."""
    return _sum(family, lambda process: process.num_threads())


def kill(family: Family) -> None:
    """Kill each of them; who has gone meanwhile is no error."""
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _proportional(process: psutil.Process) -> int:
    found = process.memory_full_info()
    return int(getattr(found, "pss", found.rss))


def _sum(family: Family, figure: Callable[[psutil.Process], int]) -> int:
    total = 0
    for process in family:
        with suppress(psutil.NoSuchProcess):
            total += figure(process)
    return total
