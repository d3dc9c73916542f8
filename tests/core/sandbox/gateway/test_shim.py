"""The shim: a program in its place, beside it the way to the gateway."""

import signal
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.sandbox.command import Command, Sandbox
from core.sandbox.gateway import SHIM, free_port
from tests.core.sandbox.commands import outcome, started
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


class Backwards(socketserver.StreamRequestHandler):
    """Whoever has sent all gets it back, last byte first."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read()[::-1])


@pytest.fixture
def folder(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    world.settle(TASKDECK_SANDBOX="none")
    path = tmp_path / ("deep" * 30)  # deeper than an address can be long
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def backwards(folder: Path) -> Iterator[Path]:
    with socketserver.ThreadingUnixStreamServer("api", Backwards) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder / "api"
        server.shutdown()
        thread.join()


def shimmed(path: Path, *argv: str, port: int | None = None, stdin: str = "") -> Command:
    argv = (sys.executable, "-I", str(SHIM), str(path), str(port or free_port()), "--", *argv)
    return Command(argv, path.parent, "test", Sandbox(writable=(path.parent,)), stdin)


def test_what_is_sent_to_the_port_reaches_the_socket_and_comes_back_also_of_several_at_once(backwards: Path) -> None:
    port = free_port()
    (backwards.parent / "given").write_text("ä\0\r\n" * 500_000)
    many = f"for i in 1 2 3; do {sys.executable} -c '{TALK}' {port} < given & done; wait"
    assert outcome(shimmed(backwards, "sh", "-c", many, port=port)) == ([("2500000 True", False)] * 3, 0, None)


def test_the_exit_status_and_the_signals_are_the_programs_own(backwards: Path) -> None:
    for code, status in (("exit 7", 7), ("kill -9 $$", 137), ("true", 0)):
        assert outcome(shimmed(backwards, "sh", "-c", code)) == ([], status, None)
    line = "no-such-program could not be started: No such file or directory"
    assert outcome(shimmed(backwards, "no-such-program")) == ([(line, True)], 127, None)


def test_the_program_gets_its_words_input_and_signals_as_they_are(backwards: Path) -> None:
    lines, _, _ = outcome(shimmed(backwards, "sed", "-n", "s/^SigIgn:\t/0x/p", "/proc/self/status"))
    ignored = int(lines[0][0], 16)  # whoever started the tests may have had others ignored
    assert not [number for number in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> number - 1 & 1]
    code = "import sys; print(sys.argv[1:], sys.stdin.read())"
    lines, _, _ = outcome(shimmed(backwards, sys.executable, "-c", code, "--", "$(id)", "", "ä b", stdin="given"))
    assert lines == [("['--', '$(id)', '', 'ä b'] given", False)]


def test_nothing_is_left_when_the_program_has_ended_or_was_stopped(backwards: Path) -> None:
    before = psutil.Process().children(recursive=True)
    assert outcome(shimmed(backwards, "true"))[1] == 0
    started(shimmed(backwards, "sh", "-c", "echo up; sleep 600")).stop()
    assert psutil.Process().children(recursive=True) == before


def test_a_gateway_that_is_gone_is_a_connection_that_ends(folder: Path) -> None:
    port = free_port()
    code = f"import socket; print(socket.create_connection(('127.0.0.1', {port})).recv(9))"
    assert outcome(shimmed(folder / "api", sys.executable, "-c", code, port=port)) == ([("b''", False)], 0, None)
