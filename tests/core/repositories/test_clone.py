"""Cloning: the newest commit, and nothing that a repository, its host or this machine's settings could add."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import AgentFailed
from core.repositories import checkout as module
from core.repositories import git as git_module
from core.repositories.checkout import Checkout, Remote
from core.sandbox.command import ResourceLimits
from core.sandbox.workspace import Workspace
from tests.core.repositories.host import Host
from tests.core.repositories.running import Runner, Trap, git


def local(folder: Path) -> Remote:
    return Remote(f"file://{folder}", folder=folder)


def test_the_newest_commit_is_cloned_and_the_kept_store_is_in_no_agents_box(
    checkout: Checkout, workspace: Workspace, runner: Runner, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    origin = make_repository(tmp_path / "origin", {"data/a.csv": "a,b\n1,2\n", "naïve.txt": "x"})
    git(origin, "commit", "--allow-empty", "--quiet", "--message", "second")
    (origin / "data/a.csv").write_text("changed, not committed")
    checkout.clone(local(origin))
    assert (workspace.repository / "data/a.csv").read_text() == "a,b\n1,2\n"
    assert sorted(path.name for path in workspace.repository.iterdir()) == ["data", "naïve.txt"]
    assert runner.commands[0].shown == f"git clone --depth 1 file://{origin}"
    assert not any(command.shown for command in runner.commands[1:])
    checkout.copy_git_dir_for_agent()
    printed = runner.agent(
        workspace, f"git log --format=%s; git status --short; ls {workspace.root}; cat {origin}/.git/HEAD || true"
    )
    assert printed == ["second", "home", "output", "repository"]


@pytest.mark.attack(76)
def test_a_repository_without_a_commit_gets_one_that_work_begins_from(
    lent: Callable[[Path], Checkout],
    workspace: Workspace,
    runner: Runner,
    make_repository: Callable[..., Path],
    tmp_path: Path,
) -> None:
    origin = make_repository(tmp_path / "origin", {})
    checkout = lent(origin)
    assert runner.agent(workspace, "git log --format=%s; echo a > a.txt") == ["Begin"]
    changes = checkout.collect("Write a", "lines", 7)
    assert (changes.names, changes.added) == (["a.txt"], 1)
    checkout.patch(workspace.output)
    git(origin, "am", given=(workspace.output / "changes.patch").read_bytes())
    assert (origin / "a.txt").read_text() == "a\n"


def test_a_task_without_a_repository_begins_with_an_empty_one(
    checkout: Checkout, workspace: Workspace, runner: Runner
) -> None:
    checkout.begin()
    checkout.copy_git_dir_for_agent()
    assert runner.agent(workspace, "git log --format=%s; mkdir src; echo a > src/a.txt") == ["Begin"]
    assert checkout.collect("Write a", "lines", 7).names == ["src/a.txt"]
    assert not checkout.push([])


@pytest.mark.parametrize("address", ["file:///nowhere/at/all", "https://127.0.0.1:1/a/b", "ext::id", "-x"])
def test_what_cannot_be_cloned_is_one_sentence_and_what_git_said_is_heard(
    address: str, checkout: Checkout, workspace: Workspace, runner: Runner
) -> None:
    with pytest.raises(AgentFailed, match="could not be cloned: check that the address is right"):
        checkout.clone(Remote(address))
    assert [line for line in runner.said if line.startswith("fatal: ")]
    assert list(workspace.repository.iterdir()) == []


@pytest.mark.attack(78)
def test_nothing_of_a_hostile_repository_is_executed_or_fetched(
    lent: Callable[[Path], Checkout],
    workspace: Workspace,
    runner: Runner,
    make_repository: Callable[..., Path],
    trap: Trap,
    tmp_path: Path,
) -> None:
    inner = make_repository(tmp_path / "inner", {"a": "a"})
    origin = make_repository(
        tmp_path / "origin",
        {
            ".gitattributes": "* filter=evil diff=evil merge=evil\n*.bin filter=lfs\n",
            ".gitmodules": f'[submodule "sub"]\n\tpath = sub\n\turl = {inner}\n',
            ".lfsconfig": f"[lfs]\n\turl = file://{inner}\n",
            "a.txt": "a",
            "b.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        },
        ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub"),
    )
    program = trap.set(origin / ".git/trap")
    for name in ("post-checkout", "post-merge", "pre-receive", "reference-transaction", "pre-commit", "commit-msg"):
        trap.set(origin / ".git/hooks" / name)
    with (origin / ".git/config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {program}\n\tpager = {program}\n[uploadpack]\n\tpackObjectsHook = {program}\n"
        )
        config.write(
            f'[filter "evil"]\n\tsmudge = {program}\n\tclean = {program}\n[diff "evil"]\n\ttextconv = {program}\n'
        )
    checkout = lent(origin)
    assert (workspace.repository / "a.txt").read_text() == "a"
    assert (workspace.repository / "b.bin").read_text().startswith("version https://git-lfs")
    assert list((workspace.repository / "sub").iterdir()) == []
    runner.agent(workspace, "echo b > a.txt")
    assert checkout.collect("Change a", "lines", 7).names == ["a.txt"]
    assert not trap.sprung
    git(origin, "status")
    assert trap.sprung  # as soon as somebody is less careful


@pytest.mark.attack(78)
def test_a_submodule_that_names_a_command_is_refused_whole(
    checkout: Checkout, workspace: Workspace, runner: Runner, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    evil = '[submodule "sub"]\n\tpath = sub\n\turl = https://h/x\n\tupdate = !touch sprung\n'
    with pytest.raises(AgentFailed):
        checkout.clone(local(make_repository(tmp_path / "origin", {".gitmodules": evil})))
    assert any("gitmodulesUpdate" in line for line in runner.said)
    assert list(workspace.repository.iterdir()) == []


def test_the_operators_own_git_settings_and_environment_have_no_say(
    checkout: Checkout,
    workspace: Workspace,
    make_repository: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "operator"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///nowhere"]\n\tinsteadOf = file://\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(home))
    checkout.clone(local(make_repository(tmp_path / "origin", {"a": "a"})))
    assert (workspace.repository / "a").exists()


@pytest.mark.attack(77)
def test_a_repository_that_is_too_large_is_stopped_and_the_disk_is_free_again(
    checkout: Checkout,
    workspace: Workspace,
    make_repository: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(git_module, "LIMITS", ResourceLimits(file=2**20))
    monkeypatch.setattr(module, "LIMITS", git_module.LIMITS)
    origin = make_repository(tmp_path / "origin", {"noise": os.urandom(2**20).hex()})
    with pytest.raises(AgentFailed, match=r"too large: its newest commit, packed, takes more than 1 MiB\."):
        checkout.clone(local(origin))
    assert [path.name for path in workspace.root.rglob("*") if path.is_file() and path.stat().st_size > 2**18] == []


@pytest.mark.attack(77)
def test_a_small_pack_that_holds_a_huge_file_is_stopped_too(
    checkout: Checkout, make_repository: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_module, "LIMITS", ResourceLimits(file=2**20))
    origin = make_repository(tmp_path / "origin", {"zeros": "0" * 3 * 2**20})
    with pytest.raises(AgentFailed, match=r"more than 1 MiB into one file\."):
        checkout.clone(local(origin))


def test_a_host_that_never_answers_ends_with_the_step(
    checkout: Checkout, served: Host, admit: Callable[..., Remote], monkeypatch: pytest.MonkeyPatch
) -> None:
    served.silent = True
    monkeypatch.setattr(git_module, "STEP_SECONDS", 1.0)
    with pytest.raises(AgentFailed, match="git was stopped"):
        checkout.clone(admit())


def test_a_host_is_reached_at_the_address_that_was_checked(
    checkout: Checkout,
    workspace: Workspace,
    runner: Runner,
    publish: Callable[..., Path],
    admit: Callable[..., Remote],
    served: Host,
) -> None:
    publish({"a.txt": "a"})
    remote = admit()
    assert remote.pin == f"git.example.test:{served.port}:127.0.0.1"
    checkout.clone(remote)  # no resolver knows the name
    assert (workspace.repository / "a.txt").read_text() == "a"
    assert (runner.commands[0].sandbox.network, {each.sandbox.network for each in runner.commands[1:]}) == (
        "open",
        {"none"},
    )


@pytest.mark.attack(72)
@pytest.mark.parametrize("sandbox", ["none"], indirect=True)
@pytest.mark.parametrize(
    ("script", "sentence"), [("echo git version 2.34.1", r"too old: .* 2\.37 or newer"), (None, "is not installed")]
)
def test_a_git_that_would_look_up_the_name_itself_is_not_let_to_a_host(
    script: str | None,
    sentence: str,
    checkout: Checkout,
    served: Host,
    admit: Callable[..., Remote],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "bin").mkdir()
    if script:
        (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "git").chmod(0o755)
    git_module.version.cache_clear()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path / "bin"))
        with pytest.raises(AgentFailed, match=sentence):
            checkout.clone(admit())
    git_module.version.cache_clear()
    assert served.asked == []


@pytest.mark.attack(73)
def test_a_redirect_is_not_followed(
    checkout: Checkout, served: Host, admit: Callable[..., Remote], certificate: Path, tmp_path: Path
) -> None:
    with Host(tmp_path, certificate) as other:
        served.redirect = f"https://127.0.0.1:{other.port}"
        with pytest.raises(AgentFailed, match="could not be cloned"):
            checkout.clone(admit())
        assert (len(served.asked), other.asked) == (1, [])


@pytest.mark.attack(75)
def test_a_repository_that_asks_for_a_password_is_told_apart_within_seconds(
    checkout: Checkout, served: Host, publish: Callable[..., Path], admit: Callable[..., Remote]
) -> None:
    publish({"a.txt": "a"})
    served.token = "t0p-secret"
    began = time.monotonic()
    with pytest.raises(AgentFailed, match="needs access: it asks for a password"):
        checkout.clone(admit())
    assert time.monotonic() - began < 5


def test_a_token_that_is_not_taken_is_told_apart(
    checkout: Checkout, served: Host, publish: Callable[..., Path], admit: Callable[..., Remote], runner: Runner
) -> None:
    publish({"a.txt": "a"})
    served.token = "t0p-secret"
    with pytest.raises(AgentFailed, match="does not take the token"):
        checkout.clone(admit('token = "GIT_TOKEN"', token="wr0ng-token"))
    assert not [line for line in runner.said if "wr0ng" in line]


def test_a_token_opens_the_repository_and_is_nowhere_but_in_the_clones_environment(
    checkout: Checkout,
    served: Host,
    publish: Callable[..., Path],
    admit: Callable[..., Remote],
    runner: Runner,
    workspace: Workspace,
) -> None:
    publish({"a.txt": "a"})
    served.token = "t0p-secret"
    remote = admit('token = "GIT_TOKEN"', token="t0p-secret")
    checkout.clone(remote)
    checkout.copy_git_dir_for_agent()
    assert (workspace.repository / "a.txt").read_text() == "a"
    assert "t0p-secret" not in repr(remote)
    cloned, *others = runner.commands
    assert "t0p-secret" in cloned.env.values()
    assert "t0p-secret" not in repr((cloned, runner.said)) + "".join(map(str, others)) + str(
        [each.env for each in others]
    )
    holders = [path for path in workspace.root.rglob("*") if path.is_file() and b"t0p-secret" in path.read_bytes()]
    assert holders == []
