"""What stays of a task whose work was done when something went wrong at its end."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from core.agents import registry
from core.agents.catalog import catalog
from core.database.models import EndReason, TaskStatus
from core.errors import AgentFailed, NotPushed, StopRequested, TimedOut
from core.repositories.checkout import Checkout
from core.runner import claims
from core.sandbox import output
from core.tasks import artifacts
from tests.core.living import Life, away, left_behind
from tests.support.scripts import Script

#: What ends a push before its own end, and what becomes of the task then.
FAULTS = {
    "the limit": (TimedOut("The task was stopped at its limit of 5 min."), EndReason.TIMED_OUT),
    "a stop": (StopRequested(time.monotonic()), EndReason.CANCELLED),
    "a refusal": (NotPushed(), EndReason.FAILED),
    "a fault of ours": (OSError("broken"), EndReason.FAILED),
}


@pytest.fixture
def origin(tmp_path: Path, local_root: Path, make_repository: Callable[..., Path]) -> Path:
    """A repository that the agent ``fixer`` changes, and may push to."""
    (tmp_path / "agents.toml").write_text(
        '[agents.fixer]\ndriver = "lines"\npush = true\ncommand = ["sh", "-c", "echo 2 >> price.txt"]\n'
        f'[repositories]\nlocal_roots = ["{local_root}"]\n'
    )
    catalog.cache_clear()
    return make_repository(local_root / "shop", {"price.txt": "1\n"})


@pytest.mark.parametrize("what", FAULTS)
def test_whatever_ends_the_push_the_patch_that_was_kept_stays(
    what: str, run_task: Life, origin: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, reason = FAULTS[what]

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(Checkout, "push", fail)
    task = run_task("fixer", str(origin))
    assert (task.status, task.end_reason) == (TaskStatus.ERROR, reason)
    assert [kept.name for kept in artifacts.of(run_task.actor, task.id)] == ["changes.patch"]
    assert task.sandbox_url == f"/api/tasks/{task.id}/artifacts/"
    assert left_behind(data) == [str(task.id), "changes.patch"]


def test_the_branch_is_known_also_when_the_database_was_away_until_the_end(
    run_task: Life, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = claims.record

    def until_the_branch(claim: claims.Claim, entries: list[claims.Entry], progress: int, branch: str | None) -> int:
        return away() if branch else record(claim, entries, progress, branch)

    monkeypatch.setattr(claims, "record", until_the_branch)
    task = run_task("fixer", str(origin))
    assert (task.status, task.branch_name) == (TaskStatus.COMPLETED, f"task/{task.id}-the-prompt")


def test_more_than_git_can_list_is_a_sentence_and_no_flood_of_the_servers_memory(
    run_task: Life, origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runner.execution.MOST_PRINTED", 2_000)
    many = "mkdir d; i=0; while [ $i -lt 200 ]; do : > d/file-$i; i=$((i+1)); done"
    settings = (tmp_path / "agents.toml").read_text().replace("echo 2 >> price.txt", many)
    (tmp_path / "agents.toml").write_text(settings)
    catalog.cache_clear()
    task = run_task("fixer", str(origin))
    assert task.end_reason is EndReason.FAILED
    assert str(task.error).startswith("There are too many files")


@pytest.mark.attack(96)
def test_the_secrets_that_an_agent_names_are_masked(run_task: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "print('the value is acme-licence-value-42')"
    agent = Script("plug", code, secrets=("acme-licence-value-42",))
    monkeypatch.setitem(registry.extra, "plug", agent)
    assert "the value is [hidden]" in run_task.log(run_task("plug"))


def test_a_result_that_cannot_be_kept_whole_is_not_kept_in_part(
    run_task: Life, origin: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = output.keep

    def half(*arguments: object) -> object:
        yield from keep(*arguments)  # type: ignore[arg-type]
        raise AgentFailed("The file changed while it was kept; run the task again.")

    monkeypatch.setattr(output, "keep", half)
    task = run_task("fixer", str(origin))
    assert (task.end_reason, task.sandbox_url, left_behind(data)) == (EndReason.FAILED, None, [])
