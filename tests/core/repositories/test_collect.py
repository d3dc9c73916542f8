"""Committing what an agent left behind, whatever it left."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import AgentFailed
from core.repositories import changes
from core.repositories import git as git_module
from core.repositories.checkout import Checkout
from core.repositories.git import open_untrusted
from core.sandbox.workspace import Workspace
from tests.core.repositories.running import Runner, Trap, git


@pytest.fixture
def origin(make_repository: Callable[..., Path], tmp_path: Path) -> Path:
    files = {"a.txt": "a\n", "b.txt": "b\n", "src/c.txt": "c\n", "src/d.txt": "d\n", ".gitignore": "*.log\n"}
    return make_repository(tmp_path / "origin", files)


@pytest.fixture
def work(
    lent: Callable[[Path], Checkout], workspace: Workspace, runner: Runner, origin: Path
) -> Callable[[str], changes.Changes]:
    """What becomes of the repository after an agent ran this shell script in it."""

    def run(script: str) -> changes.Changes:
        checkout = lent(origin)
        runner.agent(workspace, script)
        return checkout.collect("Fix it", "lines", 7)

    return run


def kept(workspace: Workspace, *arguments: str) -> str:
    """What git says of the store."""
    return git(workspace.git, "--git-dir=store", *arguments)


def test_what_changed_is_one_commit_on_the_tasks_branch(
    work: Callable[[str], changes.Changes], workspace: Workspace, runner: Runner
) -> None:
    script = """
        touch -r .gitignore /tmp/time; echo '*.lag' > .gitignore; touch -r /tmp/time .gitignore; echo x > noise.lag
        echo 2 >> a.txt; rm b.txt; mkdir new; printf 'x\\000y' > 'new/a binary'; git mv src/d.txt e.txt
        ln -s /etc/passwd link; chmod +x src/c.txt; echo noise > noise.log
    """
    found = work(script)
    assert (found.files, found.added, found.removed, found.deleted) == (8, 4, 2, 1)
    assert sorted(found.names) == [".gitignore", "a.txt", "e.txt", "link", "new/a binary", "noise.log", "src/c.txt"]
    assert found.said == list(found.stat)
    assert found.stat[-1] == "8 files changed, 4 insertions(+), 2 deletions(-)"
    assert kept(workspace, "log", "--format=%H %an %ae %s", "-1", "task/7-fix-it").split() == [
        *(str(found.commit), "Taskdeck", "noreply@taskdeck.invalid", "Fix", "it")
    ]
    assert kept(workspace, "log", "--format=%(trailers)", "-1").split("\n")[:2] == ["Task-Id: 7", "Agent: lines"]
    assert kept(workspace, "cat-file", "-p", "HEAD:link") == "/etc/passwd"
    assert kept(workspace, "rev-list", "--count", "HEAD").strip() == "2"
    *cloning, _, status, deletion, addition, commit, show = runner.commands
    steps = (status, deletion, addition, commit, show)
    assert {step.sandbox.limits for step in (*cloning, *steps)} == {git_module.LIMITS}
    assert {step.sandbox.network for step in (*cloning, *steps)} == {"none"}
    assert {tuple(step.sandbox.writable) for step in steps} == {(workspace.git,)}


def test_the_patch_applies_with_all_that_it_holds(
    work: Callable[[str], changes.Changes], checkout: Checkout, workspace: Workspace, origin: Path
) -> None:
    script = r"""
        printf 'caf\351\r\nx\n' > latin; head -c 5000 /dev/urandom > noise; rm -r src; ln -s a.txt src
        printf 'x' > "$(printf 'bad \377 name')"; printf 'y' > "$(printf 'new\nline')"
        rm a.txt; mkdir a.txt; echo z > a.txt/z; chmod +x b.txt
    """
    found = work(script)
    assert found.skipped == []
    checkout.patch(workspace.output)
    git(origin, "am", "--keep-cr", given=(workspace.output / "changes.patch").read_bytes())
    for name in ("latin", "noise", os.fsdecode(b"bad \xff name"), "new\nline", "a.txt/z"):
        assert (origin / name).read_bytes() == (workspace.repository / name).read_bytes()
    assert os.readlink(origin / "src") == "a.txt"
    assert os.access(origin / "b.txt", os.X_OK)
    assert git(origin, "rev-parse", "HEAD^{tree}") == kept(workspace, "rev-parse", "HEAD^{tree}")


def test_an_agents_own_commits_become_part_of_the_one(
    work: Callable[[str], changes.Changes], workspace: Workspace
) -> None:
    found = work("echo 2 >> a.txt; git commit -qam mine; git switch -qc other; echo 3 >> a.txt; git commit -qam more")
    assert (found.names, found.added) == (["a.txt"], 2)
    assert kept(workspace, "log", "--format=%s").split("\n")[:2] == ["Fix it", "first"]


def test_nothing_changed_is_no_commit(work: Callable[[str], changes.Changes], workspace: Workspace) -> None:
    found = work("echo noise > noise.log; touch a.txt; echo b > b.txt")
    assert (found.commit, found.said) == (None, ["No files changed."])
    assert kept(workspace, "log", "--format=%s").split() == ["first"]


def test_a_prompts_first_line_is_the_subject_and_nothing_of_it_is_more(
    lent: Callable[[Path], Checkout], workspace: Workspace, runner: Runner, origin: Path
) -> None:
    checkout = lent(origin)
    runner.agent(workspace, "echo 2 >> a.txt")
    checkout.collect(f"\n \u200b\n \x1b# -F /etc/passwd\tTask-Id: 9 {'ä' * 80}\nAgent: another\n", "lines", 7)
    subject, _, *rest = kept(workspace, "log", "-1", "--format=%B").splitlines()
    assert subject == f"# -F /etc/passwd Task-Id: 9 {'ä' * 43}…"
    assert (len(subject), rest) == (72, ["Task-Id: 7", "Agent: lines", ""])


POISON = r"""
cat > .git/trap <<'END'
{script}
END
chmod +x .git/trap
mkdir -p .git/hooks
for hook in pre-commit commit-msg post-commit post-index-change reference-transaction prepare-commit-msg; do
    cp .git/trap .git/hooks/$hook
