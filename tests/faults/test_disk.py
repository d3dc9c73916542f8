"""The disk is full: a real server whose data folder is a small file system of its own."""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.database import engine
from core.runner import processor
from tests.faults.scene import TALKER, Scene
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("sqlite_file")

SIZE = "24m"

#: Says lines of 1,000 characters, quickly: a small disk is soon full of them.
LOUD = TALKER.replace("number, flush", "number, 'x' * 1000, flush").replace("sleep(0.02)", "sleep(0.005)")

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


class Small:
    """A running server whose data folder is a small file system, seen from outside, and Ada's way to its API."""

    def __init__(self, server: Server, api: httpx.Client) -> None:
        self.server, self.api = server, api
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

    def get(self, path: str) -> Any:
        return self.api.get(path).raise_for_status().json()

    def create(self, prompt: str, agent: str) -> httpx.Response:
        return self.api.post("/tasks", json={"prompt": prompt, "selectedAgent": agent})

    def accepted(self, prompt: str, agent: str) -> str:
        """The id of a new task."""
        return str(self.create(prompt, agent).raise_for_status().json()["task"]["id"])

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/tasks/{task_id}")["task"]
        return found

    def tasks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/tasks?logs=none")["tasks"]
        return found

    def log(self, task_id: str) -> list[str]:
        """Every entry, whose numbers have no gaps; and the talker's lines are all there and in order."""
        entries: list[dict[str, str]] = []
        while page := self.get(f"/tasks/{task_id}/logs?after={len(entries)}")["logs"]:
            entries += page
        assert [entry["id"] for entry in entries] == [str(number) for number in range(1, len(entries) + 1)]
        said = [entry["message"] for entry in entries]
        lines = [line for line in said if line.startswith("line ")]
        assert [int(line.split()[1]) for line in lines] == list(range(len(lines)))
        return said


#: Starts a server on a small disk, with these settings.
Start = Callable[..., Small]


@pytest.fixture
def small(private_mount: list[str], scene: Scene, ada_token: str) -> Iterator[Start]:
    """Start a server on a copy of this test's data, on a small disk that nobody else sees."""
    with ExitStack() as stack:

        def start(**settings: object) -> Small:
            engine.dispose()  # everything is in the one file now
            seed = scene.data.with_name("seed")
            scene.data.rename(seed)
            scene.data.mkdir()
            script = f'mount -t tmpfs -o size={SIZE} tmpfs {scene.data}; cp -a {seed}/. {scene.data}; exec "$@"'
            server = scene.serve(before=[*private_mount, "sh", "-ec", script, "sh"], concurrency=1, **settings)
            return Small(server, stack.enter_context(server.client(ada_token)))

        yield start


def sound(small: Small, folder: Path) -> bool:
    """Whether the database holds no half of anything."""
    folder.mkdir()
    for file in small.root.glob("taskdeck.db*"):
        shutil.copy(file, folder)
    with closing(sqlite3.connect(folder / "taskdeck.db")) as copy:
        found = [copy.execute(f"PRAGMA {check}").fetchall() for check in ("integrity_check", "foreign_key_check")]
    return found == [[("ok",)], []]


