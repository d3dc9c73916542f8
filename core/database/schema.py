"""The schema: brought to the newest state, and checked before anything is served."""

import logging
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.exc import ProgrammingError

from core.database import engine
from core.database.models import owned_tables
from core.database.roles import Right, having
from core.errors import ConfigurationError

_log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parents[2] / "migrations"

_OWN = "(user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS \"nullif\"))"
_ANALYST = (
    "( SELECT ((current_setting('app.reads'::text, true) = 'everyone'::text) AND (EXISTS ( SELECT FROM users WHERE "
    "((users.id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid) AND users.is_active AND "
    "(users.role = ANY (ARRAY[READERS])))))))"
).replace("READERS", ", ".join(f"'{role}'::role_enum" for role in having(Right.READ_EVERYONE)))
#: The policies that every table with an owner has on PostgreSQL, as its catalog shows them: name, command, permissive,
#: roles, condition to see a row, condition to write one.
POLICIES = {
    ("owner", "*", True, "tasks_app", _OWN, _OWN),
    ("analyst", "r", True, "tasks_app", _ANALYST, None),
    ("runner", "*", True, "tasks_worker", "true", "true"),
}

#: What a database administrator runs, as a superuser or as somebody who may create roles and databases.
ROLES = """\
-- Once for the server. Taskdeck never needs a superuser, nor a role that bypasses row level security.
CREATE ROLE tasks_app NOLOGIN;
CREATE ROLE tasks_worker NOLOGIN;

-- Three logins. Give each a password of its own: ALTER ROLE ... PASSWORD, or \\password in psql.
CREATE ROLE taskdeck_owner LOGIN;                                   -- MIGRATION_DATABASE_URL
CREATE ROLE taskdeck_web LOGIN IN ROLE tasks_app;                   -- DATABASE_URL
CREATE ROLE taskdeck_runner LOGIN IN ROLE tasks_worker;             -- WORKER_DATABASE_URL
GRANT taskdeck_owner TO CURRENT_USER;
CREATE DATABASE taskdeck OWNER taskdeck_owner;

-- The two roles are the whole server's: the logins of another Taskdeck on it must not get in here.
REVOKE CONNECT, TEMPORARY ON DATABASE taskdeck FROM PUBLIC;
GRANT CONNECT ON DATABASE taskdeck TO taskdeck_web, taskdeck_runner;

-- Or a single login for DATABASE_URL that takes each role when it needs it, and none by itself:
-- CREATE ROLE taskdeck LOGIN NOINHERIT IN ROLE tasks_app, tasks_worker;
-- GRANT CONNECT ON DATABASE taskdeck TO taskdeck;
"""

INSUFFICIENT_PRIVILEGE = "42501"  # PostgreSQL, appendix A

_LOGINS = {"DATABASE_URL": engine.DatabaseRole.WEB, "WORKER_DATABASE_URL": engine.DatabaseRole.WORKER}

#: Which database of which running server a connection is in.
_Place = tuple[str, int | None, datetime]

_MANUAL = 'see "PostgreSQL" in docs/operations.md'


def prepare() -> None:
    """Bring the database to the newest schema where that is needed, and check it.

    Raises ConfigurationError with one sentence of advice when the database must not be served, or one of
    engine.Unavailable when it does not answer.
    """
    if _version() != newest():
        upgrade()
    check()


def upgrade() -> None:
    """Bring the database to the newest schema. Several processes may do so at once.

    Raises ConfigurationError when a newer release was there before.
    """
    before = _version()
    if before not in (None, *_known()):
        raise ConfigurationError("The database is newer than this release of Taskdeck: install the newer release.")
    try:
        command.upgrade(_alembic(), "head")
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != INSUFFICIENT_PRIVILEGE:
            raise
        raise ConfigurationError(
            "The schema cannot be changed by this login: set MIGRATION_DATABASE_URL to the tables' owner, and have an "
            f"administrator make the roles with python -m core db roles ({_MANUAL})."
        ) from None
    if before != newest():
        _log.info("the database's schema was brought from revision %s to %s", before or "none", newest())


def check() -> None:
    """Raise ConfigurationError with one sentence of advice when the database must not be served as it is."""
    if advice := why_not_newest(_version()):
        raise ConfigurationError(f"The database {advice}")
    if engine.is_postgresql():
        places = {_check_login(name, role) for name, role in _LOGINS.items()}
        with engine.owners_engine().connect() as connection:
            places.add(_place(connection))
        if len(places) > 1:
            raise ConfigurationError(
                "DATABASE_URL, WORKER_DATABASE_URL and MIGRATION_DATABASE_URL lead to different databases: "
                f"they must name the same one ({_MANUAL})."
            )
        _check_policies()
        _check_rights()


def why_not_newest(version: str | None) -> str | None:
    """What is wrong with a database of this revision, as the end of a sentence; None when it is the newest."""
    if version == newest():
        return None
    if version in (None, *_known()):
        return "is older than this release of Taskdeck: run python -m core db upgrade."
    return "is newer than this release of Taskdeck: install the newer release."


