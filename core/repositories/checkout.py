"""A task's repository: cloned, copied for the agent, and committed by a git that the agent has no hand in."""

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from core.errors import AgentFailed, NotPushed, TimedOut
from core.repositories.changes import Changes, plan, summary
from core.repositories.git import LIMITS, Git, Run, open_untrusted
from core.repositories.remote import Remote
from core.repositories.secrets import contains_secret
from core.sandbox import folders
from core.sandbox.workspace import Workspace

PATCH = "changes.patch"

SLUG_CHARACTERS = 40
SUBJECT_CHARACTERS = 72

#: A larger share of a repository's files is deleted only by mistake, and not pushed.
DELETED_SHARE = 0.5

#: An agent may commit in its own copy, so that knows who commits.
_COPY = 'cp -RPp "$1" "$2" && printf %s "$3" >> "$2/config"'
_IDENTITY = "[user]\n\tname = Taskdeck\n\temail = noreply@taskdeck.invalid\n"

#: No program of anybody's shows a difference.
_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--ignore-submodules=all")


class Checkout:
    """The repository of one task. Each step runs git as the task's user, in a sandbox of its own.

    Each step may raise what ``run`` raises, and AgentFailed with a sentence for the task's owner.
    """

    def __init__(self, workspace: Workspace, run: Run) -> None:
        self._workspace = workspace
        self._git = Git(workspace, run)
        self._remote: Remote | None = None
        self._branch = ""
        self._base = ""
        self._message = ""
        self._changes = Changes()

    def clone(self, remote: Remote) -> None:
        """Clone the newest commit; a repository without one gets an empty one."""
        self._remote = remote
        self._workspace.make_repository()
        status, _ = self._git.reach(
            remote,
            *("clone", "--depth", "1", "--single-branch", "--no-tags", "--no-recurse-submodules", "--template="),
            *("--separate-git-dir", str(self._git.store), "--", remote.address, self._workspace.repository.name),
            shown=f"git clone --depth 1 {remote.address}",
            writable=(self._workspace.repository,),
        )
        if status:
            raise AgentFailed(self._why_not_cloned())
        self._start_from_store()

    def begin(self) -> None:
        """Begin a repository for a task that names none."""
        self._workspace.make_repository()
        repository = self._workspace.repository
        words = ("--quiet", "--template=", "--initial-branch=main", f"--separate-git-dir={self._git.store}")
        status, _ = self._git.run("git", "init", *words, str(repository), writable=(repository,))
        if status:
            raise AgentFailed("A repository for the task could not be created.")
        self._start_from_store()

    def branch(self, name: str) -> None:
        """Go on a new branch, which is what ``push`` pushes."""
        status, _ = self._git.here("switch", "--quiet", "--no-track", "--create", name)
        if status:
            raise AgentFailed(
                f"The branch {name} cannot be created: the name of another branch of the repository conflicts with it."
            )
        self._branch = name

    def copy_git_dir_for_agent(self) -> None:
        """Give the agent a copy of what git keeps, so that git works in its sandbox too."""
        repository = self._workspace.repository
        words = ("sh", "-c", _COPY, "sh", str(self._git.store), str(repository / ".git"), _IDENTITY)
        status, _ = self._git.run(*words, writable=(repository,))
        if status:
            raise AgentFailed("The repository could not be copied for the agent.")

    def collect(self, prompt: str, agent: str, task_id: int) -> Changes:
        """Commit what the agent changed, whatever it committed itself."""
        if self._workspace.repository.is_symlink() or not self._workspace.repository.is_dir():
            raise AgentFailed("The agent put something else where its repository was; nothing of it was read.")
        status = ("status", "--porcelain=v1", "--untracked-files=all", "--no-renames", "--ignore-submodules=all")
        wanted = plan(self._workspace.repository, self._git_or_fail(*status))
        # Deletions first: a folder may have become a file.
        for how, paths in (("--force-remove", wanted.removed), ("--replace", wanted.written)):
            if paths:
                self._git_or_fail("update-index", "--add", how, "--stdin", given="".join(f"{path}\n" for path in paths))
        if not (wanted.removed or wanted.written):
            self._changes = Changes(skipped=wanted.skipped)
            return self._changes
        self._message = f"{_subject(prompt)}\n\nTask-Id: {task_id}\nAgent: {agent}\n"
        self._commit(self._message)
        shown = self._git_or_fail("show", "--format=%H", "--raw", "--numstat", "--stat=100", "--stat-count=50", *_PLAIN)
        self._changes = summary(shown, wanted.skipped)
        return self._changes

    def patch(self, folder: Path) -> None:
        """Put the commit into ``folder``, as ``git am`` takes it; what has its name there goes."""
        written = self._workspace.git / PATCH
        self._git_or_fail("format-patch", "--binary", f"--output={written}", *_PLAIN, f"{self._base}..HEAD")
        # The folder is the agent's: nothing in it is followed.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            folders.remove(folder / PATCH)
            target = os.open(PATCH, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=handle)
            with os.fdopen(target, "wb") as writer, open_untrusted(written) as reader:
                shutil.copyfileobj(reader, writer)
        finally:
            os.close(handle)

    def push(self, secrets: Iterable[str]) -> bool:
        """Push the branch, if the repository's host allows it and there is a commit; whether it was.

        It is never forced. Raises NotPushed when it must not or cannot be pushed.
        """
        remote, commit = self._remote, self._changes.commit
        if remote is None or not remote.push or commit is None or not self._branch:
            return False
        try:
            self._check_pushable(secrets)
            self._push(remote, f"refs/heads/{self._branch}")
        except (NotPushed, TimedOut):
            raise
        except AgentFailed as end:
            raise NotPushed(f"Committed, not pushed: {end.message[0].lower()}{end.message[1:]}") from end
        return True

    def _git_or_fail(self, *arguments: str, given: str = "") -> list[str]:
        status, lines = self._git.here(*arguments, given=given)
        if status:
            raise AgentFailed(f"git could not do its part in this repository: git {arguments[0]} failed.")
        return lines

    def _start_from_store(self) -> None:
        """Make a fresh store the only way to the repository, with a commit to begin from."""
        (self._workspace.repository / ".git").unlink()
        unborn, base = self._git.here("rev-parse", "--verify", "--quiet", "HEAD")
        if unborn:
            self._commit("Begin\n")
            base = self._git_or_fail("rev-parse", "HEAD")
        (self._base,) = base

    def _commit(self, message: str) -> None:
        words = ("--quiet", "--allow-empty", "--no-verify", "--no-gpg-sign", "--cleanup=whitespace", "--file=-")
        self._git_or_fail("commit", *words, given=message)

    def _push(self, remote: Remote, target: str) -> None:
        # An empty lease asks that the branch is not there yet: what is there could otherwise be moved on.
        status, _ = self._git.reach(
            remote,
            *(f"--git-dir={self._git.store}", "push", "--porcelain", "--no-verify", "--no-signed"),
            *("--recurse-submodules=no", f"--force-with-lease={target}:", "--", remote.address, f"HEAD:{target}"),
            shown=f"git push {remote.address} {self._branch}",
        )
        if status:
            raise NotPushed(self._why_not_pushed(remote, target))

    def _check_pushable(self, secrets: Iterable[str]) -> None:
        """Raises NotPushed when the commit had better stay here."""
        if self._changes.deleted:
            before = len(self._git_or_fail("ls-tree", "-r", "--name-only", self._base))
            if self._changes.deleted > before * DELETED_SHARE:
                raise NotPushed(
                    f"Committed, not pushed: {self._changes.deleted:,} of {before:,} files are deleted; "
                    "the patch is among the task's files."
                )
        difference = self._workspace.git / "difference"
        self._git_or_fail("diff", "--text", "--unified=0", f"--output={difference}", *_PLAIN, self._base, "HEAD")
        if contains_secret(difference, self._message, secrets):
            raise NotPushed(
                "Committed, not pushed: the changes hold what looks like a secret; the patch is among the task's files."
            )

    def _why_not_cloned(self) -> str:
        if self._git.asked.exists() and self._remote and self._remote.token:
            return (
                "The repository could not be cloned: its host does not take the token that the administrator gave "
                "for it, or there is no such repository."
            )
        if self._git.asked.exists():
            return (
                "The repository needs access: it asks for a password, or is not there. Check the address; for a "
                "repository that is not open, an administrator can give its host a token in agents.toml."
            )
        if self._was_cut_off():
            return (
                f"The repository is too large: its newest commit, packed, takes more than {LIMITS.file // 2**20:,} MiB."
            )
        return (
            "The repository could not be cloned: check that the address is right and open to everybody; "
            "what git said is in the log."
        )

    def _why_not_pushed(self, remote: Remote, target: str) -> str:
        status, _ = self._git.reach(remote, "ls-remote", "--exit-code", "--", remote.address, target)
        if status == 0:
            return (
                f"Committed, not pushed: the repository has a branch {self._branch} already; "
                "the patch is among the task's files."
            )
        return (
            "Committed, not pushed: the repository's host refused it, and what git said is in the log; "
            "the patch is among the task's files."
        )

    def _was_cut_off(self) -> bool:
        """Whether the process that writes what comes from a remote began and did not end: its file became too large."""
        begun, ended = set(), set()
        # Its last line may be half a one.
        with suppress(AgentFailed, OSError, ValueError), open_untrusted(self._git.trace) as lines:
            for event in map(json.loads, lines):
                if event["event"] == "start" and "index-pack" in event["argv"]:
                    begun.add(event["sid"])
                if event["event"] in ("atexit", "signal"):
                    ended.add(event["sid"])
        return bool(begun - ended)


def branch_name(task_id: int, prompt: str) -> str:
    """The branch of a task: its number, and of its prompt what every host and tool can write."""
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall("[a-z0-9]+", plain))[:SLUG_CHARACTERS].strip("-")
    return f"task/{task_id}-{slug}" if slug else f"task/{task_id}"


def _subject(prompt: str) -> str:
    """The first line of a prompt, as the first line of a commit's message."""
    lines = (
        "".join(letter for letter in " ".join(line.split()) if letter.isprintable()) for line in prompt.splitlines()
    )
    line = next((line.strip() for line in lines if line.strip()), "Work")
    return line if len(line) <= SUBJECT_CHARACTERS else line[: SUBJECT_CHARACTERS - 1].rstrip() + "…"
