"""PostgreSQL goes away, restarts, locks, forgets to answer: with a server of its own that each test may break."""

import time
from collections.abc import Iterator
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
from core.database import engine, schema
from core.database.models import EndReason
from core.database.ownership import Actor
from core.identity import people, tokens
from core.tasks import commands
from tests.api.calls import Caller, Headers
from tests.conftest import PASSWORD
from tests.faults.scene import TALKER, Scene
from tests.support import postgresql as programs
from tests.support.databases import LOGINS
from tests.support.postgresql import PostgreSQL
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = [pytest.mark.usefixtures("postgresql"), pytest.mark.timeout(180)]


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


def status(client: httpx.Client, path: str = "/tasks") -> int:
    """The status of a call; a 503 must say when to try again."""
    answer = client.get(path)
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0 and answer.json()["error"]
    return answer.status_code


def test_a_restart_in_mid_task_loses_no_line_and_the_task_completes(own: PostgreSQL, scene: Scene) -> None:
    scene.agent("talker", TALKER)
    server, task = scene.serve(lease=30), scene.create("talker")
    for seen in (20, 120):
        eventually(lambda seen=seen: len(scene.lines(task)) > seen, 20)
        own.stop()
        own.start()
    eventually(lambda: len(scene.lines(task)) > 220, 20)
    scene.go()
    scene.wait(EndReason.COMPLETED, task, seconds=20)
    found = scene.lines(task)
    assert (found, server.process.poll()) == (list(range(len(found))), None)
    assert "Traceback" not in server.said()


def test_ended_connections_are_made_anew_and_leak_nobodys_rows(own: PostgreSQL, scene: Scene, bob: Actor) -> None:
    server = scene.serve()
    mine = {actor.id: commands.create(actor, prompt=actor.name, agent="claude").id for actor in (scene.ada, bob)}
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('taskdeck_web', 'taskdeck_runner')"
    )
    with ExitStack() as stack:
        clients = {actor: stack.enter_context(server.client(tokens.create(actor, "x"))) for actor in (scene.ada, bob)}
        for _ in range(10):
            with ThreadPoolExecutor(8) as pool:  # several connections are open
                found = list(pool.map(lambda n: status(list(clients.values())[n % 2]), range(16)))
            assert found == [200] * 16
            own.execute(end_all)
            for actor, client in clients.items():
                if (first := status(client)) != 200:
                    assert (first, status(client)) == (503, 200)
                assert [task["id"] for task in client.get("/tasks?logs=none").json()["tasks"]] == [str(mine[actor.id])]
    assert "Traceback" not in server.said()


def test_ten_seconds_without_a_database_are_503s_and_a_task_keeps_its_right_end(own: PostgreSQL, scene: Scene) -> None:
    scene.agent("talker", TALKER)
    server, task = scene.serve(lease=30), scene.create("talker")
    with server.client(tokens.create(scene.ada, "x")) as client:
        eventually(lambda: len(scene.lines(task)) > 20, 20)
        assert status(client) == 200
        own.stop()
        deadline = time.monotonic() + 10
        for method, path in (("GET", "/tasks"), ("POST", "/tasks"), ("GET", f"/tasks/{task}"), ("GET", "/health")):
            begun = time.monotonic()
            answer = client.request(method, path, json={"prompt": "x"} if method == "POST" else None)
            assert answer.status_code == 503, path
            assert (path == "/health" or int(answer.headers["retry-after"]) > 0) and time.monotonic() - begun < 6
        assert client.get("/health?live=true").status_code == 200
        scene.go()  # its work is done while nobody can write that down
        while time.monotonic() < deadline:
            time.sleep(0.5)
            assert status(client) == 503
        own.start()
        eventually(lambda: status(client) == 200, 5)
        eventually(lambda: scene.ended(task), 15)
        eventually(lambda: client.get("/health").status_code == 200, 10)
    assert scene.ended_once(task).end_reason is EndReason.COMPLETED
    assert scene.lines(task) == list(range(len(scene.lines(task))))
    with server.client(tokens.create(scene.ada, "y")) as client:
        assert [made["name"] for made in client.get(f"/tasks/{task}/artifacts/").json()["artifacts"]] == ["report.md"]
        later = client.post("/tasks", json={"prompt": "x", "selectedAgent": "talker"}).json()["task"]["id"]
        eventually(lambda: scene.ended(int(later)), 15)
    assert "Traceback" not in server.said()


@pytest.mark.parametrize("call", ["list", "create", "delete"])
def test_a_table_that_is_locked_is_a_503_within_six_seconds(call: str, own: PostgreSQL, scene: Scene) -> None:
    server, task = scene.serve(), scene.create("claude")
    calls = {"list": ("GET", "/tasks"), "create": ("POST", "/tasks"), "delete": ("DELETE", f"/tasks/{task}")}
    method, path = calls[call]
    with server.client(tokens.create(scene.ada, "x")) as client:
        assert status(client) == 200
        admin = psycopg2.connect(own.dsn("taskdeck"))
        try:
            with admin.cursor() as cursor:
                cursor.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")  # as ALTER TABLE does
            begun = time.monotonic()
            answer = client.request(method, path, json={"prompt": "x"} if call == "create" else None)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert 4 < time.monotonic() - begun <= 6
        finally:
            admin.close()
        assert status(client) == 200
    assert len(scene.find(task).prompt) == 1


@pytest.fixture
def caller(scene: Scene) -> Iterator[Caller]:
    """The API in this process, as Ada."""
    headers: Headers = {"Authorization": f"Bearer {tokens.create(scene.ada, 'x')}"}
    with start_blocking_portal() as portal:
        yield Caller(portal, Starlette(routes=[Mount("/api", create_api())]), headers)


def test_used_up_connections_are_a_503_and_the_runners_keep_theirs(caller: Caller) -> None:
    assert caller.get("/tasks").status_code == 200
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(engine.configured().connect())
        begun, answer = time.monotonic(), caller.get("/tasks")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert time.monotonic() - begun <= 6
        engine.ping(1)
    assert caller.get("/tasks").status_code == 200


def test_a_server_out_of_connections_is_a_503_too(own: PostgreSQL, caller: Caller) -> None:
    own.execute("ALTER ROLE taskdeck_web CONNECTION LIMIT 1")
    engine.dispose()
    with engine.configured().connect():
        assert caller.get("/tasks").status_code == 503
    assert caller.get("/tasks").status_code == 200
