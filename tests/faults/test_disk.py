"""The disk is full: a real server whose data folder is a small file system of its own."""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.database import engine
from core.runner import processor
from tests.support.server import Server
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("sqlite_file")

SIZE = "24m"

#: Says a line of 1,000 characters every 5 ms, until the file {path} is there; then how many there were.
TALKER = """
import os, time
number = 0
while not os.path.exists({path!r}):
    print(f"line {{number}} " + "x" * 1000)
    number += 1
    time.sleep(0.005)
print(f"said {{number}}")
"""

#: Leaves a file of some megabytes, or as much of it as there is room for; then it fails.
GREEDY = """
import sys
with open(sys.argv[1] + "/large.bin", "wb", buffering=0) as file:
    for _ in range({megabytes}): file.write(b"x" * 1_000_000)
"""


@pytest.fixture(scope="module")
def private_mount(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The words before a command that give it mounts of its own: as root, or in a user namespace."""
    trial = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(tmp_path_factory.mktemp("mount"))]
    for way in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        if shutil.which("unshare") and subprocess.run([*way, *trial], capture_output=True).returncode == 0:
            return way
    pytest.skip("neither root nor a user namespace may mount a file system here")


class Disk:
    """The small file system of a running server, seen from outside."""

    def __init__(self, server: Server) -> None:
        self.root = Path(f"/proc/{server.process.pid}/root{server.environment['TASKDECK_DATA']}")

    def fill(self) -> None:
        """Take all the space that is left."""
        with (self.root / "ballast").open("ab", buffering=0) as ballast:
            for size in (2**20, 4096, 1):
                try:
                    while ballast.write(b"\0" * size):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        (self.root / "ballast").unlink()


@pytest.fixture
def small(
    private_mount: list[str], serve: Callable[..., Server], ada_token: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Server, Disk, httpx.Client]]]:
    """Start a server on a copy of this test's data, on a small disk that nobody else sees; Ada's way to its API."""
    clients: list[httpx.Client] = []

    def start(**settings: object) -> tuple[Server, Disk, httpx.Client]:
        engine.dispose()  # everything is in the one file now
        seed = data.with_name("seed")
        data.rename(seed)
        data.mkdir()
        script = f'mount -t tmpfs -o size={SIZE} tmpfs {data}; cp -a {seed}/. {data}; exec "$@"'
        server = serve(before=[*private_mount, "sh", "-ec", script, "sh"], **settings)
        clients.append(server.client(ada_token))
        return server, Disk(server), clients[-1]

    yield start
    for client in clients:
        client.close()


def create(api: httpx.Client, prompt: str, agent: str) -> str:
    answer = api.post("/tasks", json={"prompt": prompt, "selectedAgent": agent}).raise_for_status()
    return str(answer.json()["task"]["id"])


def task(api: httpx.Client, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/tasks/{task_id}").raise_for_status().json()["task"]
    return found


def log(api: httpx.Client, task_id: str) -> list[str]:
    """Every entry, after a look that their numbers have no gaps."""
    entries: list[dict[str, str]] = []
    while page := api.get(f"/tasks/{task_id}/logs", params={"after": len(entries)}).raise_for_status().json()["logs"]:
        entries += page
    assert [entry["id"] for entry in entries] == [str(number) for number in range(1, len(entries) + 1)]
    return [entry["message"] for entry in entries]


def sound(disk: Disk, folder: Path) -> bool:
    """Whether the database holds no half of anything."""
    folder.mkdir()
    for file in disk.root.glob("taskdeck.db*"):
        shutil.copy(file, folder)
    with closing(sqlite3.connect(folder / "taskdeck.db")) as copy:
        found = [copy.execute(f"PRAGMA {check}").fetchall() for check in ("integrity_check", "foreign_key_check")]
    return found == [[("ok",)], []]


@pytest.mark.fault(
    "the disk is full for a while",
    "writes answer 503 with Retry-After, reads go on, nothing is half-written, the running task loses no line",
)
def test_a_full_disk_refuses_writes_answers_reads_and_everything_goes_on_afterwards(
    small: Callable[..., tuple[Server, Disk, httpx.Client]],
    world: World,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    talker = world.script_agent("talker", TALKER.format(path=str(tmp_path / "go")))
    server, disk, api = small(concurrency=1, log_lines=100_000)
    running = create(api, "talk", talker)
    eventually(lambda: task(api, running)["log_count"] > 10)
    disk.fill()

    accepted, refused = [], 0
    deadline = time.monotonic() + 15
    while refused < 5:
        assert time.monotonic() < deadline
        prompt = f"while it is full {len(accepted)} {refused}"
        answer = api.post("/tasks", json={"prompt": prompt, "selectedAgent": talker})
        assert answer.status_code in (201, 503), answer.text
        if answer.status_code == 201:
            accepted.append(prompt)
            continue
        refused += 1
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json().keys() == {"error"}
        assert api.delete(f"/tasks/{running}").status_code == 503
        for path in ("/tasks?logs=tail", f"/tasks/{running}", f"/tasks/{running}/logs", "/agents"):
            assert api.get(path).status_code == 200, path
        assert httpx.get(server.url).status_code == 200
        time.sleep(0.3)
    stored = {each["prompt"] for each in api.get("/tasks?logs=none").json()["tasks"]}
    assert stored == {"talk", *accepted}

    disk.free()
    freed = time.monotonic()
    eventually(lambda: api.post("/tasks", json={"prompt": "after", "selectedAgent": talker}).status_code == 201)
    measured(f"{refused} writes refused, the next accepted {time.monotonic() - freed:.1f} s after it")
    (tmp_path / "go").touch()
    eventually(lambda: all(each["end_reason"] for each in api.get("/tasks?logs=none").json()["tasks"]), 30)
    said = log(api, running)
    lines = [line for line in said if line.startswith("line ")]
    assert [int(line.split()[1]) for line in lines] == list(range(len(lines)))
    assert (said[-2], task(api, running)["status"]) == (f"said {len(lines)}", "completed")
    assert {each["status"] for each in api.get("/tasks?logs=none").json()["tasks"]} == {"completed"}
    assert sound(disk, tmp_path / "copy")
    eventually(lambda: list((disk.root / "workspaces").iterdir()) == [], 2)
    assert server.stop() == 0
    assert "database or disk is full" in server.said()
    assert "Traceback" not in server.said()


@pytest.mark.slow
@pytest.mark.fault(
    "the disk is full for longer than a lease",
    "the task's processes are dead by the lease's end, it ends once as interrupted when there is space, others run",
)
def test_a_disk_that_is_full_for_longer_than_a_lease_interrupts_the_task(
    small: Callable[..., tuple[Server, Disk, httpx.Client]],
    world: World,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    talker = world.script_agent("talker", TALKER.format(path=str(tmp_path / "go")))
    server, disk, api = small(concurrency=1, lease=3)
    running, waiting = create(api, "talk", talker), create(api, "wait", talker)
    eventually(lambda: task(api, running)["log_count"] > 10)
    assert len(server.started()) == 2
    disk.fill()
    filled = time.monotonic()
    eventually(lambda: not server.started(), 8)
    measured(f"processes dead {time.monotonic() - filled:.1f} s after it, lease 3 s")
    (tmp_path / "go").touch()
    time.sleep(0.5)
    assert task(api, running)["end_reason"] in (None, "interrupted")
    disk.free()
    eventually(lambda: task(api, waiting)["status"] == "completed", 20)
    ended = task(api, running)
    assert (ended["status"], ended["end_reason"]) == ("error", "interrupted")
    said = log(api, running)
    assert said[-1] == ended["error"] and said.count(ended["error"]) == 1
    lines = [line for line in said if line.startswith("line ")]
    assert [int(line.split()[1]) for line in lines] == list(range(len(lines)))
    assert sound(disk, tmp_path / "copy")
    assert server.stop() == 0


@pytest.mark.fault(
    "the disk has no room for a copy of what the agent made",
    "the task ends as failed and says why, nothing half-copied is left",
)
@pytest.mark.parametrize(
    ("megabytes", "error"),
    [(14, processor.DISK_FULL), (100, "greedy ended with exit status 1.")],
    ids=["no room for the copy", "no room at all"],
)
def test_files_that_do_not_fit_fail_the_task_and_leave_nothing(
    megabytes: int, error: str, small: Callable[..., tuple[Server, Disk, httpx.Client]], world: World
) -> None:
    greedy = world.script_agent("greedy", GREEDY.format(megabytes=megabytes))
    quick = world.script_agent("quick", "print('done')")
    server, disk, api = small(concurrency=1)
    large, after = create(api, "large", greedy), create(api, "after", quick)
    eventually(lambda: task(api, after)["end_reason"], 20)
    assert [task(api, each)["end_reason"] for each in (large, after)] == ["failed", "completed"]
    assert log(api, large)[-1] == task(api, large)["error"] == error
    eventually(lambda: [*disk.root.glob("artifacts/*"), *disk.root.glob("workspaces/*")] == [], 2)
    assert "No space left on device" in server.said() + "".join(log(api, large))
    assert server.stop() == 0
