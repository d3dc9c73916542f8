"""What uses too much is ended, with a sentence that says what; what runs beside it goes on."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.sandbox.command import ResourceLimits
from core.sandbox.watch import Broken, Watch
from tests.core.sandbox.commands import living, outcome, output, python, shell
from tests.support.world import Patch, World

MIB = 2**20
SMALL = ResourceLimits(memory=200 * MIB, processes=40, cpu=1, file=8 * MIB, disk=32 * MIB, files=500)

FEW = {"memory": 2**40, "processes": 2**20, "disk": 32 * MIB, "files": 6, "depth": 200}

STORM = "started more than 40 processes and threads"
ALL_DISK = "used more than 32 MiB of disk space"
NAMELESS = "import os, time\nfor _ in range(9): os.write(os.memfd_create('x'), bytes(2**22))\ntime.sleep(600)"
ONE_FILE = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nopen('f', 'wb').write(bytes(2**24))"
BURIED = "import os, time\nfor _ in range(250): os.mkdir('d'); os.chdir('d')\ntime.sleep(600)"
TOO_MUCH = [
    (STORM, "import os\nwhile True:\n try: os.fork()\n except OSError: pass"),
    ("used more than 200 MiB of memory", "import time\nkept = bytearray(2**30)\ntime.sleep(600)"),
    ("wrote more than 8 MiB into one file", ONE_FILE),  # Python itself ignores the signal that says so
    (ALL_DISK, "n = 0\nwhile True: n += 1; open(f'f{n}', 'wb').write(bytes(2**22))"),
    (ALL_DISK, NAMELESS),
    ("made more than 500 files", "n = 0\nwhile True: n += 1; open(f'f{n}', 'w').close()"),
    ("computed for more than 1 seconds", "while True: pass"),
    ("made a folder that cannot be looked into", BURIED),
]

#: Without a sandbox nothing but the look would hold a storm.
CASES = [(what, code, how) for how in ("bwrap", "none") for what, code in TOO_MUCH if (what, how) != (STORM, "none")]


@pytest.mark.attack(89)
@pytest.mark.parametrize(("what", "code", "sandbox"), CASES, ids=[f"{what}-{how}" for what, _, how in CASES])
def test_what_uses_too_much_is_ended_and_what_runs_beside_it_completes(
    what: str, code: str, sandbox: str, folder: Path, tmp_path: Path, world: World
) -> None:
    world.settle(TASKDECK_SANDBOX=sandbox)
    limits = SMALL if what.startswith("computed") else replace(SMALL, cpu=60)
    beside = tmp_path / "beside"
    beside.mkdir()
    with ThreadPoolExecutor() as threads:
        greedy = threads.submit(outcome, python(code, folder, limits=limits))
        modest = output(python("for n in range(1_000_000): pass\nprint('done')", beside))
        _, status, verdict = greedy.result()
    assert (status, verdict, modest, living(folder)) == (137, f"The work was stopped: it {what}.", ["done"], [])


def test_what_stays_within_its_limits_has_no_verdict_and_the_kernel_knows_them(folder: Path) -> None:
    code = (
        "import resource as r\nopen('f', 'wb').write(bytes(2**20)); kept = bytearray(50 * 2**20)\n"
        "for kind in (r.RLIMIT_CORE, r.RLIMIT_NPROC, r.RLIMIT_NOFILE, r.RLIMIT_FSIZE, r.RLIMIT_CPU, r.RLIMIT_AS): "
        "print(r.getrlimit(kind)[0])"
    )
    limits = replace(SMALL, open_files=200, address_space=2**40)
    lines, status, verdict = outcome(python(code, folder, limits=limits))
    assert [line for line, _ in lines] == ["0", "40", "200", str(8 * MIB), "1", str(2**40)]
    assert (status, verdict) == (0, None)


def test_folders_that_filled_up_in_no_time_are_seen_in_the_end(folder: Path) -> None:
    code = "for n in 1 2 3 4 5 6; do head -c 7m /dev/zero > $n; done"
    assert outcome(shell(code, folder, limits=SMALL))[1:] == (137, f"The work was stopped: it {ALL_DISK}.")


def test_what_was_there_before_does_not_count_and_what_has_two_names_or_paths_counts_once(folder: Path) -> None:
    (folder / "inner").mkdir()
    for number in range(20):
        (folder / str(number)).write_bytes(bytes(2 * MIB))
    watch = Watch(FEW, [str(folder), str(folder / "inner")], None)
    (folder / "inner" / "file").write_bytes(bytes(20 * MIB))
    (folder / "again").hardlink_to(folder / "inner" / "file")
    (folder / "link").symlink_to("/usr")
    assert watch.exceeded() is None
    (folder / "large").write_bytes(bytes(20 * MIB))
    assert watch.exceeded() == "The work was stopped: it used more than 32 MiB of disk space."
    (folder / "large").unlink()
    for number in range(4):
        (folder / f"new-{number}").touch()
    assert watch.exceeded() == "The work was stopped: it made more than 6 files."


def test_a_folder_swapped_for_a_link_leads_the_watch_nowhere(folder: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "outside").mkdir()
    for number in range(10):
        (tmp_path / "outside" / str(number)).touch()
    watch = Watch(FEW, [str(folder)], None)
    (folder / "inner").mkdir()
    (folder / "other").symlink_to(tmp_path / "outside")
    opened = os.open

    def swap(name: str, flags: int, **more: int) -> int:
        if name == "inner":
            (folder / "inner").rename(folder / "kept")
            (folder / "inner").symlink_to(tmp_path / "outside")
        return opened(name, flags, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swap)
    assert watch.exceeded() is None
    assert (folder / "inner").is_symlink()


def test_a_look_ends_when_nobody_wants_the_work_any_more_or_it_takes_too_long(folder: Path, monkeypatch: Patch) -> None:
    wanted = True
    watch = Watch({**FEW, "files": 10_000}, [str(folder)], None, lambda: wanted)
    for number in range(150):
        (folder / str(number)).touch()
    assert watch.exceeded() is None
    monkeypatch.setattr("core.sandbox.watch.LOOK_SECONDS", -1.0)
    assert "changed too fast, or were too many" in str(watch.exceeded())
    wanted = False
    with pytest.raises(Broken):
        watch.exceeded()


def test_a_signal_to_everything_of_a_service_does_not_end_the_supervisor(folder: Path, world: World) -> None:
    world.settle(TASKDECK_SANDBOX="none")  # so that the supervisor is the parent
    lines, status, verdict = outcome(shell("kill -TERM $PPID; kill -INT $PPID; echo on", folder))
    assert (lines, status, verdict) == ([("on", False)], 0, None)


def test_without_a_control_group_memory_is_watched_and_what_is_shared_counts_once() -> None:
    other = {"processes": 2**20, "disk": 2**40, "files": 2**20, "depth": 200}
    code = (  # 200 MiB of memory, shared with a child of its own
        "import mmap, os, time\nkept = mmap.mmap(-1, 200 * 2**20)\nchild = os.fork()\n"
        "for n in range(0, len(kept), 4096): kept[n] = 1\n"
        "if child == 0: os.write(1, b'.')\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, process_group=0) as child:
        try:
            assert child.stdout and child.stdout.read(1)
            assert Watch(other | {"memory": 350 * MIB}, [], None).exceeded() is None
            verdict = "The work was stopped: it used more than 150 MiB of memory."
            assert Watch(other | {"memory": 150 * MIB}, [], None).exceeded() == verdict
        finally:
            os.killpg(child.pid, signal.SIGKILL)
