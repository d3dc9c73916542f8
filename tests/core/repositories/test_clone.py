"""Cloning: the newest commit, and nothing that a repository, its host or this machine's settings could add."""

import os
import time
from pathlib import Path

import pytest

from core.errors import AgentFailed
from core.repositories import checkout as checkout_module
from core.repositories import git as git_module
from core.repositories.remote import Remote
from core.sandbox.command import ResourceLimits
from tests.core.repositories.host import TOKEN, Host, Shop
from tests.core.repositories.running import Scene, git, local
from tests.support.world import Patch, World


def test_the_newest_commit_is_cloned_and_the_kept_store_is_in_no_agents_sandbox(scene: Scene) -> None:
    origin, work_tree = scene.origin({"data/a.csv": "a,b\n1,2\n", "naïve.txt": "x"}), scene.workspace.repository
    git(origin, "commit", "--allow-empty", "--quiet", "--message", "second")
    (origin / "data/a.csv").write_text("changed, not committed")
    scene.checkout.clone(local(origin))
    assert (work_tree / "data/a.csv").read_text() == "a,b\n1,2\n"
    assert sorted(path.name for path in work_tree.iterdir()) == ["data", "naïve.txt"]
    clone, *others = scene.runner.commands
    assert clone.shown == f"git clone --depth 1 file://{origin}"
    assert not any(command.shown for command in others)
    scene.checkout.copy_git_dir_for_agent()
    look = f"git log --format=%s; git status --short; ls {scene.workspace.root}; cat {origin}/.git/HEAD || true"
    assert scene.agent(look) == ["second", "home", "output", "repository"]


@pytest.mark.attack(76)
def test_a_repository_without_a_commit_gets_one_that_work_begins_from(scene: Scene) -> None:
    origin = scene.origin({})
    scene.clone(origin)
    changes = scene.work("git log --format=%s > a.txt")
    assert (changes.names, changes.added) == (["a.txt"], 1)
    git(origin, "am", given=scene.patch().read_bytes())
    assert (origin / "a.txt").read_text() == "Begin\n"


def test_a_task_without_a_repository_begins_with_an_empty_one_and_nothing_is_pushed(scene: Scene) -> None:
    scene.checkout.begin()
    scene.checkout.copy_git_dir_for_agent()
    assert scene.work("mkdir src; git log --format=%s > src/log").names == ["src/log"]
    assert (scene.workspace.repository / "src/log").read_text() == "Begin\n"
    assert not scene.checkout.push([])


@pytest.mark.parametrize("address", ["file:///nowhere/at/all", "https://127.0.0.1:1/a/b", "ext::id", "-x"])
def test_what_cannot_be_cloned_is_one_sentence_and_what_git_said_is_passed_on(address: str, scene: Scene) -> None:
    with pytest.raises(AgentFailed, match="could not be cloned: check that the address is right"):
        scene.checkout.clone(Remote(address))
    assert [line for line in scene.runner.said if line.startswith("fatal: ")]
    assert list(scene.workspace.repository.iterdir()) == []


HOSTILE = """
[core]\n\tfsmonitor = {program}\n\tpager = {program}
[uploadpack]\n\tpackObjectsHook = {program}
[filter "evil"]\n\tsmudge = {program}\n\tclean = {program}
[diff "evil"]\n\ttextconv = {program}
"""