done
trap=$PWD/.git/trap
git config core.fsmonitor $trap; git config filter.evil.clean $trap; git config filter.evil.smudge $trap
git config filter.evil.process $trap
git config gpg.program $trap; git config commit.gpgSign true; git config diff.external $trap
git config diff.evil.textconv $trap; git config diff.evil.command $trap; git config core.hooksPath $PWD/.git/hooks
git config core.sshCommand $trap; git config credential.helper $trap; git config core.editor $trap
git config core.alternateRefsCommand $trap; git config core.pager $trap
echo '* filter=evil diff=evil' > .gitattributes; mkdir -p .git/info; cp .gitattributes .git/info/attributes
echo 2 >> a.txt
"""


@pytest.mark.attack(81)
@pytest.mark.parametrize("sandbox", ["bwrap", "none"], indirect=True)
def test_an_agents_own_git_settings_execute_nothing(
    lent: Callable[[Path], Checkout],
    workspace: Workspace,
    runner: Runner,
    trap: Trap,
    origin: Path,
) -> None:
    checkout = lent(origin)
    with pytest.raises(AssertionError):  # the last line of the script springs the trap: it is a live one
        runner.agent(workspace, POISON.format(script=trap.script) + "\ngit add -A && git commit -qm x; exit 7")
    assert "sprung" in runner.said
    runner.said.clear()
    (workspace.git / "sprung").unlink(missing_ok=True)
    found = checkout.collect("Fix it", "lines", 7)
    checkout.patch(workspace.output)
    assert sorted(found.names) == [".gitattributes", "a.txt"]
    assert not trap.sprung


@pytest.mark.attack(82)
def test_whatever_lies_where_git_was_is_ignored(
    lent: Callable[[Path], Checkout], workspace: Workspace, runner: Runner, origin: Path
) -> None:
    checkout = lent(origin)
    for number, script in enumerate(
        [
            "rm -rf .git; ln -s /etc .git",
            "rm -rf .git; echo 'gitdir: /nowhere' > .git",
            "rm -rf .git; mkdir .git; echo x > .git/HEAD",
        ]
    ):
        runner.agent(workspace, f"{script}; echo {number} >> a.txt")
        found = checkout.collect("Fix it", "lines", 7)
        assert (found.names, found.skipped) == (["a.txt"], [])


@pytest.mark.attack(82)
def test_a_repository_that_is_no_folder_any_more_is_refused(
    lent: Callable[[Path], Checkout], workspace: Workspace, runner: Runner, origin: Path
) -> None:
    checkout = lent(origin)
    shutil.rmtree(workspace.repository)
    before = len(runner.commands)
    for put in (lambda path: None, lambda path: path.symlink_to("/"), lambda path: path.write_text("x")):
        put(workspace.repository)
        with pytest.raises(AgentFailed, match="put something else where its repository was"):
            checkout.collect("Fix it", "lines", 7)
        workspace.repository.unlink(missing_ok=True)
    assert len(runner.commands) == before


@pytest.mark.attack(82)
def test_links_in_the_place_of_what_git_reads_lead_nowhere(
    work: Callable[[str], changes.Changes], workspace: Workspace
) -> None:
    found = work("rm -r src .gitignore; ln -s / src; ln -s /etc/passwd .gitignore; ln -s /etc/passwd .gitattributes")
    assert sorted(found.names) == [".gitattributes", ".gitignore", "src"]
    assert kept(workspace, "cat-file", "-p", "HEAD:src") == "/"
    assert "root:" not in kept(workspace, "log", "-p", "HEAD")


@pytest.mark.attack(83)
def test_a_repository_in_the_repository_is_left_out_and_named(
    work: Callable[[str], changes.Changes], trap: Trap
) -> None:
    script = f"""
        cat > /tmp/trap <<'END'\n{trap.script}\nEND
        git init -q sub; git -C sub -c user.name=x -c user.email=x@x commit -q --allow-empty -m x; echo x > sub/x
        git init -q unborn; echo x > unborn/x
        git init -q src; echo 2 >> src/c.txt; rm src/d.txt
        mkdir file; echo 'gitdir: /etc' > file/.git; echo x > file/x; mkdir link; ln -s / link/.git; echo x > link/x
        for inner in sub unborn src; do
            cp /tmp/trap $inner/.git/trap; chmod +x $inner/.git/trap; git -C $inner config core.fsmonitor .git/trap
        done
        echo 2 >> a.txt
    """
    found = work(script)
    assert found.names == ["a.txt"]
    assert sorted(found.skipped) == [f"nested repository {name}/" for name in ("file", "link", "src", "sub", "unborn")]
    assert "Left out of the commit: skipped nested repository sub/." in found.said
    assert not trap.sprung


@pytest.mark.attack(83)
def test_a_repository_in_a_submodules_place_is_never_asked(
    make_repository: Callable[..., Path],
    lent: Callable[[Path], Checkout],
    workspace: Workspace,
    runner: Runner,
    trap: Trap,
    tmp_path: Path,
) -> None:
    link = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    checkout = lent(make_repository(tmp_path / "with", {"a.txt": "a"}, link))
    script = f"""
        git init -q sub; git -C sub -c user.name=x -c user.email=x@x commit -q --allow-empty -m x; echo x > sub/x
        cat > sub/.git/trap <<'END'\n{trap.script}\nEND
        chmod +x sub/.git/trap; git -C sub config core.fsmonitor .git/trap; echo 2 >> a.txt
    """
    runner.agent(workspace, script)
    assert checkout.collect("Fix it", "lines", 7).names == ["a.txt"]
    assert not trap.sprung
    git(workspace.repository, "status")
    assert (workspace.git / "sprung").exists()  # as soon as somebody is less careful


def test_what_cannot_be_committed_is_left_out_and_named(
    work: Callable[[str], changes.Changes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "FILE_MIB", 1)
    script = """
        head -c 1048577 /dev/zero > large; head -c 1048577 /dev/zero > b.txt; echo x > closed; chmod 0 closed
        rm a.txt; mkfifo a.txt; mkfifo pipe; echo x > fine
        mkdir .GIT; echo x > .GIT/config
    """
    found = work(script)
    assert found.names == ["fine"]
    assert sorted(found.skipped) == [
        *("a.txt (not a file)", "b.txt (more than 1 MiB)", "closed (it cannot be read)", "large (more than 1 MiB)")
    ]


def test_more_files_than_anybody_reads_are_refused(
    work: Callable[[str], changes.Changes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "CHANGED_FILES", 10)
    with pytest.raises(AgentFailed, match=r"changed 11 files, and at most 10 are committed"):
        work("for number in 1 2 3 4 5 6 7 8 9 10 11; do echo x > $number; done")


@pytest.mark.attack(105)
def test_the_deletion_of_everything_is_committed_as_such(
    work: Callable[[str], changes.Changes], workspace: Workspace
) -> None:
    found = work("rm -rf ..?* .[!.]* *")
    assert (found.files, found.deleted, found.names) == (5, 5, [])
    assert found.stat[-1] == "5 files changed, 5 deletions(-)"
    assert kept(workspace, "ls-tree", "-r", "HEAD") == ""


@pytest.mark.attack(82)
def test_the_patch_replaces_what_has_its_name_and_follows_no_link(
    lent: Callable[[Path], Checkout],
    workspace: Workspace,
    runner: Runner,
    origin: Path,
    tmp_path: Path,
    dig: Callable[..., None],
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    checkout = lent(origin)
    runner.agent(workspace, "echo 2 >> a.txt")
    checkout.collect("Fix it", "lines", 7)
    patch = workspace.output / "changes.patch"

    def deep() -> None:
        patch.mkdir()
        dig(patch, 1_100, "x")

    for put in (lambda: patch.symlink_to(outside), deep, lambda: os.mkfifo(patch)):
        put()
        checkout.patch(workspace.output)
        assert patch.read_text().startswith("From ")
        assert not patch.is_symlink()
        patch.unlink()
    assert outside.read_text() == "untouched"


@pytest.mark.parametrize("how", ["symlink", "link", "mkfifo"])
def test_of_what_git_wrote_nothing_but_a_file_of_its_own_is_read(how: str, tmp_path: Path) -> None:
    secret, given = tmp_path / "secret", tmp_path / "git" / "changes.patch"
    secret.write_text("the server's own")
    given.parent.mkdir()
    if how == "mkfifo":
        os.mkfifo(given)
    else:
        getattr(os, how)(secret, given)
    with pytest.raises(OSError), open_untrusted(given):
        pass


def test_of_many_that_are_left_out_the_first_are_named() -> None:
    found = changes.Changes(skipped=[f"nested repository {number}/" for number in range(60)])
    assert len(found.said) == 52
    assert found.said[-2:] == ["Left out of the commit: 10 more.", "No files changed."]


@pytest.mark.parametrize(
    "path", ["plain", 'a "quoted" one', "tab\t", "new\nline", "bell\a", "back\\slash", "\udcff", "é"]
)
def test_a_name_is_read_as_git_writes_it(path: str, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / path).write_text("x")
    (written,) = git(tmp_path, "ls-files", "--others").splitlines()
    assert changes.unquoted(written) == path
