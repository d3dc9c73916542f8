"""A program in a sandbox reaches nothing over the network unless it may."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.sandbox.command import Network
from tests.core.sandbox.commands import output, python

CALL = """
import socket, sys
for family, address in ((socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), (socket.AF_UNIX, "\\0" + sys.argv[2])):
    try:
        with socket.socket(family) as caller:
            caller.settimeout(5)
            caller.connect(address)
        print("reached")
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture
def listeners() -> Iterator[tuple[str, str]]:
    """A port and a socket without a file that this machine listens at."""
    name = f"taskdeck-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        yield str(port.getsockname()[1]), name


@pytest.mark.parametrize(("network", "found"), [("none", ["ConnectionRefusedError"] * 2), ("open", ["reached"] * 2)])
def test_the_machines_own_ports_are_reached_only_where_the_network_is_open(
    network: Network, found: list[str], listeners: tuple[str, str], folder: Path
) -> None:
    assert output(python(CALL, folder, *listeners, network=network)) == found


def test_without_a_network_there_is_a_loopback_of_its_own_and_nothing_else(folder: Path) -> None:
    code = """
import socket
print([name for _, name in socket.if_nameindex()])
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(("localhost", server.getsockname()[1])):
    print("connected")
for address in ("192.0.2.1", "169.254.169.254"):
    with socket.socket() as caller:
        try:
            caller.connect((address, 80))
        except OSError as error:
            print(error.strerror)
"""
    assert output(python(code, folder)) == ["['lo']", "connected", *["Network is unreachable"] * 2]
