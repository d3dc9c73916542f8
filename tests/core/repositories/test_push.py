"""Pushing a task's branch: only where it may be, never over anything, never a secret."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import AgentFailed, NotPushed
from core.repositories import git as git_module
from core.repositories.checkout import Checkout, Remote, branch_name
from core.sandbox.workspace import Workspace
from tests.core.repositories.host import Host
from tests.core.repositories.running import Runner, git

TOKEN = "t0p-secret-token"

ALLOWED = 'token = "GIT_TOKEN"\npush = ["team/shop"]'


@pytest.fixture
def shop(publish: Callable[..., Path], served: Host) -> Path:
    """The repository on its host, which takes pushes with the token."""
    folder = publish({"a.txt": "a\n", "b.txt": "b\n", "c.txt": "c\n"})
    git(folder, "config", "http.receivepack", "true")
    served.token = TOKEN
    return folder


@pytest.fixture
def work(
    shop: Path, admit: Callable[..., Remote], checkout: Checkout, workspace: Workspace, runner: Runner
) -> Callable[..., Checkout]:
    """The checkout after a script changed the repository and its changes were committed."""

    def run(script: str, prompt: str = "Fix it", settings: str = ALLOWED) -> Checkout:
        checkout.clone(admit(settings, token=TOKEN))
        checkout.branch(branch_name(7, "Fix it"))
        checkout.copy_git_dir_for_agent()
        runner.agent(workspace, script)
        checkout.collect(prompt, "lines", 7)
        return checkout

    return run


def branches(folder: Path) -> list[str]:
    return git(folder, "for-each-ref", "--format=%(refname:short)").split()


def test_the_branch_is_pushed_with_the_token_and_nothing_else_is(
    work: Callable[..., Checkout], shop: Path, runner: Runner, served: Host
) -> None:
    before = git(shop, "rev-parse", "HEAD")
    assert work("echo 2 >> a.txt; git branch another").push(["an-unrelated-secret"])
    assert branches(shop) == [git(shop, "symbolic-ref", "--short", "HEAD").strip(), "task/7-fix-it"]
    assert git(shop, "rev-parse", "HEAD") == before == git(shop, "rev-parse", "task/7-fix-it~1")
    assert git(shop, "show", "task/7-fix-it:a.txt") == "a\n2\n"
    pushed = runner.commands[-1]
    assert pushed.shown == f"git push {served.address('team/shop')} task/7-fix-it"
    assert "--force" not in pushed.argv
    assert (pushed.sandbox.network, len(pushed.sandbox.writable), pushed.sandbox.readable) == ("open", 1, ())
    assert TOKEN not in repr(pushed) + "".join(runner.said)


def test_without_the_hosts_word_nothing_is_pushed(work: Callable[..., Checkout], shop: Path) -> None:
    settings = 'token = "GIT_TOKEN"\npush = ["team/other", "o/team/shop"]'
    assert work("echo 2 >> a.txt", settings=settings).push([]) is False
    assert len(branches(shop)) == 1


def test_where_nothing_changed_nothing_is_pushed(work: Callable[..., Checkout], shop: Path) -> None:
    assert work("true").push([]) is False
    assert len(branches(shop)) == 1


@pytest.mark.attack(98)
@pytest.mark.parametrize("where", ["HEAD", "elsewhere"])
def test_a_branch_that_is_there_already_stays_as_it_is(
    where: str, work: Callable[..., Checkout], shop: Path, workspace: Workspace
) -> None:
    git(shop, "branch", "elsewhere", git(shop, "commit-tree", "-m", "x", "HEAD^{tree}").strip())
    checkout = work("echo 2 >> a.txt")
    git(shop, "branch", "task/7-fix-it", where)
    before = git(shop, "rev-parse", "task/7-fix-it")
    with pytest.raises(NotPushed, match=r"Committed, not pushed: the repository has a branch task/7-fix-it already"):
        checkout.push([])
    assert git(shop, "rev-parse", "task/7-fix-it") == before
    checkout.patch(workspace.output)
    assert "+2" in (workspace.output / "changes.patch").read_text()


def test_a_push_that_does_not_end_leaves_the_commit_and_says_so(
    work: Callable[..., Checkout], served: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = work("echo 2 >> a.txt")
    served.silent = True
    monkeypatch.setattr(git_module, "STEP_SECONDS", 1.0)
    with pytest.raises(NotPushed, match=r"Committed, not pushed: git was stopped\."):
        checkout.push([])


def test_a_host_that_refuses_the_push_is_told_apart(work: Callable[..., Checkout], shop: Path) -> None:
    git(shop, "config", "http.receivepack", "false")
    with pytest.raises(NotPushed, match="Committed, not pushed: the repository's host refused it"):
        work("echo 2 >> a.txt").push([])


@pytest.mark.parametrize(
    ("script", "prompt"),
    [
        ("printf 'x\\000orange-giraffe-73' > binary", "Fix it"),
        ("echo 2 >> a.txt", "Use orange-giraffe-73"),
    ],
)
def test_a_secret_is_committed_but_not_pushed(
    script: str, prompt: str, work: Callable[..., Checkout], shop: Path
) -> None:
    with pytest.raises(NotPushed, match="hold what looks like a secret") as caught:
        work(script, prompt).push(["orange-giraffe-73"])
    assert "giraffe" not in caught.value.message
    assert len(branches(shop)) == 1


@pytest.mark.attack(105)
@pytest.mark.parametrize(("script", "pushed"), [("rm *", False), ("mkdir d; git mv *.txt d; rm d/a.txt", True)])
def test_more_than_half_of_the_files_deleted_is_not_pushed(
    script: str, pushed: bool, work: Callable[..., Checkout], shop: Path
) -> None:
    checkout = work(script)
    if pushed:
        assert checkout.push([])
    else:
        with pytest.raises(NotPushed, match=r"Committed, not pushed: 3 of 3 files are deleted"):
            checkout.push([])
    assert (len(branches(shop)) == 2) is pushed


@pytest.mark.attack(97)
def test_two_tasks_on_one_repository_push_a_branch_each(
    work: Callable[..., Checkout], shop: Path, admit: Callable[..., Remote], runner: Runner, tmp_path: Path
) -> None:
    first = work("echo 2 >> a.txt")
    with Workspace(tmp_path / "work" / "8", 8) as beside:
        beside.make()
        second = Checkout(beside, runner)
        second.clone(admit(ALLOWED, token=TOKEN))
        second.branch(branch_name(8, "Fix it"))
        second.copy_git_dir_for_agent()
        (seen,) = runner.agent(beside, "cat a.txt; echo 3 > b.txt")
        second.collect("Fix it", "lines", 8)
        assert (first.push([]), second.push([]), seen) == (True, True, "a")
    assert branches(shop)[-2:] == ["task/7-fix-it", "task/8-fix-it"]
    assert git(shop, "diff", "--name-only", "task/7-fix-it", "task/8-fix-it").split() == ["a.txt", "b.txt"]


NAMES = {
    "Profile the data: what's in it?": "task/12-profile-the-data-what-s-in-it",
    "Überprüfe  die\tCafés\n--x": "task/12-uberprufe-die-cafes-x",
    "x" * 200: "task/12-" + "x" * 40,
    "a" * 39 + " b": "task/12-" + "a" * 39,
    "../../etc @{0} .lock ~^:?*[\\": "task/12-etc-0-lock",
    "٣ مرحبا": "task/12",
    "🚀🔥": "task/12",
}


@pytest.mark.attack(104)
@pytest.mark.parametrize("prompt", NAMES)
def test_a_branch_has_the_tasks_number_and_what_is_plain_in_the_prompt(prompt: str) -> None:
    name = branch_name(12, prompt)
    assert name == NAMES[prompt]
    subprocess.run(["git", "check-ref-format", "--branch", name], check=True, capture_output=True)


def test_a_branch_whose_name_is_taken_by_the_repositorys_own_is_told(
    checkout: Checkout, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    origin = make_repository(tmp_path / "other", {"a": "a"})
    git(origin, "branch", "--move", "task")
    checkout.clone(Remote(f"file://{origin}", folder=origin))
    with pytest.raises(AgentFailed, match="cannot be made here: another branch's name is in its way"):
        checkout.branch("task/7")
