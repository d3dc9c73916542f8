import os
import stat
from pathlib import Path

import pytest

from core.sandbox import isolation
from core.sandbox.command import ResourceLimits, Sandbox
from core.sandbox.workspace import Workspace


def test_it_is_private_to_server_and_task_empty_at_first_and_gone_also_after_an_error(tmp_path: Path) -> None:
    root = tmp_path / "work" / "7"
    root.mkdir(parents=True)
    (root / "left over").write_text("from before")
    with pytest.raises(ZeroDivisionError), Workspace(root, 7) as workspace:
        workspace.make()
        folders = [workspace.gateway, workspace.git, workspace.home, workspace.output]
        assert sorted(root.iterdir()) == folders
        workspace.make_repository()
        for folder in (root, *folders, workspace.repository):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        owner = os.geteuid() if workspace.user is None else workspace.user
        assert (workspace.user, {path.stat().st_uid for path in root.iterdir()}) == (isolation.user_for(7), {owner})
        assert root.stat().st_uid == os.geteuid()
        closed = workspace.output / "a" / "b"
        closed.mkdir(parents=True)
        closed.parent.chmod(0o500)
        raise ZeroDivisionError
    assert not root.exists()


def test_an_agent_may_write_to_its_output_and_home_and_to_a_repository_only_to_change_it(tmp_path: Path) -> None:
    limits = ResourceLimits(memory=1)
    with Workspace(tmp_path / "7", 7) as workspace:
        workspace.make()
        alone = Sandbox((workspace.output, workspace.home), (), "none", limits, workspace.user)
        assert workspace.sandbox(limits, changes_files=True) == workspace.sandbox(limits, changes_files=False) == alone
        workspace.make_repository()
        changing = workspace.sandbox(limits, changes_files=True)
        assert (changing.writable, changing.readable) == ((*alone.writable, workspace.repository), ())
        reading = workspace.sandbox(limits, changes_files=False)
        assert (reading.writable, reading.readable) == (alone.writable, (workspace.repository,))
