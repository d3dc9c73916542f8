"""The shim: a program in its place, beside it the way to the gateway."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.sandbox.command import Command, Sandbox
from core.sandbox.gateway import SHIM, free_port
from core.sandbox.process import Process
from tests.core.sandbox.commands import outcome
from tests.support.world import World

#: Sends what it is given on its standard input to the port, and prints how many bytes came back and whether all did.
TALK = """
import socket, sys
sent = sys.stdin.buffer.read()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
    import threading
    threading.Thread(target=lambda: (s.sendall(sent), s.shutdown(socket.SHUT_WR))).start()
    got = b"".join(iter(lambda: s.recv(65536), b""))
sys.stdout.write(f"{len(got)} {got == sent[::-1]}\\n")  # at once: several write to one pipe
"""


@pytest.fixture
def folder(tmp_path: Path, world: World) -> Path:
    world.settle(TASKDECK_SANDBOX="none")
    path = tmp_path / ("deep" * 30)  # deeper than an address can be long
    path.mkdir()
    return path


@pytest.fixture
def backwards(folder: Path) -> Iterator[Path]:
    """A unix socket where whoever has said all gets it back, last byte first."""
    handle = os.open(folder, os.O_RDONLY)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"/proc/self/fd/{handle}/api")
    listener.listen()

    def serve() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:  # the test has ended
                return
            with caller, caller.makefile("rb") as said:
                caller.sendall(said.read()[::-1])

    thread = threading.Thread(target=serve)
    thread.start()
    yield folder / "api"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    os.close(handle)
    thread.join()


def shimmed(path: Path, *argv: str, port: int | None = None, stdin: str = "") -> Command:
    argv = (sys.executable, "-I", str(SHIM), str(path), str(port or free_port()), "--", *argv)
    return Command(argv, path.parent, "test", Sandbox(writable=(path.parent,)), stdin)


def test_what_is_said_to_the_port_reaches_the_socket_and_comes_back(backwards: Path) -> None:
    port = free_port()
    given = "ä\0\r\n" * 500_000
    command = shimmed(backwards, sys.executable, "-c", TALK, str(port), port=port, stdin=given)
    assert outcome(command) == ([(f"{len(given.encode())} True", False)], 0, None)


def test_several_talk_at_once(backwards: Path) -> None:
    port = free_port()
    many = f"for i in 1 2 3 4 5; do echo x | {sys.executable} -c '{TALK}' {port} & done; wait"
    assert outcome(shimmed(backwards, "sh", "-c", many, port=port))[0] == [("2 True", False)] * 5


@pytest.mark.parametrize(("code", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143), ("true", 0)])
def test_the_exit_status_and_the_signals_are_the_programs_own(code: str, status: int, backwards: Path) -> None:
    assert outcome(shimmed(backwards, "sh", "-c", code)) == ([], status, None)


def test_the_program_gets_its_words_input_and_signals_as_they_are(backwards: Path) -> None:
    lines, _, _ = outcome(shimmed(backwards, "sed", "-n", "s/^SigIgn:\t/0x/p", "/proc/self/status"))
    ignored = int(lines[0][0], 16)  # whoever started the tests may have had others ignored
    assert not [number for number in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> number - 1 & 1]
    code = "import sys; print(sys.argv[1:], sys.stdin.read())"
    lines, _, _ = outcome(shimmed(backwards, sys.executable, "-c", code, "--", "$(id)", "", "ä b", stdin="given"))
    assert lines == [("['--', '$(id)', '', 'ä b'] given", False)]


def test_a_program_that_is_not_there_is_127_and_one_line(backwards: Path) -> None:
    said = "no-such-program could not be started: No such file or directory"
    assert outcome(shimmed(backwards, "no-such-program")) == ([(said, True)], 127, None)


def test_nothing_is_left_when_the_program_has_ended_or_was_stopped(backwards: Path) -> None:
    before = psutil.Process().children(recursive=True)
    assert outcome(shimmed(backwards, "true"))[1] == 0
    with Process(shimmed(backwards, "sh", "-c", "echo up; sleep 600"), 30) as process:
        while not process.read(0.1):
            pass
    assert psutil.Process().children(recursive=True) == before


def test_a_gateway_that_is_gone_is_a_connection_that_ends(folder: Path) -> None:
    port = free_port()
    code = f"import socket; print(socket.create_connection(('127.0.0.1', {port})).recv(9))"
    assert outcome(shimmed(folder / "api", sys.executable, "-c", code, port=port)) == ([("b''", False)], 0, None)
