"""A program behind a built-in agent: as the runner starts it, with a bare environment, or in this process."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from core.log_text import LogType
from core.programs.shared.events import EventWriter

ROOT = Path(__file__).resolve().parents[4]


@dataclass
class Run:
    """What a run left behind."""

    code: int
    events: list[dict[str, Any]]
    errors: str
    output: Path
    memory: int = 0  # bytes at most, of a process

    def messages(self, kind: str) -> list[str]:
        return [one["message"] for one in self.events if one["type"] == kind]

    def text(self, name: str) -> str:
        return (self.output / name).read_text(encoding="utf-8")

    @property
    def steps(self) -> list[int]:
        """The progress that it told, in order."""
        return [one["done"] for one in self.events if one["type"] == "progress"]


def run(name: str, tmp_path: Path, *arguments: str, prompt: bytes = b"", output: str = "out", **env: str) -> Run:
    """Run the program of the name to its end; every line that it writes must be an event."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", **env}
    command = [sys.executable, "-m", "core.programs", name, "--output", str(tmp_path / output), *arguments]
    with TemporaryFile() as asked, TemporaryFile() as written, TemporaryFile() as errors:
        asked.write(prompt)
        asked.seek(0)
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=asked, stdout=written, stderr=errors)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            process.kill()  # if the wait was given up
        written.seek(0)
        errors.seek(0)
        done = _run(process.returncode, written.read().decode(), errors.read().decode(), tmp_path / output)
    assert list(home.iterdir()) == []
    done.memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return done


def run_here(program: Callable[[EventWriter], int], output: Path) -> Run:
    """Run a program in this process; every event must be sound."""
    stream = io.StringIO()
    code = program(EventWriter(stream))
    return _run(code, stream.getvalue(), "", output)


def _run(code: int, written: str, errors: str, output: Path) -> Run:
    events = [json.loads(line) for line in written.splitlines()]
    check(events)
    return Run(code, events, errors, output)


def check(events: list[dict[str, Any]]) -> None:
    """Each event has what it must have, and progress rises."""
    steps = [one for one in events if one["type"] == "progress"]
    for one in steps:
        assert set(one) == {"type", "done", "total"} and 0 <= one["done"] <= one["total"]
    assert len({one["total"] for one in steps}) <= 1
    assert [one["done"] for one in steps] == sorted(one["done"] for one in steps)
    for one in events:
        assert one in steps or (set(one) == {"type", "message"} and one["type"] in set(LogType))


def check_is_complete(done: Run, files: list[str]) -> None:
    """It ended well, with all files, all progress, and entries for people."""
    assert (done.code, done.errors, done.events[-1]["type"]) == (0, "", "success")
    assert sorted(path.name for path in done.output.iterdir()) == files
    steps = [one for one in done.events if one["type"] == "progress"]
    assert (steps[0]["done"], steps[-1]["done"]) == (0, steps[-1]["total"])
    assert all(one in steps or (one["message"] and one["message"].isprintable()) for one in done.events)