@pytest.mark.attack(78)
def test_nothing_of_a_hostile_repository_is_executed_or_fetched(scene: Scene) -> None:
    files = {
        ".gitattributes": "* filter=evil diff=evil merge=evil\n*.bin filter=lfs\n",
        ".gitmodules": '[submodule "sub"]\n\tpath = sub\n\turl = file:///nowhere\n',
        ".lfsconfig": "[lfs]\n\turl = file:///nowhere\n",
        "a.txt": "a",
        "b.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    }
    origin = scene.origin(files, ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub"))
    program, work_tree = scene.set_trap(origin / ".git/trap"), scene.workspace.repository
    for name in ("post-checkout", "post-merge", "pre-receive", "reference-transaction", "pre-commit", "commit-msg"):
        scene.set_trap(origin / ".git/hooks" / name)
    with (origin / ".git/config").open("a") as config:
        config.write(HOSTILE.format(program=program))
    scene.clone(origin)
    assert (work_tree / "a.txt").read_text() == "a"
    assert (work_tree / "b.bin").read_text().startswith("version https://git-lfs")
    assert (list((work_tree / "sub").iterdir()), scene.work("echo b > a.txt").names) == ([], ["a.txt"])
    assert not scene.sprung
    git(origin, "status")
    assert scene.sprung  # as soon as somebody is less careful


@pytest.mark.attack(78)
def test_a_submodule_that_names_a_command_is_refused_whole(scene: Scene) -> None:
    evil = '[submodule "sub"]\n\tpath = sub\n\turl = https://h/x\n\tupdate = !touch sprung\n'
    with pytest.raises(AgentFailed):
        scene.checkout.clone(local(scene.origin({".gitmodules": evil})))
    assert any("gitmodulesUpdate" in line for line in scene.runner.said)
    assert list(scene.workspace.repository.iterdir()) == []


def test_the_operators_own_git_settings_and_environment_have_no_say(scene: Scene, world: World) -> None:
    home = scene.folder / "operator"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///nowhere"]\n\tinsteadOf = file://\n')
    origin = scene.origin({"a": "a"})
    world.settle(HOME=str(home), GIT_DIR=str(home))
    scene.checkout.clone(local(origin))
    assert (scene.workspace.repository / "a").exists()


@pytest.mark.attack(77)
@pytest.mark.parametrize(("content", "sentence"), [
    (os.urandom(2**20).hex(), r"too large: its newest commit, packed, takes more than 1 MiB\."),
    ("0" * 3 * 2**20, r"more than 1 MiB into one file\."),
], ids=["a large pack", "a small pack that holds a huge file"])  # fmt: skip
def test_too_large_a_repository_frees_the_disk(content: str, sentence: str, scene: Scene, monkeypatch: Patch) -> None:
    for module in (git_module, checkout_module):
        monkeypatch.setattr(module, "LIMITS", ResourceLimits(file=2**20))
    with pytest.raises(AgentFailed, match=sentence):
        scene.checkout.clone(local(scene.origin({"file": content})))
    if "packed" in sentence:
        left = [path for path in scene.workspace.root.rglob("*") if path.is_file() and path.stat().st_size > 2**18]
        assert left == []


def test_a_host_that_never_answers_ends_with_the_step(scene: Scene, shop: Shop, monkeypatch: Patch) -> None:
    shop.host.silent = True
    monkeypatch.setattr(git_module, "STEP_SECONDS", 0.5)
    with pytest.raises(AgentFailed, match="git was stopped"):
        scene.checkout.clone(shop.resolve())


@pytest.mark.attack(72)
@pytest.mark.parametrize("sandbox", ["none"], indirect=True)
@pytest.mark.parametrize(("script", "sentence"), [
    ("echo git version 2.34.1", r"git on this machine is too old; ask an administrator to install 2\.37 or newer"),
    (None, "git is not installed on this machine; ask an administrator to install it"),
])  # fmt: skip
def test_a_git_that_would_look_up_the_name_itself_is_not_let_to_a_host(
    script: str | None, sentence: str, scene: Scene, shop: Shop, monkeypatch: Patch
) -> None:
    program = scene.folder / "bin" / "git"
    program.parent.mkdir()
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    remote = shop.resolve()
    git_module.version.cache_clear()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(program.parent))
        with pytest.raises(AgentFailed, match=sentence):
            scene.checkout.clone(remote)
    git_module.version.cache_clear()
    assert shop.host.asked == []


@pytest.mark.attack(73)
def test_a_redirect_is_not_followed(scene: Scene, shop: Shop, certificate: Path) -> None:
    with Host(scene.folder, certificate) as other:
        shop.host.redirect = f"https://127.0.0.1:{other.port}"
        with pytest.raises(AgentFailed, match="could not be cloned"):
            scene.checkout.clone(shop.resolve())
        assert (len(shop.host.asked), other.asked) == (1, [])


@pytest.mark.attack(75)
@pytest.mark.parametrize(("settings", "sentence"), [
    ("", "needs access: it asks for a password"), ('token = "GIT_TOKEN"', "does not take the token"),
])  # fmt: skip
def test_a_repository_that_asks_for_a_password_or_does_not_take_the_token_is_told_apart_within_seconds(
    settings: str, sentence: str, scene: Scene, shop: Shop
) -> None:
    shop.publish({"a.txt": "a"})
    shop.host.token = TOKEN
    began = time.monotonic()
    with pytest.raises(AgentFailed, match=sentence):
        scene.checkout.clone(shop.resolve(settings, token="wr0ng-token"))
    assert time.monotonic() - began < 5 and not [line for line in scene.runner.said if "wr0ng" in line]


def test_a_host_is_reached_where_it_was_checked_and_the_token_is_in_the_environment(scene: Scene, shop: Shop) -> None:
    shop.publish({"a.txt": "a"})
    shop.host.token = TOKEN
    remote = shop.resolve('token = "GIT_TOKEN"', TOKEN)
    assert remote.pin == f"git.example.test:{shop.host.port}:127.0.0.1"
    scene.checkout.clone(remote)  # no resolver knows the name
    scene.checkout.copy_git_dir_for_agent()
    assert (scene.workspace.repository / "a.txt").read_text() == "a"
    cloned, *others = scene.runner.commands
    assert (cloned.sandbox.network, {each.sandbox.network for each in others}) == ("open", {"none"})
    assert TOKEN in cloned.env.values()
    assert TOKEN not in repr((remote, cloned, scene.runner.said, others, [each.env for each in others]))
    files = (path for path in scene.workspace.root.rglob("*") if path.is_file())
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
