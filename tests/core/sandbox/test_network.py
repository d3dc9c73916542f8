"""A program in a sandbox reaches nothing over the network unless it may."""

import os
import socket
from pathlib import Path

import pytest

from core.sandbox.command import Network
from tests.core.sandbox.commands import output, python

REACH = """
import socket, sys
def reach(family, address):
    try:
        with socket.socket(family) as caller:
            caller.settimeout(5)
            caller.connect(address)
        print("reached")
    except OSError as error:
        print(error.strerror)
reach(socket.AF_INET, ("127.0.0.1", int(sys.argv[1])))
reach(socket.AF_UNIX, "\\0" + sys.argv[2])
with socket.create_server(("127.0.0.1", 0)) as own:
    reach(socket.AF_INET, ("localhost", own.getsockname()[1]))
if sys.argv[3] == "none":
    print([name for _, name in socket.if_nameindex()])
    reach(socket.AF_INET, ("192.0.2.1", 80))
    reach(socket.AF_INET, ("169.254.169.254", 80))
"""

NOTHING = ["Connection refused"] * 2 + ["reached", "['lo']"] + ["Network is unreachable"] * 2


@pytest.mark.parametrize(("network", "found"), [("none", NOTHING), ("open", ["reached"] * 3)])
def test_others_are_reached_only_where_the_network_is_open(network: Network, found: list[str], folder: Path) -> None:
    name = f"taskdeck-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        arguments = (str(port.getsockname()[1]), name, network)
        assert output(python(REACH, folder, *arguments, network=network)) == found
