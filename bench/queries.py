"""Whether each query has its index, and how long a page of the list takes at 1,000, 100,000 and 1,000,000 tasks.

    python -m bench.queries [--rows 1000000]

On SQLite and on a PostgreSQL of its own, with the policies in force: 20 people, one of whom has half of the tasks, and
one who has not made any for long.
Prints the plans, then the 95th percentiles as a Markdown table; 1 when an index is not used or the list grows with the
table.
"""

import argparse
import io
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
from sqlalchemy import Connection, event

from core import config
from core.database import engine, schema
from core.database.models import Task, TaskStatus
from core.database.ownership import Actor
from core.identity import passwords, people
from core.runner import claims, health
from core.tasks import commands, listing, logs
from tests.support.databases import LOGINS
from tests.support.postgresql import PostgreSQL, server

SIZES = (1_000, 100_000, 1_000_000)
WEB = 20
WAITING, RUNNING, ENTRIES = 50, 4, 1_000  #: behind each size's tasks
#: The last person's tasks are all among the oldest ones, so far behind in each size.
AWAY = 0.05
CALLS, ROUNDS = 100, 3
GROWTH = 2.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = (
    "id, user_id, status, end_reason, progress, prompt, created_at, updated_at, started_at, finished_at, lease_until"
)
LOG_COLUMNS = "task_id, seq, user_id, timestamp, type, message"

END_ALL = (
    "UPDATE tasks SET status = 'completed', end_reason = 'completed', progress = 100, lease_until = NULL "
    "WHERE status IN ('pending', 'processing')"
)

Row = tuple[Any, ...]
Statement = tuple[str, Any]


