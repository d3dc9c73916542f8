import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import inspect, text

from core import config, db
from core.models import Owned
from core.ownership import Actor

ROOT = Path(db.__file__).parent.parent

FAILS = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "NEWEST"

def upgrade():
    op.create_table("half_done", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO half_done VALUES (1)")
    raise RuntimeError("this revision fails")
"""


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder without a database, which the settings now point to."""
    folder = tmp_path / "empty"
    monkeypatch.setenv("TASKDECK_DATA", str(folder))
    config.settings.cache_clear()
    return folder


def alembic(scripts: Path = db.MIGRATIONS) -> Config:
    made = Config()
    made.set_main_option("script_location", str(scripts))
    return made


def tables() -> set[str]:
    with db.engine().connect() as connection:
        return set(inspect(connection).get_table_names())


def triggers() -> set[str]:
    with db.engine().connect() as connection:
        return set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))


def test_an_upgraded_empty_database_has_exactly_what_the_models_say(empty: Path) -> None:
    db.upgrade()
    command.check(alembic())  # raises when a difference would need another revision
    assert tables() == {*db.Base.metadata.tables, "alembic_version"}


def test_the_check_above_would_see_a_difference(empty: Path) -> None:
    db.upgrade()
    with db.engine().connect() as connection, connection.begin():
        connection.execute(text("ALTER TABLE users DROP COLUMN name"))
    with pytest.raises(CommandError):
        command.check(alembic())


def test_an_upgrade_of_the_newest_schema_changes_nothing_and_keeps_the_rows(ada: Actor) -> None:
    def rows() -> tuple[object, ...]:
        with db.engine().connect() as connection:
            everything = connection.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY name")).all()
            return (*everything, connection.execute(text("SELECT username FROM users")).scalar_one())

    before = rows()
    db.upgrade()
    assert rows() == before
    assert before[-1] == "ada"


def test_every_owned_table_has_the_trigger_that_keeps_its_owner() -> None:
    owned = {mapper.local_table.name for mapper in db.Base.registry.mappers if issubclass(mapper.class_, Owned)}
    assert owned >= {"tasks", "task_logs", "artifacts"}
    assert triggers() == {f"{table}_owner_is_immutable" for table in owned}


def test_a_downgrade_to_the_beginning_leaves_no_table_and_can_be_upgraded_again(empty: Path) -> None:
    db.upgrade()
    command.downgrade(alembic(), "base")
    assert tables() == {"alembic_version"}
    assert triggers() == set()
    db.upgrade()
    command.check(alembic())


@pytest.mark.parametrize("before", ["empty", "newest"])
def test_a_failing_revision_leaves_nothing_behind(
    before: str, empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before == "newest":
        db.upgrade()
    at_first = tables()
    scripts = tmp_path / "migrations"
    shutil.copytree(db.MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    newest = str(ScriptDirectory.from_config(alembic()).get_current_head())
    (scripts / "versions" / "9999_fails.py").write_text(FAILS.replace("NEWEST", newest))
    monkeypatch.setattr(db, "MIGRATIONS", scripts)
    with pytest.raises(RuntimeError, match="this revision fails"):
        db.upgrade()
    assert tables() == at_first


def test_a_revision_that_breaks_a_reference_is_not_committed(ada: Actor) -> None:
    with pytest.raises(RuntimeError, match="broken reference in table auth_sessions"), db.migrating() as connection:
        connection.execute(text("INSERT INTO auth_sessions VALUES ('s', 'nobody', 0, 0, 0, NULL, NULL)"))
    with db.engine().connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM auth_sessions")).scalar() == 0
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_six_processes_that_race_on_an_empty_database_all_succeed(empty: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "core", "db", "upgrade"],
            cwd=ROOT,
            env=os.environ | {"PYTHONWARNINGS": "error"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    ends = [(racer.communicate()[1], racer.returncode) for racer in racers]
    assert ends == [("The database has the newest schema.\n", 0)] * 6
    command.check(alembic())
