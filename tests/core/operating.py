"""The operator's command and the server's start as real processes."""

import os
import subprocess
import sys

from tests.support.databases import LOGINS
from tests.support.postgresql import PostgreSQL
from tests.support.server import ROOT, free_port


def core(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """``python -m core WORDS`` with these variables set."""
    return _run([sys.executable, "-W", "error", "-m", "core", *words], env)


def serve(**env: str) -> subprocess.CompletedProcess[str]:
    """The real server, which must not come up."""
    command = "uvicorn app:app --host 127.0.0.1 --port"
    return _run([sys.executable, "-m", *command.split(), str(free_port())], env)


def _run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=60)


def one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended with status 2 and one sentence on standard error, in which these words stand."""
    assert "Traceback" not in done.stderr, done.stderr[-600:]
    assert (done.stderr.count("\n"), done.stdout) == (1, ""), done.stderr
    for word in words:
        assert word in done.stderr
    assert done.stderr.endswith(".\n")
    assert done.returncode == 2, done.stderr


def leading_to(server: PostgreSQL, name: str, **logins: str) -> dict[str, str]:
    """The three addresses of this database."""
    return {variable: server.url(name, login) for variable, login in (LOGINS | logins).items()}
