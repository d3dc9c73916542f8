import hashlib
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.agents import workspace as module
from core.agents.base import Command, Kept
from core.agents.workspace import CLONE_SECONDS, Workspace, media_type
from core.errors import AgentFailed


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "work" / "7") as made:
        made.make()
        yield made


class Git:
    """Runs the clone for real, with the command's environment alone, and keeps what it said."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.said = ""

    def __call__(self, command: Command, limit: float) -> int:
        assert limit == CLONE_SECONDS
        self.commands.append(command)
        env = {"PATH": os.environ["PATH"], **command.env}
        done = subprocess.run(command.argv, cwd=command.cwd, env=env, capture_output=True, text=True)
        self.said = done.stdout + done.stderr
        return done.returncode


def test_the_folder_is_private_empty_at_the_start_and_gone_at_the_end(tmp_path: Path) -> None:
    root = tmp_path / "work" / "7"
    root.mkdir(parents=True)
    (root / "left over").write_text("from before")
    with Workspace(root) as workspace:
        workspace.make()
        assert sorted(path.name for path in root.iterdir()) == ["home", "output"]
        modes = {stat.S_IMODE(folder.stat().st_mode) for folder in (root, workspace.output, workspace.home)}
        assert modes == {0o700}
        (workspace.output / "deep" / "er").mkdir(parents=True)
        (workspace.output / "deep").chmod(0o500)
    assert not root.exists()


def test_the_folder_is_gone_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Workspace(tmp_path / "7") as workspace:
        workspace.make()
        raise ZeroDivisionError
    assert not (tmp_path / "7").exists()


def test_the_newest_commit_is_cloned(
    workspace: Workspace, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    origin = make_repository(tmp_path / "origin", {"data/a.csv": "a,b\n1,2\n", "naïve.txt": "x"})
    (origin / "data/a.csv").write_text("changed, not committed")
    git = Git()
    folder = workspace.clone(f"file://{origin}", git)
    assert (folder / "data/a.csv").read_text() == "a,b\n1,2\n"
    assert (folder / "naïve.txt").read_text() == "x"
    assert git.commands[0].shown == f"git clone --depth 1 file://{origin}"


def test_an_empty_repository_is_an_empty_folder(
    workspace: Workspace, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    folder = workspace.clone(f"file://{make_repository(tmp_path / 'origin', {})}", Git())
    assert [path.name for path in folder.iterdir()] == [".git"]


@pytest.mark.parametrize("address", ["file:///nowhere/at/all", "https://127.0.0.1:1/a/b", "ext::id", "ssh://h/x", "-x"])
def test_what_cannot_be_cloned_is_one_sentence_and_git_asks_nothing(address: str, workspace: Workspace) -> None:
    git = Git()
    with pytest.raises(AgentFailed, match="could not be cloned: check that the address is right"):
        workspace.clone(address, git)
    assert git.said


def test_nothing_of_a_hostile_repository_is_executed(
    workspace: Workspace, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    inner = make_repository(tmp_path / "inner", {"a": "a"})
    origin = make_repository(
        tmp_path / "origin",
        {
            ".gitattributes": "* filter=evil diff=evil\n",
            ".gitmodules": f'[submodule "sub"]\n\tpath = sub\n\turl = {inner}\n',
            ".lfsconfig": f"[lfs]\n\turl = file://{inner}\n",
            "a.txt": "a",
        },
        ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub"),
    )
    for name in ("post-checkout", "post-merge", "pre-receive", "reference-transaction"):
        (origin / ".git/hooks" / name).write_bytes(trap.read_bytes())
        (origin / ".git/hooks" / name).chmod(0o755)
    with (origin / ".git/config").open("a") as config:
        config.write(
            f'[core]\n\tfsmonitor = {trap}\n\tpager = {trap}\n[filter "evil"]\n\tsmudge = {trap}\n\tclean = {trap}\n'
        )
        config.write(f"[uploadpack]\n\tpackObjectsHook = {trap}\n")
    folder = workspace.clone(f"file://{origin}", Git())
    assert (folder / "a.txt").read_text() == "a"
    assert list((folder / "sub").iterdir()) == []
    assert not (tmp_path / "sprung").exists()


def test_a_submodule_that_names_a_command_is_refused_whole(
    workspace: Workspace, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    evil = '[submodule "sub"]\n\tpath = sub\n\turl = https://h/x\n\tupdate = !touch sprung\n'
    git = Git()
    with pytest.raises(AgentFailed):
        workspace.clone(f"file://{make_repository(tmp_path / 'origin', {'.gitmodules': evil})}", git)
    assert "gitmodulesUpdate" in git.said
    assert not workspace.repository.exists()


def test_the_operators_own_git_settings_have_no_say(
    workspace: Workspace, make_repository: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "operator"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///nowhere"]\n\tinsteadOf = file://\n')
    monkeypatch.setenv("HOME", str(home))
    origin = make_repository(tmp_path / "origin", {"a": "a"})
    git = Git()
    assert (workspace.clone(f"file://{origin}", git) / "a").exists()
    assert Path(git.commands[0].env["HOME"]) == workspace.home


def kept(workspace: Workspace, folder: Path) -> list[Kept]:
    names, _ = workspace.made()
    return list(workspace.keep(names, folder))


def test_a_file_is_kept_with_its_size_digest_and_type(workspace: Workspace, tmp_path: Path) -> None:
    content = os.urandom(3 * 2**20 + 1)
    (workspace.output / "b.bin").write_bytes(content)
    (workspace.output / "a.md").write_bytes(b"")
    assert kept(workspace, tmp_path / "kept") == [
        Kept("a.md", 0, hashlib.sha256(b"").hexdigest(), "text/markdown"),
        Kept("b.bin", len(content), hashlib.sha256(content).hexdigest(), "application/octet-stream"),
    ]
    assert (tmp_path / "kept" / "b.bin").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700


def test_everything_but_a_regular_file_of_a_printable_name_is_left_behind(workspace: Workspace, tmp_path: Path) -> None:
    out = workspace.output
    (out / "a file").write_text("x")
    (out / "link").symlink_to("/etc/passwd")
    (out / "link to a file").symlink_to(out / "a file")
    (out / "folder").mkdir()
    (out / "folder" / "inside").write_text("x")
    (out / "new\nline").write_text("x")
    (out / "\u202etxt.exe").write_text("x")
    (out / os.fsdecode(b"\xff")).write_text("x")
    os.mkfifo(out / "fifo")
    assert [each.name for each in kept(workspace, tmp_path / "kept")] == ["a file"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["a file"]
    assert len(workspace.made()[1]) == 7  # and each of the others is told to the caller


def test_a_file_over_the_limit_is_left_behind(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ARTIFACT_MIB", 1)
    (workspace.output / "fits").write_bytes(b"x" * 2**20)
    (workspace.output / "too large").write_bytes(b"x" * (2**20 + 1))
    assert [each.name for each in kept(workspace, tmp_path / "kept")] == ["fits"]


def test_only_so_many_files_are_kept(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ARTIFACT_FILES", 3)
    for number in range(5):
        (workspace.output / str(number)).write_text("x")
    assert [each.name for each in kept(workspace, tmp_path / "kept")] == ["0", "1", "2"]


def test_files_of_an_earlier_attempt_are_replaced_and_no_file_makes_no_folder(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "old").write_text("x")
    assert kept(workspace, tmp_path / "kept") == []
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.HTML", "text/html"),
        ("a.json", "application/json"),
        ("a.ndjson", "application/x-ndjson"),
        ("a.svg", "image/svg+xml"),
        ("a.patch", "text/x-diff"),
        ("noending", "application/octet-stream"),
    ],
)
def test_media_types(name: str, expected: str) -> None:
    assert media_type(name) == expected
