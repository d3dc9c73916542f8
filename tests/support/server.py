"""The real server on a data folder of its own: for tests, benchmarks and the README's pictures."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import sample

import httpx
import psutil

from tests.support import databases

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
STOP_SECONDS = 30

_FAULT = re.compile(r"^\S+ (ERROR|CRITICAL) |^Traceback \(most recent call last\)")


def free_port() -> int:
    """A port below those that the kernel takes for client connections."""
    for port in sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("no free port found")


class Server:
    """``streamlit run app.py``, or another command with {port} in it, on the data in ``folder``.

    ``before`` are words that start it: a program that changes its surroundings and then becomes the server.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        command: str = "streamlit run app.py --server.port {port}",
        before: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.repositories = folder / "repositories"  # what may be cloned
        self.repositories.mkdir(parents=True, exist_ok=True)
        (folder / "agents.toml").write_text(f'[repositories]\nlocal_roots = ["{self.repositories}"]\n')
        self.environment = {name: value for name, value in os.environ.items() if name not in databases.LOGINS}
        self.environment |= (
            databases.current.present()
            | {
                "TASKDECK_DATA": str(folder / "data"),
                "TASKDECK_AGENTS": str(folder / "agents.toml"),
                "PORT": str(self.port),
            }
            | dict(settings or {})
        )
        self._command = [*before, sys.executable, "-m", *command.format(port=self.port).split()]
        self._output = folder / "server.log"

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._output.open("a") as output:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(f"{self.url}/api/health").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"the server did not start: {self.said()}")

    def stop(self) -> int:
        """Ask it to end, as an operator would; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> list[psutil.Process]:
        """End it without any warning; the processes that it had started."""
        started = self.started()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return started

    def started(self) -> list[psutil.Process]:
        """The processes below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def said(self) -> str:
        """All that it has printed."""
        return self._output.read_text()

    def faults(self) -> list[str]:
        """The lines that tell of a fault of ours: errors in the log, and what Python itself prints of one."""
        return [line for line in self.said().splitlines() if _FAULT.search(line)]

    def operate(self, *words: str, typed: str = "") -> str:
        """What ``python -m core`` prints on the same data."""
        command = [sys.executable, "-m", "core", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, input=typed, text=True, capture_output=True, check=True
        )
        return done.stdout.strip()

    def add(self, username: str, password: str) -> str:
        """Give somebody an account; a token of theirs."""
        email = f"{username}@example.org"
        self.operate("users", "add", username, "--email", email, "--password-stdin", typed=password)
        return self.operate("tokens", "create", "--user", username, "--name", "test")

    def client(self, token: str) -> httpx.Client:
        """The API as the token's person."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.url}/api", headers=headers, timeout=10)

    def repository(self, name: str, files: Mapping[str, str]) -> Path:
        """A real git repository with one commit."""
        folder = self.repositories / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Data"]):
            subprocess.run([*git, *words], cwd=folder, check=True)
        return folder
