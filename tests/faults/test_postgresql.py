"""PostgreSQL goes away, restarts, locks, forgets to answer: with a server of its own that each test may break."""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg2
import pytest
from anyio.from_thread import start_blocking_portal
from starlette.applications import Starlette
from starlette.routing import Mount

from api.routes import create_api
from core.agents.registry import agents
from core.database import engine, schema
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.identity import people, tokens
from core.tasks import commands
from tests.api.calls import Caller, Headers
from tests.conftest import PASSWORD
from tests.faults.checks import QUICK, ended, ended_once, ran, whole_log
from tests.faults.conftest import UVICORN
from tests.support import postgresql as programs
from tests.support.databases import LOGINS
from tests.support.postgresql import PostgreSQL
from tests.support.scripts import Script
from tests.support.server import Server
from tests.support.world import World

pytestmark = [pytest.mark.usefixtures("postgresql"), pytest.mark.timeout(180)]

#: Says a numbered line every 20 ms until the file {path} is there, and leaves a file.
TALKER = """
import os, sys, time
number = 0
while not os.path.exists({path!r}):
    print("line", number, flush=True)
    number += 1
    time.sleep(0.02)
open(sys.argv[1] + "/report.md", "w").write("# Done")
"""

Eventually = Callable[..., None]


@pytest.fixture
def own(world: World, data: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL that this test may break, with the newest schema; the settings lead to it."""
    with programs.server() as made:
        made.execute("CREATE DATABASE taskdeck OWNER taskdeck_owner")
        world.settle(**{name: made.url("taskdeck", login) for name, login in LOGINS.items()})
        schema.prepare()
        yield made
        engine.dispose()


@pytest.fixture
def ada(own: PostgreSQL) -> Actor:
    return people.add("ada", "ada@example.org", "Ada", PASSWORD)


@pytest.fixture
def bob(own: PostgreSQL) -> Actor:
    return people.add("bob", "bob@example.org", "Bob", PASSWORD)


@pytest.fixture
def deck(own: PostgreSQL, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a real server on this PostgreSQL, each in a folder of its own."""
    started: list[Server] = []

    def start(**more: object) -> Server:
        settings = {f"TASKDECK_{name.upper()}": str(value) for name, value in more.items()}
        settings |= {name: os.environ[name] for name in LOGINS}
        codes = {agent.info.name: agent.code for agent in agents().values() if isinstance(agent, Script)}
        settings["FAULT_AGENTS"] = json.dumps(codes)
        server = Server(tmp_path / f"deck{len(started)}", settings, f"tests.faults.program {UVICORN}")
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


def lines(actor: Actor, task_id: int) -> list[int]:
    """The numbers of the talker's lines in the log."""
    said = [entry.message for entry in whole_log(actor, task_id)]
    return [int(message.split()[1]) for message in said if message.startswith("line ")]


def status(client: httpx.Client, path: str = "/tasks") -> int:
    """The status of a call; a 503 must say when to try again."""
    answer = client.get(path)
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]
    return answer.status_code


def test_a_restart_in_mid_task_loses_no_line_and_the_task_completes(
    own: PostgreSQL, deck: Callable[..., Server], ada: Actor, world: World, tmp_path: Path, eventually: Eventually
) -> None:
    world.script_agent("talker", TALKER.format(path=str(tmp_path / "go")))
    server = deck(lease=30)
    task = commands.create(ada, prompt="x", agent="talker").id
    for seen in (20, 120):
        eventually(lambda seen=seen: len(lines(ada, task)) > seen, 20)
        own.stop()
        own.start()
    eventually(lambda: len(lines(ada, task)) > 220, 20)
    (tmp_path / "go").touch()
    eventually(lambda: ended(ada, [task]), 20)
    assert ended_once(ada, task).end_reason is EndReason.COMPLETED
    found = lines(ada, task)
    assert found == list(range(len(found)))
    assert server.process.poll() is None
    assert "Traceback" not in server.said()


def test_ended_connections_are_made_anew_and_leak_nobodys_rows(
    own: PostgreSQL, deck: Callable[..., Server], ada: Actor, bob: Actor
) -> None:
    server = deck()
    mine = {actor.id: commands.create(actor, prompt=actor.name, agent="claude").id for actor in (ada, bob)}
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('taskdeck_web', 'taskdeck_runner')"
    )
    with ExitStack() as stack:
        clients = {actor: stack.enter_context(server.client(tokens.create(actor, "x"))) for actor in (ada, bob)}
        for _ in range(10):
            with ThreadPoolExecutor(8) as pool:  # several connections are open
                found = list(pool.map(lambda n: status(list(clients.values())[n % 2]), range(16)))
            assert found == [200] * 16
            own.execute(end_all)
            for actor, client in clients.items():
                if (first := status(client)) != 200:
                    assert first == 503
                    assert status(client) == 200
                assert [task["id"] for task in client.get("/tasks?logs=none").json()["tasks"]] == [str(mine[actor.id])]
    assert "Traceback" not in server.said()


