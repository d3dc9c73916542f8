"""Runs an agent's program in its sandbox, with the model's API on the loopback. Standard library alone.

    python -I shim.py SOCKET PORT -- COMMAND [ARGUMENT ...]

What is sent to 127.0.0.1:PORT goes to the unix socket, and what comes back comes back. The program takes this
process's place, so its exit status and signals are its own; 127 if it cannot be started.
"""

import os
import signal
import socket
import sys
import threading
from contextlib import suppress


def main(path: str, port: int, argv: list[str]) -> None:
    """Let a child of this process forward, and become the program."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    if os.fork() == 0:
        for stream in (0, 1, 2):  # or the agent's output would not have ended while this goes on
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        os.chdir(os.path.dirname(path))  # an address may not be long, but a name in the folder one is in is short
        while True:
            caller, _ = listener.accept()
            threading.Thread(target=forward, args=(caller, os.path.basename(path)), daemon=True).start()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and the program would go on doing so
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  a list, no shell
    except OSError as error:
        sys.stderr.write(f"{argv[0]} could not be started: {error.strerror}\n")
        sys.exit(127)


def forward(caller: socket.socket, name: str) -> None:
    """Carry both directions until both have ended."""
    with caller, socket.socket(socket.AF_UNIX) as gateway:
        gateway.connect(name)
        back = threading.Thread(target=carry, args=(gateway, caller), daemon=True)
        back.start()
        carry(caller, gateway)
        back.join()


def carry(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, and then the end."""
    with suppress(OSError):  # one side broke off: the other sees an end
        while block := source.recv(65_536):
            sink.sendall(block)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[4:])