@pytest.mark.fault(
    "the disk is full for a while",
    "writes answer 503 with Retry-After, reads go on, nothing is half-written, the running task loses no line",
)
def test_a_full_disk_refuses_writes_and_everything_goes_on_afterwards(
    small: Start, scene: Scene, tmp_path: Path
) -> None:
    talker, deck = scene.agent("talker", LOUD), small(log_lines=100_000)
    running = deck.accepted("talk", talker)
    eventually(lambda: deck.task(running)["log_count"] > 10)
    deck.fill()

    accepted, refused = [], 0
    deadline = time.monotonic() + 15
    while refused < 5:
        assert time.monotonic() < deadline
        prompt = f"while it is full {len(accepted)} {refused}"
        answer = deck.create(prompt, talker)
        assert answer.status_code in (201, 503), answer.text
        if answer.status_code == 201:
            accepted.append(prompt)
            continue
        refused += 1
        assert int(answer.headers["Retry-After"]) > 0
        assert (answer.json().keys(), deck.api.delete(f"/tasks/{running}").status_code) == ({"error"}, 503)
        for path in ("/tasks?logs=tail", f"/tasks/{running}", f"/tasks/{running}/logs", "/agents"):
            deck.get(path)
        assert httpx.get(deck.server.url).status_code == 200
        time.sleep(0.3)
    assert {each["prompt"] for each in deck.tasks()} == {"talk", *accepted}

    deck.free()
    freed = time.monotonic()
    eventually(lambda: deck.create("after", talker).status_code == 201)
    scene.measured(f"{refused} writes refused, the next accepted {time.monotonic() - freed:.1f} s after it")
    scene.go()
    eventually(lambda: all(each["end_reason"] for each in deck.tasks()), 30)
    said = deck.log(running)
    assert f"said {sum(line.startswith('line ') for line in said)}" in said
    assert {each["status"] for each in deck.tasks()} == {"completed"}
    assert sound(deck, tmp_path / "copy")
    eventually(lambda: list((deck.root / "workspaces").iterdir()) == [], 2)
    assert deck.server.stop() == 0
    assert "database or disk is full" in deck.server.said() and "Traceback" not in deck.server.said()


@pytest.mark.slow
@pytest.mark.fault(
    "the disk is full for longer than a lease",
    "the task's processes are dead by the lease's end, it ends once as interrupted when there is space, others run",
)
def test_a_disk_full_longer_than_a_lease_interrupts_the_task(small: Start, scene: Scene, tmp_path: Path) -> None:
    talker, deck = scene.agent("talker", LOUD), small(lease=3)
    running, waiting = deck.accepted("talk", talker), deck.accepted("wait", talker)
    eventually(lambda: deck.task(running)["log_count"] > 10)
    assert len(deck.server.started()) == 2
    deck.fill()
    filled = time.monotonic()
    eventually(lambda: not deck.server.started(), 8)
    scene.measured(f"processes dead {time.monotonic() - filled:.1f} s after it, lease 3 s")
    scene.go()
    time.sleep(0.5)
    assert deck.task(running)["end_reason"] in (None, "interrupted")
    deck.free()
    eventually(lambda: deck.task(waiting)["status"] == "completed", 20)
    ended = deck.task(running)
    assert (ended["status"], ended["end_reason"]) == ("error", "interrupted")
    said = deck.log(running)
    assert said[-1] == ended["error"] and said.count(ended["error"]) == 1 and sound(deck, tmp_path / "copy")
    assert deck.server.stop() == 0


@pytest.mark.fault(
    "the disk has no room for a copy of what the agent made",
    "the task ends as failed and says why, nothing half-copied is left",
)
@pytest.mark.parametrize(("megabytes", "error"), [
    (14, processor.DISK_FULL), (100, "greedy ended with exit status 1."),
], ids=["no room for the copy", "no room at all"])  # fmt: skip
def test_files_that_do_not_fit_leave_nothing(megabytes: int, error: str, small: Start, scene: Scene) -> None:
    greedy = scene.world.script_agent("greedy", GREEDY.format(megabytes=megabytes))
    quick, deck = scene.agent("quick", "print('done')"), small()
    large, after = deck.accepted("large", greedy), deck.accepted("after", quick)
    eventually(lambda: deck.task(after)["end_reason"], 20)
    assert [deck.task(each)["end_reason"] for each in (large, after)] == ["failed", "completed"]
    assert deck.log(large)[-1] == deck.task(large)["error"] == error
    eventually(lambda: [*deck.root.glob("artifacts/*"), *deck.root.glob("workspaces/*")] == [], 2)
    assert "No space left on device" in deck.server.said() + "".join(deck.log(large))
    assert deck.server.stop() == 0
