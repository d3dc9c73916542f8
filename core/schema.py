"""The schema: brought to the newest state, and checked before anything is served."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, create_engine, inspect, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from core import db
from core.errors import ConfigurationError
from core.models import owned_tables

MIGRATIONS = Path(__file__).parent.parent / "migrations"

#: The policies that every table with an owner has on PostgreSQL: command (as in pg_policies), role, and what must stand
#: in its condition.
POLICIES = {
    "owner": ("ALL", "tasks_app", "user_id = "),
    "analyst": ("SELECT", "tasks_app", "app.reads"),
    "runner": ("ALL", "tasks_worker", "true"),
}

#: What a database administrator runs when the login for migrations may not create roles.
ROLES = """\
-- Once for the server. Taskdeck never needs a superuser, nor a role that bypasses row level security.
CREATE ROLE tasks_app NOLOGIN;
CREATE ROLE tasks_worker NOLOGIN;

-- Three logins. Give each a password of its own: ALTER ROLE ... PASSWORD, or \\password in psql.
CREATE ROLE taskdeck_owner LOGIN;                                   -- MIGRATION_DATABASE_URL
CREATE ROLE taskdeck_web LOGIN IN ROLE tasks_app;                   -- DATABASE_URL
CREATE ROLE taskdeck_runner LOGIN IN ROLE tasks_worker;             -- WORKER_DATABASE_URL
CREATE DATABASE taskdeck OWNER taskdeck_owner;

-- Or a single login for DATABASE_URL that takes each role when it needs it, and none by itself:
-- CREATE ROLE taskdeck LOGIN NOINHERIT IN ROLE tasks_app, tasks_worker;
"""

INSUFFICIENT_PRIVILEGE = "42501"  # PostgreSQL, appendix A

_README = 'see "For a team" in the README'


def prepare() -> None:
    """Bring the database to the newest schema where that is needed, and check it.

    Raises ConfigurationError with one sentence of advice when the database must not be served, or one of
    db.Unavailable when it does not answer.
    """
    if _version() != newest():
        upgrade()
    check()


def upgrade() -> None:
    """Bring the database to the newest schema. Several processes may do so at once.

    Raises ConfigurationError when a newer release was there before.
    """
    if _version() not in (None, *_known()):
        raise ConfigurationError("The database is newer than this release of Taskdeck: install the newer release.")
    try:
        command.upgrade(_alembic(), "head")
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != INSUFFICIENT_PRIVILEGE:
            raise
        raise ConfigurationError(
            "The schema cannot be changed by this login: set MIGRATION_DATABASE_URL to the tables' owner, and have an "
            f"administrator make the roles with python -m core db roles ({_README})."
        ) from None


def check() -> None:
    """Raise ConfigurationError with one sentence of advice when the database must not be served as it is."""
    if advice := why_not_newest(_version()):
        raise ConfigurationError(f"The database {advice}")
    if db.is_postgresql():
        for name, pool in (("DATABASE_URL", db.Pool.PEOPLE), ("WORKER_DATABASE_URL", db.Pool.RUNNERS)):
            _check_login(name, pool)
        _check_policies()


def why_not_newest(version: str | None) -> str | None:
    """What is wrong with a database of this revision, as the end of a sentence; None when it is the newest."""
    if version == newest():
        return None
    if version in (None, *_known()):
        return "is older than this release of Taskdeck: run python -m core db upgrade."
    return "is newer than this release of Taskdeck: install the newer release."


def _check_login(name: str, pool: db.Pool) -> None:
    with create_engine(db.engine(pool).url, poolclass=NullPool, hide_parameters=True).connect() as connection:
        for role in db.Pool:
            if connection.scalar(text("SELECT to_regrole(:role)"), {"role": role.value}) is None:
                raise ConfigurationError(f"The role {role.value} does not exist: python -m core db roles makes it.")
        login = connection.execute(
            text(
                "SELECT rolsuper, rolbypassrls, pg_has_role(rolname, :role, 'MEMBER') AS member, "
                "pg_has_role(rolname, 'tasks_worker', 'USAGE') AS works FROM pg_roles WHERE rolname = session_user"
            ),
            {"role": pool.value},
        ).one()
    if login.rolsuper or login.rolbypassrls:
        kind = "a superuser" if login.rolsuper else "a role with BYPASSRLS"
        raise ConfigurationError(f"{name} logs in as {kind}, whom no policy binds: use a plain login ({_README}).")
    if not login.member:
        raise ConfigurationError(f"{name} logs in as nobody who may take the role {pool.value}: grant it ({_README}).")
    if login.works and pool is db.Pool.PEOPLE:
        raise ConfigurationError(
            f"{name} logs in as somebody who inherits tasks_worker and so reads everybody's tasks: "
            f"make that login NOINHERIT, or revoke the role ({_README})."
        )


def _check_policies() -> None:
    with db.reading().connect() as connection:
        for table in owned_tables():
            if not _is_guarded(connection, table):
                raise ConfigurationError(
                    f"The table {table} lacks its row level security, forced, with the policies {', '.join(POLICIES)} "
                    "as the migrations made them: restore them before you serve it."
                )


def _is_guarded(connection: Connection, table: Table) -> bool:
    active = connection.scalar(
        text(
            "SELECT relrowsecurity AND relforcerowsecurity AND row_security_active(oid) "
            "FROM pg_class WHERE oid = to_regclass(:table)"
        ),
        {"table": table.name},
    )
    found = connection.execute(
        text(
            "SELECT policyname, cmd, array_to_string(roles, ',') AS role, qual, coalesce(with_check, qual) AS checks "
            "FROM pg_policies WHERE schemaname = current_schema() AND tablename = :table AND permissive = 'PERMISSIVE'"
        ),
        {"table": table.name},
    ).all()
    return bool(active) and len(found) == len(POLICIES) and all(_is_intact(*policy) for policy in found)


def _is_intact(name: str, command: str, role: str, condition: str, check: str) -> bool:
    wanted = POLICIES.get(name)
    return wanted is not None and wanted[:2] == (command, role) and wanted[2] in condition and check == condition


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def newest() -> str | None:
    """The revision that this release needs."""
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def _known() -> list[str]:
    return [script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()]


def _version() -> str | None:
    # On PostgreSQL as the owner: the roles of the others may not be there yet.
    with (db.owners_engine() if db.is_postgresql() else db.reading()).connect() as connection:
        return version_of(connection)


def version_of(connection: Connection) -> str | None:
    """A database's revision; None when it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version