def test_ten_seconds_without_a_database_are_503s_and_a_task_that_ends_meanwhile_gets_its_right_end(
    own: PostgreSQL, deck: Callable[..., Server], ada: Actor, world: World, tmp_path: Path, eventually: Eventually
) -> None:
    world.script_agent("talker", TALKER.format(path=str(tmp_path / "go")))
    server = deck(lease=30)
    task = commands.create(ada, prompt="x", agent="talker").id
    with server.client(tokens.create(ada, "x")) as client:
        eventually(lambda: len(lines(ada, task)) > 20, 20)
        assert status(client) == 200
        own.stop()
        deadline = time.monotonic() + 10
        for method, path in (("GET", "/tasks"), ("POST", "/tasks"), ("GET", f"/tasks/{task}"), ("GET", "/health")):
            begun = time.monotonic()
            answer = client.request(method, path, json={"prompt": "x"} if method == "POST" else None)
            assert answer.status_code == 503, path
            assert path == "/health" or int(answer.headers["retry-after"]) > 0
            assert time.monotonic() - begun < 6
        assert client.get("/health?live=true").status_code == 200
        (tmp_path / "go").touch()  # its work is done while nobody can write that down
        while time.monotonic() < deadline:
            time.sleep(0.5)
            assert status(client) == 503
        own.start()
        eventually(lambda: status(client) == 200, 5)
        eventually(lambda: ended(ada, [task]), 15)
        eventually(lambda: client.get("/health").status_code == 200, 10)
    assert ended_once(ada, task).end_reason is EndReason.COMPLETED
    assert lines(ada, task) == list(range(len(lines(ada, task))))
    with server.client(tokens.create(ada, "y")) as client:
        assert [made["name"] for made in client.get(f"/tasks/{task}/artifacts/").json()["artifacts"]] == ["report.md"]
        later = client.post("/tasks", json={"prompt": "x", "selectedAgent": "talker"}).json()["task"]["id"]
        eventually(lambda: ended(ada, [int(later)]), 15)
    assert "Traceback" not in server.said()


@pytest.mark.parametrize("call", ["list", "create", "delete"])
def test_a_table_that_an_administrator_locks_is_a_503_within_six_seconds(
    call: str, own: PostgreSQL, deck: Callable[..., Server], ada: Actor
) -> None:
    server = deck()
    task = commands.create(ada, prompt="x").id
    calls = {
        "list": ("GET", "/tasks", None),
        "create": ("POST", "/tasks", {"prompt": "x"}),
        "delete": ("DELETE", f"/tasks/{task}", None),
    }
    method, path, body = calls[call]
    with server.client(tokens.create(ada, "x")) as client:
        assert status(client) == 200
        admin = psycopg2.connect(own.dsn("taskdeck"))
        try:
            with admin.cursor() as cursor:
                cursor.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")  # as ALTER TABLE does
            begun = time.monotonic()
            answer = client.request(method, path, json=body)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert 4 < time.monotonic() - begun <= 6
        finally:
            admin.close()
        assert status(client) == 200
    assert len(commands.find(ada, task).prompt) == 1


def test_used_up_connections_are_a_503_and_the_runners_keep_theirs(own: PostgreSQL, ada: Actor) -> None:
    headers: Headers = {"Authorization": f"Bearer {tokens.create(ada, 'x')}"}
    with start_blocking_portal() as portal:
        client = Caller(portal, Starlette(routes=[Mount("/api", create_api())]), headers)
        assert client.get("/tasks").status_code == 200
        with ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(engine.configured().connect())
            begun = time.monotonic()
            answer = client.get("/tasks")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert time.monotonic() - begun <= 6
            engine.ping(1)
        assert client.get("/tasks").status_code == 200


def test_a_server_out_of_connections_is_a_503_too(own: PostgreSQL, ada: Actor) -> None:
    headers: Headers = {"Authorization": f"Bearer {tokens.create(ada, 'x')}"}
    own.execute("ALTER ROLE taskdeck_web CONNECTION LIMIT 1")
    engine.dispose()
    with start_blocking_portal() as portal:
        client = Caller(portal, Starlette(routes=[Mount("/api", create_api())]), headers)
        with engine.configured().connect():
            assert client.get("/tasks").status_code == 503
        assert client.get("/tasks").status_code == 200


def test_two_servers_on_one_database_run_each_of_forty_tasks_once(
    own: PostgreSQL,
    deck: Callable[..., Server],
    ada: Actor,
    bob: Actor,
    world: World,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    world.script_agent("quick", QUICK.format(path=str(tmp_path / "ran")))
    servers = [deck(concurrency=2) for _ in range(2)]
    made = [
        (actor, commands.create(actor, prompt=f"t{number}", agent="quick").id)
        for number in range(20)
        for actor in (ada, bob)
    ]
    eventually(lambda: all(ended(actor, [task]) for actor, task in made), 100)
    assert sorted(ran(tmp_path / "ran")) == sorted(f"t{number}" for number in range(20) for _ in range(2))
    runners = set()
    for actor, task_id in made:
        task = ended_once(actor, task_id)
        assert (task.status, task.attempt) == (TaskStatus.COMPLETED, 1)
        runners.add(task.claimed_by)
    assert len(runners) == 2
    assert not any("Traceback" in server.said() for server in servers)
