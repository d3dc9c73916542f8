"""A task's private folder: the repository, a home, the output that becomes artifacts, and what no agent sees."""

from pathlib import Path

from core.sandbox import folders, isolation
from core.sandbox.command import ResourceLimits, Sandbox


class Workspace:
    """The folder of one attempt at one task, private to the server's user; what is in it belongs to the task's.

    Use it in a ``with``: ``make`` makes it, empty, and at the end it is gone.
    """

    def __init__(self, root: Path, task_id: int) -> None:
        self.root = root
        self.repository = root / "repository"  #: only when there is one
        self.output = root / "output"
        self.home = root / "home"
        self.git = root / "git"  #: what git keeps; in no agent's sandbox
        self.gateway = root / "gateway"  #: of the gateway
        self.user = isolation.user_for(task_id)  #: the number that the task's processes run as where the server is root

    def __enter__(self) -> "Workspace":
        return self

    def make(self) -> None:
        """Make the folders. Raises OSError, for one when the disk is full."""
        self._remove()
        self.root.mkdir(mode=0o700, parents=True)
        for folder in (self.output, self.home, self.git, self.gateway):
            self._make(folder)

    def __exit__(self, *_: object) -> None:
        self._remove()

    def make_repository(self) -> None:
        """Make the repository's folder, empty."""
        self._make(self.repository)

    def sandbox(self, limits: ResourceLimits, *, changes_files: bool) -> Sandbox:
        """The sandbox of an agent, which may write to the repository or only read it."""
        repository = (self.repository,) if self.repository.exists() else ()
        return Sandbox(
            writable=(self.output, self.home, *(repository if changes_files else ())),
            readable=() if changes_files else repository,
            limits=limits,
            user=self.user,
        )

    def _make(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        folders.chown_tree(folder, self.user)

    def _remove(self) -> None:
        folders.remove(self.root)
