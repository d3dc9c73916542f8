"""What a program in a sandbox finds: as root starts it, and as an ordinary user does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import core
from core.sandbox import bubblewrap
from core.sandbox.command import ResourceLimits
from core.sandbox.folders import chown_tree
from tests.core.sandbox.commands import NOBODY, shell

Shell = Callable[..., subprocess.CompletedProcess[str]]

IS_ROOT = os.geteuid() == 0
SECRET = "q7XcV0nBz1LmKdJfHgTsRpWyEuIoAa32"


@pytest.fixture
def folder(around: Path) -> Path:
    made = around / "work"
    made.mkdir()
    return made


@pytest.fixture(params=["root", "ordinary user"] if IS_ROOT else ["ordinary user"])
def run(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a shell's code in the sandbox of a server that is root, and of one that is not."""
    as_root = request.param == "root"
    if IS_ROOT and not as_root:
        monkeypatch.setattr(sys, "prefix", "/usr")  # this test's own Python may be where only root can look
        monkeypatch.setattr(sys, "base_prefix", "/usr")

    def start(code: str, folder: Path = folder, **more: ResourceLimits) -> subprocess.CompletedProcess[str]:
        argv = bubblewrap.argv(str(shutil.which("bwrap")), shell(code, folder, **more), as_root=as_root)
        if IS_ROOT and not as_root:
            chown_tree(folder, NOBODY)
            argv = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--", *argv]
        return subprocess.run(argv, env={"PATH": bubblewrap.path()}, capture_output=True, text=True, timeout=20)

    return start


def test_it_works_in_a_folder_of_any_name_and_sees_the_systems_programs(run: Shell, around: Path) -> None:
    odd = around / "a b\nc 'd' \"e\" $(id) --bind %s"
    odd.mkdir()
    done = run("echo made > file; cat file; id -u; ls /usr/bin | wc -l; pwd", odd)
    assert (done.returncode, done.stderr, (odd / "file").read_text()) == (0, "", "made\n")
    content, user, programs, place = done.stdout.split("\n", 3)
    assert (content, place, int(user) > 0, int(programs) > 100) == ("made", f"{odd}\n", True, True)


@pytest.mark.attack(80)
def test_nothing_of_the_machine_is_there_but_the_system(run: Shell, folder: Path, around: Path) -> None:
    (around / "secret").write_text(SECRET)
    done = run("ls -A / /etc /tmp /root /home /run; cat /etc/shadow; cat ../secret")
    assert SECRET not in done.stdout + done.stderr
    found = {part.partition(":\n")[0]: set(part.split()[1:]) for part in done.stdout.split("\n\n")}
    ours = [Path(place).parts for place in (core.__file__, sys.prefix, sys.base_prefix)]
    machine = {"boot", "media", "mnt", "opt", "srv", "sys", "run", "home"}
    assert not machine - {parts[1] for parts in ours} & found["/"] and {"proc", "usr"} <= found["/"]
    assert found.get("/home", set()) <= {parts[2] for parts in ours if parts[1] == "home"}
    assert not {"shadow", "sudoers", "ssh", "machine-id", "hostname", "resolv.conf"} & found["/etc"]
    assert "cat: /etc/shadow: No such file or directory" in done.stderr
    assert run("ls -A ..").stdout.split() == [folder.name], "of the folder around, only its own"


def test_other_processes_are_not_there(run: Shell) -> None:
    code = "ls /proc | grep -c '^[0-9]'; cat /proc/1/cmdline | tr '\\0' ' ' | cut -d' ' -f1; uname -n"
    number, first, host = run(code).stdout.split()
    assert int(number) <= 8
    assert (Path(first).name, host) == ("bwrap", "sandbox")


def test_it_can_write_nowhere_else(run: Shell, folder: Path) -> None:
    for target in ("/x", "/usr/x", "/etc/x", "/etc/passwd", "../x", "../../x", "/proc/sys/kernel/core_pattern"):
        done = run(f"echo x > {target}")
        assert done.returncode != 0, target
        assert any(why in done.stderr for why in ("Read-only file system", "Permission denied")), done.stderr
    assert not (folder.parent / "x").exists()


def test_what_it_writes_to_tmp_is_its_own_and_bounded(run: Shell) -> None:
    name = f"/tmp/taskdeck-{os.getpid()}"
    assert run(f"echo x > {name} && cat {name}").stdout == "x\n"
    assert not Path(name).exists()
    assert "No space left on device" in run("head -c 100m /dev/zero > /tmp/large").stderr
    assert "No space left on device" in run("head -c 20m /dev/zero > /dev/shm/large").stderr


def test_it_has_no_right_and_can_get_none(run: Shell) -> None:
    status = run("grep -E '^(Cap|NoNewPrivs)' /proc/self/status").stdout.split()
    assert status[1::2] == ["0" * 16] * 5 + ["1"]
    attempts = ("setpriv --reuid 0 id", "mount -t tmpfs x /tmp", "chroot / id", "mknod device c 1 1")
    assert run("".join(f"{attempt} </dev/null && echo {attempt};" for attempt in attempts)).stdout == ""
    # Nobody can kill the sandbox's first process, and all others with it.
    assert run("kill -9 1; sleep 0.1; echo alive").stdout == "alive\n"


def test_the_limit_of_processes_counts_those_of_the_sandbox_alone(run: Shell) -> None:
    few = ResourceLimits(processes=40)
    done = run("n=0; while [ $n -lt 60 ]; do sleep 60 & n=$((n + 1)); done; echo all", limits=few)
    assert (done.returncode, done.stdout, "Cannot fork" in done.stderr) == (2, "", True)
    assert run("true & true & wait; echo all", limits=few).stdout == "all\n"
