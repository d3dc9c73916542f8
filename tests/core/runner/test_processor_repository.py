"""Tasks that change a repository: real git, real programs in the sandbox, commits that the next person can apply."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from core.database.models import EndReason, Task, TaskStatus
from core.errors import AgentFailed, NotPushed, StopRequested, TimedOut
from core.log_text import LogType
from core.repositories.checkout import Checkout
from core.runner import claims
from core.sandbox import output
from core.tasks import commands
from tests.core.living import Life, Patch, away, left_behind
from tests.core.repositories.running import git
from tests.support.waiting import eventually
from tests.support.world import World


class Fixer:
    """Tasks of the agent ``fixer``, which runs the program ``fix`` of a repository that is made for it."""

    def __init__(self, run_task: Life, root: Path, world: World, make_repository: Callable[..., Path]) -> None:
        self.run_task, self._root = run_task, root
        self._world, self._make = world, make_repository
        self.settle()

    def settle(self, more: str = "", other: str = "") -> None:
        """Give agents.toml these settings of the agent, and other sections."""
        self._world.catalog(
            f'[agents.fixer]\ndriver = "lines"\ncommand = ["./fix"]\n{more}\n{other}\n'
            f'[repositories]\nlocal_roots = ["{self._root}"]\n'
        )

    def repository(self, script: str, name: str = "shop") -> Path:
        files = {"price.txt": "1\n2\n3\n", "fix": f"#!/bin/sh\nset -e\n{script}"}
        return self._make(self._root / name, files, ("update-index", "--chmod=+x", "fix"))

    def __call__(self, script: str) -> Task:
        return self.run_task("fixer", str(self.repository(script)))

    def begin(self, script: str, name: str = "shop", agent: str = "fixer") -> tuple[Task, threading.Thread]:
        return self.run_task.begin(agent, str(self.repository(script, name)))


@pytest.fixture
def fixer(run_task: Life, local_root: Path, world: World, make_repository: Callable[..., Path]) -> Fixer:
    return Fixer(run_task, local_root, world, make_repository)


def test_what_an_agent_changes_becomes_a_commit_that_applies(fixer: Fixer, run_task: Life, data: Path) -> None:
    origin = fixer.repository(
        "echo working; sed -i s/2/20/ price.txt; echo new > added.txt; git rm -q --cached fix; rm fix"
    )
    task = run_task("fixer", str(origin))
    assert (task.status, task.error, task.progress) == (TaskStatus.COMPLETED, None, 100)
    assert task.branch_name == f"task/{task.id}-the-prompt"
    log = run_task.log(task)
    assert "working" in log and any("3 files changed" in line for line in log)
    git(origin, "checkout", "--quiet", "--", ".")
    git(origin, "am", given=run_task.files(task)["changes.patch"].encode())
    assert not (origin / "fix").exists()
    assert {path.name: path.read_text() for path in origin.glob("*.txt")} == {
        "price.txt": "1\n20\n3\n",
        "added.txt": "new\n",
    }
    said = git(origin, "log", "-1", "--format=%B")
    assert said.startswith("the prompt\n") and f"Task-Id: {task.id}" in said and "Agent: fixer" in said
    assert left_behind(data) == [str(task.id), "changes.patch"]


def test_an_agent_that_changes_nothing_completes_and_the_log_says_so(fixer: Fixer, run_task: Life) -> None:
    task = fixer("git status --short")
    assert (task.status, run_task.files(task)) == (TaskStatus.COMPLETED, {})
    assert "No files changed." in run_task.log(task)


def test_without_a_repository_the_files_that_it_makes_are_kept(fixer: Fixer, run_task: Life) -> None:
    maker = '[agents.maker]\ndriver = "lines"\ncommand = ["sh", "-c", "mkdir src; cat > src/note.txt"]'
    fixer.settle(other=maker)
    task = run_task("maker")
    assert (task.status, task.branch_name, task.error) == (TaskStatus.COMPLETED, None, None)
    assert run_task.files(task) == {"src/note.txt": "the prompt"}


def test_a_failed_agent_says_its_exit_status_and_keeps_nothing(fixer: Fixer, run_task: Life, data: Path) -> None:
    task = fixer("echo half > half.txt; echo 'it broke' >&2; exit 3")
    assert (task.end_reason, task.error) == (EndReason.FAILED, "fixer ended with exit status 3.")
    assert "it broke" in run_task.log(task)
    assert (task.branch_name, left_behind(data)) == (f"task/{task.id}-the-prompt", [])


EATER = "exec python3 -c \"x = [b'x' * 2**20 for _ in range(2000)]; import time; time.sleep(60)\""


@pytest.mark.parametrize(("settings", "script", "error"), [
    ("idle = 0.6", "echo begins; exec sleep 600", "fixer said nothing for 1 s and was stopped."),
    ("memory_mb = 128", EATER, "128 MiB of memory"),
    ("", "mkdir d; i=0; while [ $i -lt 200 ]; do : > d/file-$i; i=$((i+1)); done", "There are too many files"),
], ids=["silent for too long", "over its memory", "more than git can list"])  # fmt: skip
def test_an_agent_over_its_limits_is_stopped_with_the_reason(
    settings: str, script: str, error: str, fixer: Fixer, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("core.runner.execution.MOST_PRINTED", 2_000)
    fixer.settle(settings)
    task = fixer(script)
    assert (task.end_reason, error in str(task.error)) == (EndReason.FAILED, True), task.error


@pytest.mark.attack(96)
def test_a_printed_secret_is_masked_also_in_pieces_of_a_line(fixer: Fixer, run_task: Life, monkeypatch: Patch) -> None:
    monkeypatch.setenv("GIT_TOKEN", "orange-giraffe-73")
    fixer.settle(other='[repositories.hosts."git.example.org"]\ntoken = "GIT_TOKEN"')
    log = run_task.log(fixer("printf orange-; sleep 0.2; echo giraffe-73"))
    assert "[hidden]" in log and "giraffe" not in "".join(log)


@pytest.mark.attack(89)
def test_a_hostile_task_leaves_the_one_beside_it_unharmed(fixer: Fixer, run_task: Life) -> None:
    fixer.settle("memory_mb = 256\ntimeout = 3\nwarning = 2", '[agents.calm]\ndriver = "lines"\ncommand = ["./fix"]')
    hostile, thread = fixer.begin("f() { f | f & }; f; kill -9 -1; while :; do :; done", "hostile")
    calm, other = fixer.begin("echo 4 >> price.txt; sleep 0.4; echo fine", "calm", "calm")
    run_task.after(thread, hostile, 60)
    task = run_task.after(other, calm, 60)
    assert (task.status, task.error) == (TaskStatus.COMPLETED, None)


def test_the_branch_shows_while_the_agent_works(fixer: Fixer, run_task: Life) -> None:
    task, thread = fixer.begin("echo begun; while [ ! -e stop ]; do sleep 0.05; done")
    eventually(lambda: "begun" in run_task.log(task), 30)
    running = run_task.find(task)
    assert (running.branch_name, running.progress >= 30) == (f"task/{task.id}-the-prompt", True)
    commands.cancel(run_task.actor, task.id)
    assert run_task.after(thread, task, 30).end_reason is EndReason.CANCELLED
    assert (run_task.types(task)[-1], claims.claim("runner", 30)) == (LogType.INFO, None)


#: What ends a push before its own end, and what becomes of the task then.
FAULTS = {
    "the limit": (TimedOut("The task was stopped at its limit of 5 min."), EndReason.TIMED_OUT),
    "a stop": (StopRequested(0.0), EndReason.CANCELLED),
    "a refusal": (NotPushed(), EndReason.FAILED),
    "a fault of ours": (OSError("broken"), EndReason.FAILED),
}


@pytest.mark.parametrize("what", FAULTS)
def test_whatever_ends_the_push_the_patch_that_was_kept_stays(
    what: str, fixer: Fixer, run_task: Life, data: Path, monkeypatch: Patch
) -> None:
    error, reason = FAULTS[what]

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(Checkout, "push", fail)
    fixer.settle("push = true")
    task = fixer("echo 2 >> price.txt")
    assert (task.status, task.end_reason) == (TaskStatus.ERROR, reason)
    assert task.sandbox_url == f"/api/tasks/{task.id}/artifacts/"
    assert left_behind(data) == [str(task.id), *run_task.files(task)] == [str(task.id), "changes.patch"]


def test_the_branch_is_known_also_when_the_database_was_away_until_the_end(fixer: Fixer, monkeypatch: Patch) -> None:
    record = claims.record

    def until_the_branch(claim: claims.Claim, entries: list[claims.Entry], progress: int, branch: str | None) -> int:
        return away() if branch else record(claim, entries, progress, branch)

    monkeypatch.setattr(claims, "record", until_the_branch)
    task = fixer("echo 2 >> price.txt")
    assert (task.status, task.branch_name) == (TaskStatus.COMPLETED, f"task/{task.id}-the-prompt")


def test_a_result_that_cannot_be_kept_whole_is_not_kept_in_part(fixer: Fixer, data: Path, monkeypatch: Patch) -> None:
    store = output.store

    def half(*arguments: object) -> object:
        yield from store(*arguments)  # type: ignore[arg-type]
        raise AgentFailed("The file changed while it was stored; run the task again.")

    monkeypatch.setattr(output, "store", half)
    task = fixer("echo 2 >> price.txt")
    assert (task.end_reason, task.sandbox_url, left_behind(data)) == (EndReason.FAILED, None, [])
