"""The set-ups that the conformance suite holds for, and its two people."""

import os
from collections.abc import Iterator

import pytest

from core import config
from core.database import engine
from core.database.models import Task
from core.database.ownership import Actor
from core.tasks import commands
from tests.core.database.conforming import OWNED, Pair, row_for
from tests.support import databases
from tests.support.databases import unguarded

#: On PostgreSQL: a login for each role, or one login that has both and neither by itself.
SETUPS = ("two logins", "one login")
ONE = "taskdeck_one"
MAKE_ONE = f"""
DO $$ BEGIN CREATE ROLE {ONE} LOGIN NOINHERIT IN ROLE tasks_app, tasks_worker;
EXCEPTION WHEN duplicate_object THEN NULL; END $$
"""


@pytest.fixture
def setup(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, data: object) -> Iterator[str]:
    """The set-up under test, in the environment."""
    if request.param == "one login":
        assert isinstance(databases.current, databases.OnPostgreSQL)
        databases.current.server.execute(MAKE_ONE)
        url = os.environ["DATABASE_URL"].replace("taskdeck_web", ONE)
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("WORKER_DATABASE_URL", url)
        config.settings.cache_clear()
    yield request.param
    engine.dispose()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``setup`` once for each set-up of this run's database."""
    if "setup" in metafunc.fixturenames:
        setups = SETUPS if metafunc.config.getoption("--postgresql") else ("one file",)
        metafunc.parametrize("setup", setups, indirect=True)


@pytest.fixture
def pair(setup: str, ada: Actor, bob: Actor) -> Pair:
    adas, bobs = (commands.create(actor, prompt=f"{actor.name}'s own").id for actor in (ada, bob))
    with unguarded() as session:
        session.add_all(
            row_for(model, actor, task_id)
            for actor, task_id in ((ada, adas), (bob, bobs))
            for model in OWNED
            if model is not Task
        )
    return Pair(ada, bob, adas, bobs)
