"""Pushing a task's branch: only where it may be, never over anything, never a secret."""

import subprocess

import pytest

from core.errors import AgentFailed, NotPushed
from core.repositories import git as git_module
from core.repositories.checkout import branch_name
from core.sandbox.workspace import Workspace
from tests.core.repositories.host import ALLOWED, TOKEN, Shop
from tests.core.repositories.running import Scene, git, local


def begin(scene: Scene, shop: Shop, settings: str = ALLOWED) -> None:
    """Clone a repository whose host takes pushes."""
    shop.takes_pushes()
    scene.clone(shop.resolve(settings, TOKEN))


def refused(scene: Scene, sentence: str, *secrets: str) -> None:
    """It is not pushed, and why; no secret is in the sentence."""
    with pytest.raises(NotPushed, match=f"Committed, not pushed: .*{sentence}") as caught:
        scene.checkout.push(secrets)
    assert not any(secret in caught.value.message for secret in secrets)


def test_the_branch_is_pushed_with_the_token_and_nothing_else_is(scene: Scene, shop: Shop) -> None:
    begin(scene, shop)
    before = git(shop.folder, "rev-parse", "HEAD")
    scene.work("true")
    assert scene.checkout.push([]) is False  # nothing changed
    scene.work("echo 2 >> a.txt; git branch another")
    assert scene.checkout.push(["an-unrelated-secret"])
    assert shop.branches() == [git(shop.folder, "symbolic-ref", "--short", "HEAD").strip(), "task/7-fix-it"]
    assert git(shop.folder, "rev-parse", "HEAD") == before == git(shop.folder, "rev-parse", "task/7-fix-it~1")
    assert git(shop.folder, "show", "task/7-fix-it:a.txt") == "a\n2\n"
    pushed = scene.runner.commands[-1]
    assert pushed.shown == f"git push {shop.host.address('team/shop')} task/7-fix-it"
    assert "--force" not in pushed.argv
    assert (pushed.sandbox.network, len(pushed.sandbox.writable), pushed.sandbox.readable) == ("open", 1, ())
    assert TOKEN not in repr(pushed) + "".join(scene.runner.said)


def test_without_the_hosts_word_nothing_is_pushed(scene: Scene, shop: Shop) -> None:
    begin(scene, shop, 'token = "GIT_TOKEN"\npush = ["team/other", "o/team/shop"]')
    scene.work("echo 2 >> a.txt")
    assert scene.checkout.push([]) is False
    assert len(shop.branches()) == 1


@pytest.mark.attack(98)
def test_a_branch_that_is_there_already_stays_as_it_is(scene: Scene, shop: Shop) -> None:
    begin(scene, shop)
    scene.work("echo 2 >> a.txt")
    elsewhere = git(shop.folder, "commit-tree", "-m", "x", "HEAD^{tree}").strip()
    for where in ("HEAD", elsewhere):
        git(shop.folder, "branch", "--force", "task/7-fix-it", where)
        before = git(shop.folder, "rev-parse", "task/7-fix-it")
        refused(scene, "the repository has a branch task/7-fix-it already")
        assert git(shop.folder, "rev-parse", "task/7-fix-it") == before
    assert "+2" in scene.patch().read_text()


def test_a_secret_and_what_the_host_refuses_or_never_answers_is_committed_but_not_pushed(
    scene: Scene, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(scene, shop)
    scene.work("echo 2 >> a.txt", "Use orange-giraffe-73")
    refused(scene, "hold what looks like a secret", "orange-giraffe-73")
    scene.work("printf 'x\\000orange-giraffe-73' > binary")
    refused(scene, "hold what looks like a secret", "orange-giraffe-73")
    git(shop.folder, "config", "http.receivepack", "false")
    refused(scene, "the repository's host refused it")
    shop.host.silent = True
    monkeypatch.setattr(git_module, "STEP_SECONDS", 0.5)
    refused(scene, r"git was stopped\.")
    assert len(shop.branches()) == 1


@pytest.mark.attack(105)
def test_more_than_half_of_the_files_deleted_is_not_pushed(scene: Scene, shop: Shop) -> None:
    begin(scene, shop)
    scene.work("rm b.txt c.txt")
    refused(scene, "2 of 3 files are deleted")
    assert len(shop.branches()) == 1
    scene.work("mkdir d; git mv a.txt d; echo b > b.txt")
    assert scene.checkout.push([])


@pytest.mark.attack(97)
def test_two_tasks_on_one_repository_push_a_branch_each(scene: Scene, shop: Shop) -> None:
    begin(scene, shop)
    scene.work("echo 2 >> a.txt")
    with Workspace(scene.folder / "work" / "8", 8) as workspace:
        workspace.make()
        beside = scene.beside(workspace, 8)
        beside.clone(shop.resolve(ALLOWED, TOKEN))
        assert beside.agent("cat a.txt") == ["a"]
        beside.work("echo 3 > b.txt")
        assert (scene.checkout.push([]), beside.checkout.push([])) == (True, True)
    assert shop.branches()[-2:] == ["task/7-fix-it", "task/8-fix-it"]
    assert git(shop.folder, "diff", "--name-only", "task/7-fix-it", "task/8-fix-it").split() == ["a.txt", "b.txt"]


NAMES = {
    "Profile the data: what's in it?": "task/12-profile-the-data-what-s-in-it",
    "Überprüfe  die\tCafés\n--x": "task/12-uberprufe-die-cafes-x", "x" * 200: "task/12-" + "x" * 40,
    "a" * 39 + " b": "task/12-" + "a" * 39, "../../etc @{0} .lock ~^:?*[\\": "task/12-etc-0-lock",
    "٣ مرحبا": "task/12", "🚀🔥": "task/12",
}  # fmt: skip


@pytest.mark.attack(104)
@pytest.mark.parametrize("prompt", NAMES)
def test_a_branch_has_the_tasks_number_and_what_is_plain_in_the_prompt(prompt: str) -> None:
    name = branch_name(12, prompt)
    assert name == NAMES[prompt]
    subprocess.run(["git", "check-ref-format", "--branch", name], check=True, capture_output=True)


def test_a_branch_whose_name_is_taken_by_the_repositorys_own_is_told(scene: Scene) -> None:
    origin = scene.origin({"a": "a"})
    git(origin, "branch", "--move", "task")
    scene.checkout.clone(local(origin))
    with pytest.raises(AgentFailed, match=r"cannot be created: the name of another branch .* conflicts with it"):
        scene.checkout.branch("task/7")