def _check_login(name: str, role: engine.DatabaseRole) -> _Place:
    """Refuse a login that would void the policies, or cannot take its role; where it leads."""
    with engine.bare_engine(engine.configured(role).url).connect() as connection:
        for needed in engine.DatabaseRole:
            if connection.scalar(text("SELECT to_regrole(:role)"), {"role": needed.value}) is None:
                raise ConfigurationError(f"The role {needed.value} does not exist: python -m core db roles makes it.")
        # From 16 on a member need not be allowed to take the role.
        take = "SET" if (connection.dialect.server_version_info or (0,)) >= (16,) else "MEMBER"
        login = connection.execute(
            text(
                "SELECT pg_has_role(rolname, :role, :take) AS takes, pg_has_role(rolname, 'tasks_worker', 'USAGE') "
                "AS works, (SELECT min(every.rolname::text) FROM pg_roles AS every WHERE (every.rolsuper OR "
                "every.rolbypassrls) AND pg_has_role(session_user, every.oid, 'MEMBER')) AS unbound "
                "FROM pg_roles WHERE rolname = session_user"
            ),
            {"role": role.value, "take": take},
        ).one()
        place = _place(connection)
    if login.unbound:
        raise ConfigurationError(
            f"{name} logs in as a superuser or a role with BYPASSRLS, or may become one ({login.unbound}), "
            f"whom no policy binds: use a plain login ({_MANUAL})."
        )
    if not login.takes:
        raise ConfigurationError(f"{name} logs in as nobody who may take the role {role.value}: grant it ({_MANUAL}).")
    if login.works and role is engine.DatabaseRole.WEB:
        raise ConfigurationError(
            f"{name} logs in as somebody who inherits tasks_worker and so reads everybody's tasks: revoke that role, "
            f"make the login NOINHERIT and only then grant it again ({_MANUAL})."
        )
    return place


def _place(connection: Connection) -> _Place:
    found = connection.execute(
        text("SELECT current_database(), to_regclass('alembic_version')::oid, pg_postmaster_start_time()")
    ).one()
    return found[0], found[1], found[2]


def _check_policies() -> None:
    with engine.reading().connect() as connection:
        for table in owned_tables():
            if not _is_guarded(connection, table):
                raise ConfigurationError(
                    f"The table {table} lacks row level security, forced, with the policies owner, analyst, runner "
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
            "SELECT polname::text, polcmd::text, polpermissive, (SELECT string_agg(rolname::text, ',') FROM pg_roles "
            "WHERE oid = ANY (polroles)), pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) "
            "FROM pg_policy WHERE polrelid = to_regclass(:table)"
        ),
        {"table": table.name},
    )
    return bool(active) and {(*row[:4], *map(_one_line, row[4:])) for row in found} == POLICIES


def _one_line(expression: str | None) -> str | None:
    return expression and " ".join(expression.split())


def _check_rights() -> None:
    """Rights that policies do not bind, or that would lead past them."""
    with engine.reading().connect() as connection:
        for table in owned_tables():
            for role in engine.DatabaseRole:
                rights = connection.execute(
                    text(
                        "SELECT has_table_privilege(:role, :table, 'SELECT') AS reads, "
                        "has_table_privilege(:role, :table, 'TRUNCATE, TRIGGER, REFERENCES') AS more"
                    ),
                    {"role": role.value, "table": table.name},
                ).one()
                if rights.more or not rights.reads:
                    raise ConfigurationError(
                        f"The rights of {role.value} on the table {table} are not those that the migrations gave: "
                        "restore them before you serve it."
                    )
        loose = connection.scalar(
            text(
                "SELECT has_database_privilege('tasks_app', current_database(), 'TEMPORARY') "
                "OR has_schema_privilege('tasks_app', current_schema(), 'CREATE')"
            )
        )
        erasable = connection.scalar(
            text(
                "SELECT bool_or(has_table_privilege(role, 'audit_events', 'UPDATE, DELETE, TRUNCATE')) "
                "FROM unnest(ARRAY['tasks_app', 'tasks_worker']) AS role"
            )
        )
    if erasable:
        raise ConfigurationError(
            "The server's logins may change the audit trail: as the owner, "
            "REVOKE UPDATE, DELETE, TRUNCATE ON audit_events FROM tasks_app, tasks_worker, PUBLIC."
        )
    if loose:
        raise ConfigurationError(
            "The pages' login may make tables of its own, which could stand before the real ones: as the owner, "
            "REVOKE TEMPORARY ON DATABASE … FROM PUBLIC, and CREATE ON SCHEMA public FROM PUBLIC."
        )


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
    with (engine.owners_engine() if engine.is_postgresql() else engine.reading()).connect() as connection:
        return version_of(connection)


def version_of(connection: Connection) -> str | None:
    """A database's revision; None when it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version
