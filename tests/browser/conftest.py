"""A really started server, and a real browser for each person."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import sample

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import chromium

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60


def free_port() -> int:
    """A port below those that client connections take."""
    for port in sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("no free port found")


@dataclass
class Server:
    """``streamlit run app.py`` on a data folder of its own."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def repositories(self) -> Path:
        """The folder whose repositories may be cloned."""
        return self.folder / "repositories"

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "TASKDECK_DATA": str(self.folder / "data"),
            "TASKDECK_AGENTS": str(self.folder / "agents.toml"),
            "PORT": str(self.port),
        }

    def start(self) -> None:
        self.repositories.mkdir(parents=True, exist_ok=True)
        (self.folder / "agents.toml").write_text(f'[repositories]\nlocal_roots = ["{self.repositories}"]\n')
        self.output = (self.folder / "server.log").open("a+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)],
            cwd=ROOT,
            env=self.environment(),
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/api/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise RuntimeError(f"the server did not start: {self.said()}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.output.close()
        return status

    def said(self) -> str:
        return (self.folder / "server.log").read_text()

    def setup_path(self) -> str:
        found = re.findall(r"http://localhost:\d+(/setup\?token=\S+)", self.said())
        assert found, self.said()
        return found[-1]

    def operate(self, *words: str, typed: str = "") -> str:
        """Run ``python -m core`` on the same data."""
        done = subprocess.run(
            [sys.executable, "-m", "core", *words],
            cwd=ROOT,
            env=self.environment(),
            input=typed,
            text=True,
            capture_output=True,
            check=True,
        )
        return done.stdout.strip()

    def repository(self, name: str, files: dict[str, str]) -> Path:
        """A real git repository with one commit."""
        folder = self.repositories / name
        folder.mkdir()
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Data"]):
            subprocess.run([*git, *words], cwd=folder, check=True)
        return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a file."""
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    assert made.stop() in (0, -signal.SIGTERM), made.said()
    assert "Traceback" not in made.said(), made.said()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium.find(),
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """A function that opens a browser of its own, and so a person of its own."""
    contexts = []

    def open_(path: str = "/", **options: object) -> Page:
        context = browser.new_context(timezone_id="Europe/Vienna", **options)  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(server.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
