"""Control groups: where the kernel lets us make one, it does the counting. A stand-in shows what the kernel would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.sandbox import cgroup, isolation
from core.sandbox.cgroup import Group
from tests.core.sandbox.commands import python, started
from tests.support.world import Patch

MIB = 2**20


def groups(number: int) -> set[Path]:
    """Those that the process with this number made."""
    folders = (Path(root, name) for root, names, _ in os.walk("/sys/fs/cgroup") for name in names)
    return {folder for folder in folders if folder.name == f"taskdeck-{number}"}


def test_a_group_limits_what_joins_it_or_cannot_be_made_here() -> None:
    if isolation.state().memory == "watch":
        with pytest.raises(OSError, match=r".+"):
            Group(100 * MIB, 50)
        return
    group = Group(100 * MIB, 50)
    try:
        for size, killed in ((20, False), (200, True)):
            code = f"kept = bytearray({size} * 2**20)"
            done = subprocess.run([sys.executable, "-c", code], preexec_fn=group.join)
            assert (done.returncode == -9, group.out_of_memory) == (killed, killed)
    finally:
        group.remove()
    assert groups(os.getpid()) == set()


def test_a_supervisor_that_was_killed_leaves_no_group_behind(folder: Path) -> None:
    with started(python("import time; print('ready', flush=True); time.sleep(600)", folder)) as process:
        number = process._supervisor.pid
        assert bool(groups(number)) == (isolation.state().memory == "cgroup")
        process._supervisor.kill()
    assert groups(number) == set()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A server's own group as the kernel shows it, in plain folders; a new one has files, and goes with them."""
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
    mkdir, rmdir = Path.mkdir, Path.rmdir

    def make(folder: Path, *given: object, **more: object) -> None:
        mkdir(folder, *given, **more)  # type: ignore[arg-type]
        if folder.parent == own:
            (folder / "cgroup.procs").touch()

    def remove(folder: Path) -> None:
        for file in folder.iterdir():
            file.unlink()
        rmdir(folder)

    monkeypatch.setattr(Path, "mkdir", make)
    monkeypatch.setattr(Path, "rmdir", remove)
    return own


def test_a_group_is_made_in_our_own_with_its_limits_and_one_of_a_dead_supervisor_is_taken_away(own: Path) -> None:
    (own / "taskdeck-1").mkdir()
    group, made = Group(100 * MIB, 50), own / f"taskdeck-{os.getpid()}"
    assert [folder for folder in own.iterdir() if folder.is_dir()] == [made]
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    limits = {"memory.max": str(100 * MIB), "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "50"}
    assert {name: (made / name).read_text() for name in limits} == limits
    group.join()
    assert (made / "cgroup.procs").read_text() == "0"
    for killed in ("0", "2"):
        assert not group.out_of_memory
        (made / "memory.events").write_text(f"oom 3\noom_kill {killed}\n")
    assert group.out_of_memory
    group.remove()
    assert not made.exists() and not group.out_of_memory
    (own / "taskdeck-1").mkdir()
    cgroup.clear()
    assert not (own / "taskdeck-1").exists()


def test_the_parent_is_taken_where_systemd_gave_it_with_a_memory_controller(own: Path, monkeypatch: Patch) -> None:
    (own / "cgroup.subtree_control").unlink()
    os.mkdir(own / "cgroup.subtree_control")  # refuses to be written, as the kernel's does while we are in it
    with pytest.raises(OSError, match="memory controller"):
        Group(100 * MIB, 50)
    monkeypatch.setattr(cgroup, "_is_delegated", lambda folder: folder == own.parent)
    assert cgroup._parent() == own.parent
    (own.parent / "cgroup.controllers").write_text("hugetlb\n")
    with pytest.raises(OSError, match="memory controller"):
        Group(100 * MIB, 50)
    cgroup.clear()  # harmless
