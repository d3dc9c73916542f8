"""Streamlit's own websocket, spoken by a program that is no browser."""

from collections.abc import Mapping

from playwright.sync_api import Page
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from tests.support.server import Server


def open_socket(server: Server, named: str = "", cookies: Mapping[str, str] | None = None) -> ClientConnection:
    """A connection from our own page's origin that names a page's id, as a browser does when it reconnects."""
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())}
    return connect(
        f"ws://localhost:{server.port}/_stcore/stream",
        origin=server.url,
        subprotocols=["streamlit", "no-token", *([named] if named else [])],
        additional_headers={name: value for name, value in headers.items() if value},
        max_size=None,
    )


def drawn(socket: ClientConnection, path: str = "", query: str = "") -> str:
    """Ask for a run of the script; everything that it draws."""
    asked = BackMsg()
    asked.rerun_script.page_name = path
    asked.rerun_script.query_string = query
    socket.send(asked.SerializeToString())
    said = []
    while True:
        message = ForwardMsg.FromString(bytes(socket.recv(timeout=20, decode=False)))
        said.append(str(message))
        finished = message.WhichOneof("type") == "script_finished"
        # A run that calls for another one ends early.
        if finished and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            return "\n".join(said)


class Eavesdropper:
    """Learns the id of a browser's page from what the page is told, as whoever reads along would."""

    def __init__(self, page: Page) -> None:
        self.ids: list[str] = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._read))

    def _read(self, frame: str | bytes) -> None:
        message = ForwardMsg.FromString(frame if isinstance(frame, bytes) else frame.encode())
        if message.WhichOneof("type") == "new_session":
            self.ids.append(message.new_session.initialize.session_id)

    @property
    def id(self) -> str:
        return self.ids[-1]
