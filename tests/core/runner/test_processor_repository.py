"""Tasks that change a repository: real git, real programs in the box, commits that the next person can apply."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents.catalog import catalog
from core.database.models import EndReason, Task, TaskStatus
from core.log_text import LogType
from core.runner import claims
from core.tasks import artifacts, commands
from tests.core.living import Life, left_behind

FIX = "#!/bin/sh\nset -e\n"


@pytest.fixture
def settle_agents(tmp_path: Path, local_root: Path) -> Callable[[str], None]:
    """Give agents.toml these sections beside the folder that may be cloned from."""

    def write(text: str) -> None:
        (tmp_path / "agents.toml").write_text(f'{text}\n[repositories]\nlocal_roots = ["{local_root}"]\n')
        catalog.cache_clear()

    write('[agents.fixer]\ndriver = "lines"\ncommand = ["./fix"]')
    return write


@pytest.fixture
def shop(
    local_root: Path, make_repository: Callable[..., Path], settle_agents: Callable[[str], None]
) -> Callable[..., Path]:
    """A repository whose own program ``fix`` is what the agent runs."""

    def make(script: str, files: dict[str, str] | None = None, name: str = "shop") -> Path:
        folder = local_root / name
        files = {"price.txt": "1\n2\n3\n"} if files is None else files
        return make_repository(folder, files | {"fix": FIX + script}, ("update-index", "--chmod=+x", "fix"))

    return make


def patch_of(run_task: Life, task: Task) -> str:
    return artifacts.find(run_task.actor, task.id, "changes.patch")[1].read_text()


def git(folder: Path, *arguments: str, given: str = "") -> str:
    who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=given,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **who},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


def test_what_an_agent_changes_becomes_a_commit_that_applies(
    run_task: Life, shop: Callable[..., Path], data: Path
) -> None:
    origin = shop("echo working; sed -i s/2/20/ price.txt; echo new > added.txt; git rm -q --cached fix; rm fix")
    task = run_task("fixer", str(origin))
    assert (task.status, task.error, task.progress) == (TaskStatus.COMPLETED, None, 100)
    assert task.branch_name == f"task/{task.id}-the-prompt"
    log = run_task.log(task)
    assert "working" in log
    assert any("3 files changed" in line for line in log)
    git(origin, "checkout", "--quiet", "--", ".")
    git(origin, "am", given=patch_of(run_task, task))
    assert (origin / "price.txt").read_text() == "1\n20\n3\n"
    assert (origin / "added.txt").read_text() == "new\n"
    assert not (origin / "fix").exists()
    said = git(origin, "log", "-1", "--format=%B")
    assert said.startswith("the prompt\n")
    assert f"Task-Id: {task.id}" in said and "Agent: fixer" in said
    assert left_behind(data) == [str(task.id), "changes.patch"]


def test_an_agent_that_changes_nothing_completes_and_the_log_says_so(run_task: Life, shop: Callable[..., Path]) -> None:
    task = run_task("fixer", str(shop("git status --short")))
    assert task.status is TaskStatus.COMPLETED
    assert "No files changed." in run_task.log(task)
    assert artifacts.of(run_task.actor, task.id) == []


def test_without_a_repository_the_files_that_it_makes_are_kept(
    run_task: Life, settle_agents: Callable[[str], None]
) -> None:
    settle_agents('[agents.maker]\ndriver = "lines"\ncommand = ["sh", "-c", "mkdir src; cat > src/note.txt"]')
    task = run_task("maker")
    assert (task.status, task.branch_name, task.error) == (TaskStatus.COMPLETED, None, None)
    assert [kept.name for kept in artifacts.of(run_task.actor, task.id)] == ["src/note.txt"]
    assert artifacts.find(run_task.actor, task.id, "src/note.txt")[1].read_text() == "the prompt"


def test_a_failed_agent_says_its_exit_status_and_keeps_nothing(
    run_task: Life, shop: Callable[..., Path], data: Path
) -> None:
    task = run_task("fixer", str(shop("echo half > half.txt; echo 'it broke' >&2; exit 3")))
    assert (task.end_reason, task.error) == (EndReason.FAILED, "fixer ended with exit status 3.")
    assert "it broke" in run_task.log(task)
    assert task.branch_name == f"task/{task.id}-the-prompt"
    assert left_behind(data) == []


def test_an_agent_that_says_nothing_for_too_long_is_given_up(
    run_task: Life, shop: Callable[..., Path], settle_agents: Callable[[str], None]
) -> None:
    origin = shop("echo begins; exec sleep 600")
    settle_agents('[agents.fixer]\ndriver = "lines"\ncommand = ["./fix"]\nidle = 1')
    task = run_task("fixer", str(origin))
    assert (task.end_reason, task.error) == (EndReason.FAILED, "fixer said nothing for 1 s and was stopped.")


def test_an_agent_over_its_bounds_is_stopped_with_the_reason(
    run_task: Life, shop: Callable[..., Path], settle_agents: Callable[[str], None]
) -> None:
    settle_agents('[agents.fixer]\ndriver = "lines"\ncommand = ["./fix"]\nmemory_mb = 128')
    origin = shop("exec python3 -c \"x = [b'x' * 2**20 for _ in range(2000)]; import time; time.sleep(60)\"")
    task = run_task("fixer", str(origin))
    assert task.end_reason is EndReason.FAILED
    assert "128 MiB of memory" in str(task.error)


@pytest.mark.attack(96)
def test_a_secret_of_the_settings_that_an_agent_prints_is_masked_also_in_pieces_of_a_line(
    run_task: Life, shop: Callable[..., Path], settle_agents: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TOKEN", "orange-giraffe-73")
    origin = shop("printf orange-; sleep 0.2; echo giraffe-73")
    settle_agents(
        '[agents.fixer]\ndriver = "lines"\ncommand = ["./fix"]\n'
        '[repositories.hosts."git.example.org"]\ntoken = "GIT_TOKEN"'
    )
    log = run_task.log(run_task("fixer", str(origin)))
    assert "[hidden]" in log
    assert "giraffe" not in "".join(log)


@pytest.mark.attack(97)
def test_two_tasks_on_one_repository_have_a_workspace_and_a_branch_each(
    run_task: Life, shop: Callable[..., Path]
) -> None:
    origin = shop("cat > prompt.txt; sleep 0.3; echo $$ >> price.txt; ls ..")
    first, thread = run_task.begin("fixer", str(origin))
    second, other = run_task.begin("fixer", str(origin))
    thread.join()
    other.join()
    ends = [commands.find(run_task.actor, task.id) for task in (first, second)]
    assert [task.status for task in ends] == [TaskStatus.COMPLETED] * 2
    assert len({task.branch_name for task in ends}) == 2
    assert all(patch_of(run_task, task).count("\n+") >= 1 for task in ends)


@pytest.mark.attack(89)
def test_a_hostile_task_leaves_the_one_beside_it_unharmed(
    run_task: Life, shop: Callable[..., Path], settle_agents: Callable[[str], None]
) -> None:
    settle_agents(
        '[agents.fixer]\ndriver = "lines"\ncommand = ["./fix"]\nmemory_mb = 256\ntimeout = 4\nwarning = 3\n'
        '[agents.calm]\ndriver = "lines"\ncommand = ["./fix"]'
    )
    hostile = shop("f() { f | f & }; f; kill -9 -1; while :; do :; done", name="hostile")
    calm = shop("echo 4 >> price.txt; sleep 0.4; echo fine", name="calm")
    _, thread = run_task.begin("fixer", str(hostile))
    task, other = run_task.begin("calm", str(calm))
    thread.join()
    other.join()
    task = commands.find(run_task.actor, task.id)
    assert (task.status, task.error) == (TaskStatus.COMPLETED, None)


def test_the_branch_shows_while_the_agent_works(run_task: Life, shop: Callable[..., Path]) -> None:
    task, thread = run_task.begin("fixer", str(shop("echo begun; while [ ! -e stop ]; do sleep 0.05; done")))
    while not any("begun" in line for line in run_task.log(task)):
        assert thread.is_alive()
        thread.join(0.05)
    running = commands.find(run_task.actor, task.id)
    assert (running.branch_name, running.progress >= 30) == (f"task/{task.id}-the-prompt", True)
    commands.cancel(run_task.actor, task.id)
    thread.join()
    assert commands.find(run_task.actor, task.id).end_reason is EndReason.CANCELLED
    assert run_task.types(task)[-1] is LogType.INFO
    assert claims.claim("runner", 30) is None
