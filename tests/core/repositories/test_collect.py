"""Committing what an agent left behind, whatever it left."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import AgentFailed
from core.repositories import changes
from core.repositories import git as git_module
from core.repositories.git import open_untrusted
from tests.core.repositories.running import FILES, Scene, git


def test_what_changed_is_one_commit_on_the_tasks_branch(scene: Scene) -> None:
    scene.clone(scene.origin())
    found = scene.work("""
        touch -r .gitignore /tmp/time; echo '*.lag' > .gitignore; touch -r /tmp/time .gitignore; echo x > noise.lag
        echo 2 >> a.txt; rm b.txt; mkdir new; printf 'x\\000y' > 'new/a binary'; git mv src/d.txt e.txt
        ln -s /etc/passwd link; chmod +x src/c.txt; echo noise > noise.log
    """)
    assert (found.files, found.added, found.removed, found.deleted) == (8, 4, 2, 1)
    assert sorted(found.names) == [".gitignore", "a.txt", "e.txt", "link", "new/a binary", "noise.log", "src/c.txt"]
    assert (found.said, found.stat[-1]) == (list(found.stat), "8 files changed, 4 insertions(+), 2 deletions(-)")
    whose = f"{found.commit} Taskdeck noreply@taskdeck.invalid Fix it\n"
    assert scene.kept("log", "--format=%H %an %ae %s", "-1", "task/7-fix-it") == whose
    assert scene.kept("log", "--format=%(trailers)", "-1").split("\n")[:2] == ["Task-Id: 7", "Agent: lines"]
    assert scene.kept("cat-file", "-p", "HEAD:link") == "/etc/passwd"
    assert scene.kept("rev-list", "--count", "HEAD").strip() == "2"
    *cloning, _, status, deletion, addition, commit, show = scene.runner.commands
    steps = (status, deletion, addition, commit, show)
    assert {step.sandbox.limits for step in (*cloning, *steps)} == {git_module.LIMITS}
    assert {step.sandbox.network for step in (*cloning, *steps)} == {"none"}
    assert {tuple(step.sandbox.writable) for step in steps} == {(scene.workspace.git,)}


@pytest.mark.attack(82)
def test_the_patch_applies_with_all_that_it_holds_and_follows_no_link(scene: Scene, dig: Callable[..., None]) -> None:
    origin, work_tree = scene.origin(), scene.workspace.repository
    scene.clone(origin)
    found = scene.work(r"""
        printf 'caf\351\r\nx\n' > latin; head -c 5000 /dev/urandom > noise; rm -r src; ln -s a.txt src
        printf 'x' > "$(printf 'bad \377 name')"; printf 'y' > "$(printf 'new\nline')"
        rm a.txt; mkdir a.txt; echo z > a.txt/z; chmod +x b.txt
    """)
    assert found.skipped == []
    patch, outside = scene.patch(), scene.folder / "outside"
    git(origin, "am", "--keep-cr", given=patch.read_bytes())
    for name in ("latin", "noise", os.fsdecode(b"bad \xff name"), "new\nline", "a.txt/z"):
        assert (origin / name).read_bytes() == (work_tree / name).read_bytes()
    assert os.readlink(origin / "src") == "a.txt"
    assert os.access(origin / "b.txt", os.X_OK)
    assert git(origin, "rev-parse", "HEAD^{tree}") == scene.kept("rev-parse", "HEAD^{tree}")

    def deep() -> None:
        patch.mkdir()
        dig(patch, 1_100, "x")

    outside.write_text("untouched")
    for put in (lambda: patch.symlink_to(outside), deep, lambda: os.mkfifo(patch)):
        patch.unlink()
        put()
        assert scene.patch().read_bytes().startswith(b"From ") and not patch.is_symlink()
    assert outside.read_text() == "untouched"


@pytest.mark.attack(105)
def test_what_differs_is_one_commit_whoever_committed_before(scene: Scene) -> None:
    scene.clone(scene.origin())
    nothing = scene.work("echo noise > noise.log; touch a.txt; echo b > b.txt")
    assert (nothing.commit, nothing.said) == (None, ["No files changed."])
    assert scene.kept("log", "--format=%s").split() == ["first"]

    own = scene.work("echo 2 >> a.txt; git commit -qam mine; git switch -qc other; echo 3 >> a.txt; git commit -qam it")
    assert (own.names, own.added) == (["a.txt"], 2)
    assert scene.kept("log", "--format=%s").split("\n")[:2] == ["Fix it", "first"]

    # The prompt's first line is the subject, and nothing of it is more.
    scene.work("echo 4 > a.txt", f"\n \u200b\n \x1b# -F /etc/passwd\tTask-Id: 9 {'ä' * 80}\nAgent: another\n")
    subject, _, *rest = scene.kept("log", "-1", "--format=%B").splitlines()
    assert subject == f"# -F /etc/passwd Task-Id: 9 {'ä' * 43}…"
    assert (len(subject), rest) == (72, ["Task-Id: 7", "Agent: lines", ""])

    everything = scene.work("rm -rf ..?* .[!.]* *")
    assert (everything.files, everything.deleted, everything.names) == (5, 5, [])
    assert everything.stat[-1].startswith("5 files changed, ")
    assert scene.kept("ls-tree", "-r", "HEAD") == ""


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
def test_an_agents_own_git_settings_execute_nothing(scene: Scene) -> None:
    scene.clone(scene.origin())
    with pytest.raises(AssertionError):  # the last line of the script springs the trap: it is a live one
        scene.agent(POISON.format(script=scene.trap) + "\ngit add -A && git commit -qm x; exit 7")
    assert "sprung" in scene.runner.said
    scene.reset_trap()
    found = scene.checkout.collect("Fix it", "lines", 7)
    scene.patch()
    assert sorted(found.names) == [".gitattributes", "a.txt"]
    assert not scene.sprung


@pytest.mark.attack(82)
def test_whatever_lies_where_git_or_what_it_reads_or_the_repository_was_leads_nowhere(scene: Scene) -> None:
    scene.clone(scene.origin())
    for number, script in enumerate(
        [
            "rm -rf .git; ln -s /etc .git",
            "rm -rf .git; echo 'gitdir: /nowhere' > .git",
            "rm -rf .git; mkdir .git; echo x > .git/HEAD",
        ]
    ):
        found = scene.work(f"{script}; echo {number} >> a.txt")
        assert (found.names, found.skipped) == (["a.txt"], [])

    links = "for name in .gitignore .gitattributes; do ln -s /etc/passwd $name; done; ln -s / src"
    found = scene.work(f"rm -r src .gitignore; {links}")
    assert sorted(found.names) == [".gitattributes", ".gitignore", "src"]
    assert scene.kept("cat-file", "-p", "HEAD:src") == "/"
    assert "root:" not in scene.kept("log", "-p", "HEAD")

    repository, before = scene.workspace.repository, len(scene.runner.commands)
    shutil.rmtree(repository)
    for put in (lambda path: None, lambda path: path.symlink_to("/"), lambda path: path.write_text("x")):
        put(repository)
        with pytest.raises(AgentFailed, match="put something else where its repository was"):
            scene.checkout.collect("Fix it", "lines", 7)
        repository.unlink(missing_ok=True)
    assert len(scene.runner.commands) == before


@pytest.mark.attack(83)
def test_a_repository_in_the_repository_or_in_a_submodules_place_is_left_out_and_never_asked(scene: Scene) -> None:
    link = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    scene.clone(scene.origin(FILES, link))
    found = scene.work(f"""
        cat > /tmp/trap <<'END'\n{scene.trap}\nEND
        for inner in module sub; do
            git init -q $inner; git -C $inner -c user.name=x -c user.email=x@x commit -q --allow-empty -m x
            echo x > $inner/x
        done
        git init -q unborn; echo x > unborn/x
        git init -q src; echo 2 >> src/c.txt; rm src/d.txt
        mkdir file; echo 'gitdir: /etc' > file/.git; echo x > file/x; mkdir link; ln -s / link/.git; echo x > link/x
        for inner in module sub unborn src; do
            cp /tmp/trap $inner/.git/trap; chmod +x $inner/.git/trap; git -C $inner config core.fsmonitor .git/trap
        done
        echo 2 >> a.txt
    """)
    assert found.names == ["a.txt"]
    assert sorted(found.skipped) == [f"nested repository {name}/" for name in ("file", "link", "src", "sub", "unborn")]
    assert "Left out of the commit: skipped nested repository sub/." in found.said and not scene.sprung
    git(scene.workspace.repository, "status")
    assert scene.sprung  # as soon as somebody is less careful


def test_what_cannot_be_committed_is_left_out_and_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "FILE_MIB", 1)
    scene.clone(scene.origin())
    found = scene.work("""
        head -c 1048577 /dev/zero > large; head -c 1048577 /dev/zero > b.txt; echo x > closed; chmod 0 closed
        rm a.txt; mkfifo a.txt; mkfifo pipe; echo x > fine
        mkdir .GIT; echo x > .GIT/config
    """)
    assert found.names == ["fine"]
    too_large = ("b.txt (more than 1 MiB)", "closed (it cannot be read)", "large (more than 1 MiB)")
    assert sorted(found.skipped) == ["a.txt (not a file)", *too_large]


def test_more_files_than_anybody_reads_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(AgentFailed, match=r"changed 5,001 files, and at most 5,000 are committed"):
        changes.plan(tmp_path, ["?? a"] * 5_000 + [" D b"])
    assert len(changes.plan(tmp_path, ["?? a"] * 4_999 + [" D b"]).written) == 4_999


@pytest.mark.parametrize("how", ["symlink", "link", "mkfifo", "absent"])
def test_of_what_git_wrote_nothing_but_a_file_of_its_own_is_read(how: str, tmp_path: Path) -> None:
    secret, given = tmp_path / "secret", tmp_path / "git" / "changes.patch"
    secret.write_text("the server's own")
    given.parent.mkdir()
    if how == "mkfifo":
        os.mkfifo(given)
    elif how != "absent":
        getattr(os, how)(secret, given)
    with pytest.raises(AgentFailed, match=r"What git wrote for this task .*: changes\.patch\."), open_untrusted(given):
        pass


def test_of_many_that_are_left_out_the_first_are_named() -> None:
    found = changes.Changes(skipped=[f"nested repository {number}/" for number in range(60)])
    assert (len(found.said), found.said[-2:]) == (52, ["Left out of the commit: 10 more.", "No files changed."])


def test_a_name_is_read_as_git_writes_it(tmp_path: Path) -> None:
    names = {"plain", 'a "quoted" one', "tab\t", "new\nline", "bell\a", "back\\slash", "\udcff", "é"}
    git(tmp_path, "init", "--quiet")
    for name in names:
        (tmp_path / name).write_text("x")
    written = git(tmp_path, "ls-files", "--others").splitlines()
    assert set(map(changes.unquoted, written)) == names