def tasks_from(first: int, last: int, people_: list[UUID]) -> Iterator[Row]:
    """The tasks with these ids: most have ended, the last ones run and wait; every second one is the first person's."""
    for number in range(first, last + 1):
        away = number - first < (last - first) * AWAY
        user = people_[0 if number % 2 else -1 if away else 1 + number // 2 % (WEB - 2)]
        at = BEGIN + timedelta(seconds=number)
        prompt = f"Profile the data of region {number % 97} and say what is unusual about it"
        if number > last - WAITING:
            yield number, user, "pending", None, 0, prompt, at, at, None, None, None
        elif number > last - WAITING - RUNNING:
            lease = datetime.now(UTC) + timedelta(seconds=200)
            yield number, user, "processing", None, 30, prompt, at, at, at, None, lease
        else:
            status, end = ("error", "failed") if number % 3 else ("completed", "completed")
            yield number, user, status, end, 90 if number % 3 else 100, prompt, at, at, at, at, None


def log_of(task_id: int, user: UUID) -> Iterator[Row]:
    return ((task_id, seq, user, BEGIN, "info", f"line {seq} of the output") for seq in range(1, ENTRIES + 1))


class OnSQLite:
    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "taskdeck.db"

    def pour(self, table: str, columns: str, rows: Iterator[Row]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        connection = sqlite3.connect(self._path)
        with connection:
            values = (tuple(map(self._value, row)) for row in rows)
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608
        connection.close()

    def run(self, statement: str) -> None:
        connection = sqlite3.connect(self._path)
        with connection:
            connection.execute(statement)
        connection.close()

    def settle(self) -> None:
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    def plan(self, connection: Connection, statement: str, values: Any) -> list[str]:
        return [str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]

    @staticmethod
    def _value(value: Any) -> Any:
        if isinstance(value, UUID):
            return value.hex
        return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value


class OnPostgreSQL:
    name = "PostgreSQL"

    def __init__(self, found: PostgreSQL) -> None:
        self._dsn = found.dsn("bench")

    def pour(self, table: str, columns: str, rows: Iterator[Row]) -> None:
        connection = psycopg2.connect(self._dsn)
        with connection, connection.cursor() as cursor:
            while lines := "".join("\t".join(map(self._value, row)) + "\n" for row in islice(rows, 20_000)):
                cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.StringIO(lines))
        connection.close()

    def run(self, statement: str) -> None:
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def settle(self) -> None:
        self.run("VACUUM ANALYZE")

    def plan(self, connection: Connection, statement: str, values: Any) -> list[str]:
        return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", values)]

    @staticmethod
    def _value(value: Any) -> str:
        return r"\N" if value is None else str(value)


Kind = OnSQLite | OnPostgreSQL


def sent(call: Callable[[], object], role: engine.DatabaseRole) -> list[Statement]:
    """The statements that this call sends to the tables."""
    found: list[Statement] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN", "SELECT set_config")):
            found.append((statement, parameters))

    event.listen(engine.configured(role), "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(engine.configured(role), "before_cursor_execute", note)
    return found


def questions(
    actor: Actor, away: Actor, task_id: int
) -> dict[str, tuple[Callable[[], object], engine.DatabaseRole, tuple[str, ...]]]:
    """What is asked most: the call, by whom, and the indexes that it may use."""
    deep = listing._cursor(commands.find(actor, task_id // 2 * 2 - 999 if task_id > 2000 else 101))
    keys = ("pk_tasks", "uq_tasks_id", "tasks_pkey", "tasks_id_user_id_key", "PRIMARY KEY", "sqlite_autoindex_tasks_1")
    log_keys = ("task_logs_pkey", "pk_task_logs", "sqlite_autoindex_task_logs_1")
    people_, runners = engine.DatabaseRole.WEB, engine.DatabaseRole.WORKER
    ended = ("idx_tasks_status", "idx_tasks_completed", "idx_tasks_error")
    oldest = (Task.created_at, Task.id)

    def poll() -> None:
        commands.find(actor, task_id)
        logs.after(actor, task_id, ENTRIES - 3)

    return {
        "list, first page": (lambda: listing.page(actor), people_, ("idx_tasks_user_id",)),
        "list, of one who was away": (lambda: listing.page(away), people_, ("idx_tasks_user_id",)),
        "list, completed": (lambda: listing.page(actor, status=TaskStatus.COMPLETED), people_, (*ended,)),
        "list, pending": (
            lambda: listing.page(actor, status=TaskStatus.PENDING), people_, ("idx_tasks_status", "idx_tasks_pending")
        ),
        "list, deep page": (lambda: listing.page(actor, cursor=deep), people_, ("idx_tasks_user_id",)),
        "detail, polled": (poll, people_, (*keys, *log_keys)),
        "counts": (lambda: listing.counts(actor), people_, (*ended, "idx_tasks_pending", "idx_tasks_processing")),
        "idle claim": (
            lambda: claims._exists(Task.status == TaskStatus.PENDING, order=oldest), runners, ("idx_tasks_pending",)
        ),
        "health": (health.load, runners, ("idx_tasks_pending", "idx_tasks_processing")),
        "claim": (lambda: claims.claim("bench", 200), runners, ("idx_tasks_pending", *keys, "task_logs")),
        "expire": (
            lambda: claims.expire(now=engine.now() + timedelta(seconds=250)),
            runners,
            ("idx_tasks_processing", "task_logs"),
        ),
    }  # fmt: skip


def explain(kind: Kind, actor: Actor, away: Actor, task_id: int) -> list[str]:
    """Print the plans; the questions whose statements use another index than the one that was made for them."""
    wrong = []
    for name, (call, role, indexes) in questions(actor, away, task_id).items():
        statements = sent(call, role)
        user = away if "away" in name else actor
        print(f"\n{kind.name}: {name}")
        for statement, values in dict(statements).items():
            if statement.startswith("INSERT") or isinstance(values, list):
                continue
            with engine.writing(role=role, user_id=str(user.id)).connect() as connection:
                lines = kind.plan(connection, statement, values)
            print("\n".join(f"    {line}" for line in lines))
            scans = [line for line in lines if "Seq Scan on tasks" in line or line == "SCAN tasks"]
            if scans or not any(index in line for index in indexes for line in lines):
                wrong.append(f"{kind.name}: {name}: {indexes[0]} is not used")
    return wrong


def p95(call: Callable[[], object]) -> float:
    """Milliseconds: the 95th percentile of the best round, others use this machine too."""

    rounds: list[float] = []
    while len(rounds) < ROUNDS:
        times: list[float] = []
        begun = time.perf_counter()
        while len(times) < CALLS and (len(times) < 10 or time.perf_counter() - begun < 5):
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) * 1000)
        rounds.append(statistics.quantiles(times, n=20)[-1])
    return min(rounds)


def measure(kind: Kind, sizes: list[int]) -> tuple[dict[str, list[float]], list[str]]:
    """The figures of each question at each size, and what is wrong with the plans at the last one."""
    actors = [people.add(f"p{number}", f"p{number}@example.org", "P", "bench password") for number in range(WEB)]
    users = [actor.id for actor in actors]
    figures: dict[str, list[float]] = {}
    filled = 0
    for size in sizes:
        begun = time.perf_counter()
        kind.run(END_ALL)  # what waits or runs is among the newest, as it is in life
        kind.pour("tasks", COLUMNS, tasks_from(filled + 1, size, users))
        newest = size - WAITING - RUNNING - 5
        newest -= 1 - newest % 2  # an odd one: the first person's
        kind.pour("task_logs", LOG_COLUMNS, log_of(newest, users[0]))
        kind.settle()
        filled = size
        print(f"{kind.name}: {size:,} tasks are there after {time.perf_counter() - begun:.1f} s", flush=True)
        for name, (call, *_) in questions(actors[0], actors[-1], newest).items():
            if name not in ("claim", "expire"):  # these change what they find
                figures.setdefault(name, []).append(p95(call))
    return figures, explain(kind, actors[0], actors[-1], newest)


@contextmanager
def settings(**variables: str) -> Iterator[None]:
    os.environ.update(variables)
    config.settings.cache_clear()
    passwords.ROUNDS = 4
    schema.upgrade()
    try:
        yield
    finally:
        engine.dispose()
        for name in variables:
            del os.environ[name]
        config.settings.cache_clear()


def table(kind: Kind, sizes: list[int], figures: dict[str, list[float]]) -> list[str]:
    """Print a Markdown table; the lists whose time grows with the table."""
    print(f"\n| {kind.name}, p95 in ms | {' | '.join(f'{size:,}' for size in sizes)} | last / first |")
    print(f"| --- |{' ---: |' * (len(sizes) + 1)}")
    slow = []
    for name, found in figures.items():
        ratio = found[-1] / found[0]
        print(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in found)} | {ratio:.2f} |")
        if ratio > GROWTH and name != "counts":  # which count up to 10,000 rows, and so grow until there are as many
            slow.append(f"{kind.name}: {name} takes {ratio:.1f} times as long, more than {GROWTH:g}")
    return slow


def main() -> int:
    """Measure on both; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=SIZES[-1], help="how many tasks there are at last")
    rows = parser.parse_args().rows
    sizes = [size for size in SIZES if size < rows] + [rows]
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder, server() as found:
        found.execute("CREATE DATABASE bench OWNER taskdeck_owner")
        postgresql = {name: found.url("bench", login) for name, login in LOGINS.items()}
        for kind, more in ((OnSQLite(Path(folder)), {}), (OnPostgreSQL(found), postgresql)):
            with settings(TASKDECK_DATA=folder, **more):
                figures, bad = measure(kind, sizes)
            wrong += bad + table(kind, sizes, figures)
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
