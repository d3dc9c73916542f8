"""How many tasks a second go through the product's steps, against what the database itself can commit.

    python -m bench.throughput

Uses one SQLite database in a temporary folder. Each round measures everything once, one after the other, so that a
busy machine slows all of it; the table shows medians of the rounds, and each ratio is to the same round's commits.
"""

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from core.agents import registry
from core.config import settings
from core.database import engine, schema
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.identity import people
from core.log_text import LogType
from core.runner import claims
from core.runner.scheduler import Scheduler
from core.tasks import commands, listing
from core.tasks.entries import Entry
from tests.support.scripts import Script

ROUNDS = 5
COMMITS, TASKS, LIVES = 2_000, 300, 16
ENTRIES = 5
THREADS = 8

RAW = "one-row INSERT, committed, by the sqlite3 module (same pragmas)"
CREATE = "`create`: the row, its first log entry, the notification"
ONE = f"no-op tasks, claimed and finished with {ENTRIES} entries, 1 thread"
MANY = f"the same, {THREADS} threads"
LIFE = f"whole lives with a real process that prints {ENTRIES} lines, 2 at once"


def main() -> int:
    """Measure and print; 1 when a task was not ended."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TASKDECK_DATA"] = folder
        schema.upgrade()
        actor = people.add("bench", "bench@example.org", "Bench", "bench password")
        code = f"for n in range({ENTRIES}): print('line', n)"
        registry.extra["lines"] = Script("lines", code)
        rounds = [_round(actor, Path(folder)) for _ in range(ROUNDS)]
        counts = listing.counts(actor)
        engine.dispose()
    _print(rounds)
    return int(counts[TaskStatus.COMPLETED] != ROUNDS * (2 * TASKS + LIVES))


def _round(actor: Actor, folder: Path) -> dict[str, float]:
    """The rate of everything, a second."""
    return {
        RAW: _rate(COMMITS, lambda: _commit(folder / "taskdeck.db")),
        CREATE: _rate(2 * TASKS, lambda: _create(actor, 2 * TASKS)),
        ONE: _rate(TASKS, lambda: _end("one", TASKS)),
        MANY: _rate(TASKS, _end_by_many),
        LIFE: _live(actor),
    }


def _rate(number: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return number / (time.perf_counter() - start)


def open_raw(path: Path) -> sqlite3.Connection:
    """A bare connection with the product's pragmas, and a table ``raw`` for commits to compare with."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, text TEXT)")
    return connection


def _commit(path: Path) -> None:
    with closing(open_raw(path)) as connection:
        for number in range(COMMITS):
            connection.execute("INSERT INTO raw (text) VALUES (?)", (f"row {number}",))


def _create(actor: Actor, number: int) -> None:
    for _ in range(number):
        commands.create(actor, prompt="x", agent="lines")


def _end(runner: str, number: int) -> None:
    """Claim and finish as many tasks."""
    for _ in range(number):
        while (claim := _unless_busy(claims.claim, runner, 30)) is None:
            continue
        entries = [Entry(LogType.INFO, f"line {line}", engine.now()) for line in range(ENTRIES)]
        finish = partial(claims.finish, claim, EndReason.COMPLETED, entries=entries, now=engine.now())
        while _unless_busy(lambda finish=finish: finish() or True) is None:
            continue


def _unless_busy(write: Callable[..., Any], *arguments: object) -> Any:
    """What the write answers; None when other threads kept the database busy for too long."""
    try:
        return write(*arguments)
    except engine.Unavailable:
        return None


def _end_by_many() -> None:
    shares = [len(range(first, TASKS, THREADS)) for first in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(_end, map(str, range(THREADS)), shares))


def _live(actor: Actor) -> float:
    """Tasks a second from the scheduler's start to the last end."""
    _create(actor, LIVES)
    scheduler = Scheduler(settings())
    start = time.perf_counter()
    scheduler.start()
    while (counts := listing.counts(actor))[TaskStatus.PENDING] + counts[TaskStatus.PROCESSING]:
        time.sleep(0.01)
    rate = LIVES / (time.perf_counter() - start)
    scheduler.stop()
    return rate


def _print(rounds: list[dict[str, float]]) -> None:
    print("| what | a second | of the raw commits |")
    print("| --- | ---: | ---: |")
    for name in rounds[0]:
        rate = statistics.median(each[name] for each in rounds)
        share = statistics.median(each[name] / each[RAW] for each in rounds)
        print(f"| {name} | {rate:,.{0 if rate >= 100 else 1}f} | {share:.4f} |")


if __name__ == "__main__":
    sys.exit(main())
