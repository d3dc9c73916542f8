"""A really started server, and what Ada has there."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.caller import Ada
from tests.conftest import PASSWORD
from tests.support import databases
from tests.support.server import ROOT, Server

#: Makes Ada, two tickets of hers and her tokens, and a token of Bob's.
_PEOPLE = """
import json, sys
from core.identity import people, sessions, tokens
ada, bob = [people.add(name, f"{name}@example.org", name, sys.argv[1]) for name in ("ada", "bob")]
known = {scope: tokens.create(ada, scope, scope) for scope in ("read", "write")}
tickets = [sessions.ticket(sessions.start(ada)) for _ in range(2)]
print(json.dumps(known | {"tickets": tickets, "bobs": tokens.create(bob, "all")}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database: databases.Database) -> Iterator[Server]:
    environment = database.empty()
    made = Server(tmp_path_factory.mktemp("attacked"), environment)
    made.start()
    yield made
    made.stop()
    assert made.faults() == [], made.said()
    database.drop(environment)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def ada(server: Server, http: httpx.Client) -> Ada:
    command = [sys.executable, "-c", _PEOPLE, PASSWORD]
    made = subprocess.run(command, cwd=ROOT, env=server.environment, check=True, capture_output=True, text=True)
    known = json.loads(made.stdout)
    used, unused = known.pop("tickets")
    headers = {"Origin": server.url}
    answer = http.post(f"{server.url}/api/session", json={"ticket": used}, headers=headers).raise_for_status()
    http.cookies.clear()  # each call says itself what it brings
    ada = Ada(http, server.url, answer.headers["set-cookie"].partition(";")[0], unused, **known)
    assert ada.ask("POST", "/tasks", Origin=server.url).status_code == 201
    while ada.tasks()["tasks"][0]["status"] != "error":  # nothing is set up for its agent
        time.sleep(0.1)
    return ada


@pytest.fixture
def unchanged(ada: Ada) -> Iterator[None]:
    """Ada's task is afterwards as it was."""
    before = ada.tasks()
    assert len(before["tasks"]) == 1
    yield
    assert ada.tasks() == before
