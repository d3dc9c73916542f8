"""Control groups: where the kernel lets us make one, it does the counting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.sandbox import cgroup, isolation
from core.sandbox.cgroup import Group
from core.sandbox.process import Process
from tests.core.sandbox.commands import python

MIB = 2**20


def groups(number: int) -> set[Path]:
    """Those that the process with this number made."""
    folders = (Path(root, name) for root, names, _ in os.walk("/sys/fs/cgroup") for name in names)
    return {folder for folder in folders if folder.name == f"taskdeck-{number}"}


def test_a_group_bounds_what_joins_it_or_cannot_be_made_here() -> None:
    if isolation.state().memory == "watch":
        with pytest.raises(OSError, match=r".+"):
            Group(100 * MIB, 50)
        return
    group = Group(100 * MIB, 50)
    assert groups(os.getpid())
    try:
        for size, killed in ((20, False), (200, True)):
            code = f"kept = bytearray({size} * 2**20)"
            done = subprocess.run([sys.executable, "-c", code], preexec_fn=group.join)
            assert (done.returncode == -9, group.out_of_memory) == (killed, killed)
    finally:
        group.remove()
    assert groups(os.getpid()) == set()
    assert not group.out_of_memory


def test_a_supervisor_that_was_killed_leaves_no_group_behind(folder: Path) -> None:
    code = "import os, time; print('ready', flush=True); time.sleep(600)"
    with Process(python(code, folder), 30) as process:
        while not process.read(0.1):
            pass
        number = process._supervisor.pid
        assert bool(groups(number)) == (isolation.state().memory == "cgroup")
        process._supervisor.kill()
    assert groups(number) == set()


@pytest.fixture
def version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server's group as version 2 shows it, in plain folders."""
    own = tmp_path / "sys/fs/cgroup/system.slice/taskdeck.service/server"
    own.mkdir(parents=True)
    for folder in (own, own.parent):
        (folder / "cgroup.controllers").write_text("cpu memory pids\n")
        (folder / "cgroup.subtree_control").touch()
    (tmp_path / "proc/self").mkdir(parents=True)
    mount = f"30 23 0:26 / {tmp_path}/sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    (tmp_path / "proc/self/mountinfo").write_text("21 1 0:20 / / rw - ext4 /dev/vda rw\n" + mount)
    (tmp_path / "proc/self/cgroup").write_text("0::/system.slice/taskdeck.service/server\n")
    monkeypatch.setattr(cgroup, "PROC", tmp_path / "proc")
    return own


def test_in_version_2_groups_are_made_in_our_own(version_2: Path) -> None:
    assert cgroup._parent() == version_2
    assert (version_2 / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_in_version_2_the_parent_is_taken_only_where_systemd_gave_it(
    version_2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (version_2 / "cgroup.subtree_control").unlink()
    (version_2 / "cgroup.subtree_control").mkdir()  # refuses to be written, as the kernel's does while we are in it
    with pytest.raises(OSError, match="memory controller"):
        cgroup._parent()
    monkeypatch.setattr(cgroup, "_is_delegated", lambda folder: folder == version_2.parent)
    assert cgroup._parent() == version_2.parent


def test_without_a_memory_controller_there_is_no_group_of_version_2(version_2: Path) -> None:
    (version_2 / "cgroup.controllers").write_text("hugetlb\n")
    with pytest.raises(OSError, match="memory controller"):
        cgroup._parent()
