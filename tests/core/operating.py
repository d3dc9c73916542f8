"""The operator's command, here and as a real process, and the server's start."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any
from unittest import mock

from core.__main__ import main
from core.identity import audit
from tests.support.databases import LOGINS
from tests.support.postgresql import PostgreSQL
from tests.support.server import ROOT, free_port

Done = subprocess.CompletedProcess[str]


def operate(*words: str, typed: str = "") -> Done:
    """``python -m core WORDS`` in this process, which is a second faster than in one of its own."""
    out, err, origin, umask = StringIO(), StringIO(), audit.current_origin(), os.umask(0o022)
    try:
        with redirect_stdout(out), redirect_stderr(err), mock.patch("sys.stdin", StringIO(typed, newline="")):
            status = main(words)
        assert os.umask(umask) == 0o077, "nobody else reads what it writes"
    finally:
        os.umask(umask)
        audit.set_origin(origin.channel, origin.address)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def core(*words: str, typed: str = "", **env: str) -> Done:
    """``python -m core WORDS`` as a process without a terminal, with these variables set."""
    return _run([sys.executable, "-W", "error", "-m", "core", *words], env, typed)


def serve(**env: str) -> Done:
    """The real server, which must not come up."""
    command = "uvicorn app:app --host 127.0.0.1 --port"
    return _run([sys.executable, "-m", *command.split(), str(free_port())], env)


def _run(command: list[str], env: dict[str, str], typed: str = "") -> Done:
    alone: dict[str, Any] = {"cwd": ROOT, "env": os.environ | env, "start_new_session": True}
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, **alone)


def one_sentence(done: Done, *words: str, status: int = 2) -> None:
    """It ended with this status and one sentence on standard error, in which these words stand."""
    assert "Traceback" not in done.stderr, done.stderr[-600:]
    assert (done.stderr.count("\n"), done.stdout) == (1, ""), done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert done.stderr.endswith(".\n")
    assert done.returncode == status, done.stderr


def leading_to(server: PostgreSQL, name: str, **logins: str) -> dict[str, str]:
    """The three addresses of this database."""
    return {variable: server.url(name, login) for variable, login in (LOGINS | logins).items()}
