"""A host of repositories at the machine's edge: git's own server program behind https on loopback."""

import base64
import os
import ssl
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from core.repositories import addresses
from core.repositories.remote import Remote
from tests.core.repositories.running import Scene, git
from tests.support.world import World

#: No resolver knows it: whoever gets there was told the address.
NAME = "git.example.test"

#: What git's program is told of a request's headers.
_HEADERS = ("Content-Type", "Content-Length", "Content-Encoding", "Git-Protocol")

TOKEN = "t0p-secret-token"
ALLOWED = 'token = "GIT_TOKEN"\npush = ["team/shop"]'


class Host:
    """Serves the repositories in a folder. Use it in a ``with``."""

    def __init__(self, folder: Path, certificate: Path) -> None:
        self.token: str | None = None  #: asked for when there is one
        self.redirect: str | None = None  #: where everything is sent
        self.silent = False  #: takes a request and never answers
        self.asked: list[str] = []  #: the paths of all requests
        self._folder = folder
        handler = type("Handler", (_Handler,), {"host": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def address(self, name: str) -> str:
        return f"https://{NAME}:{self.port}/{name}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        self.asked.append(path)
        if self.silent:
            self._ended.wait(20)
            request.close_connection = True
        elif self.redirect:
            _refer(request, 302, "Location", self.redirect + request.path)
        elif self.token and request.headers.get("Authorization") != _basic(self.token):
            _refer(request, 401, "WWW-Authenticate", 'Basic realm="git"')
        else:
            self._serve(request, path, query)

    def _serve(self, request: BaseHTTPRequestHandler, path: str, query: str) -> None:
        own = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        where = {"GIT_PROJECT_ROOT": str(self._folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path}
        asked = {"QUERY_STRING": query, "REQUEST_METHOD": request.command, "REMOTE_USER": "somebody"}
        headers = {_variable(name): request.headers.get(name, "") for name in _HEADERS}
        command = ["git", "-c", "safe.directory=*", "http-backend"]
        given = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        done = subprocess.run(command, input=given, env=own | where | asked | headers, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().splitlines()]
        request.send_response(int(dict(fields).get("Status", "200").split()[0]))
        for name, value in fields:
            if name != "Status":
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@dataclass(frozen=True)
class Shop:
    host: Host
    scene: Scene
    world: World

    @property
    def folder(self) -> Path:
        """The repository on its host."""
        return self.scene.folder / "served" / "team" / "shop"

    def publish(self, files: dict[str, str]) -> None:
        """Put a repository with these files there."""
        origin = self.scene.origin(files)
        git(origin, "commit", "--allow-empty", "--quiet", "--message", "second")  # a clone is a shallow one
        subprocess.run(["git", "clone", "--quiet", "--bare", str(origin), str(self.folder)], check=True)

    def resolve(self, settings: str = "", token: str = "") -> Remote:
        """The way there, with what agents.toml says of the host; its name leads to this machine."""
        self.world.catalog(f'[repositories.hosts."{NAME}"]\nprivate = true\n{settings}')
        self.world.settle(GIT_TOKEN=token)
        found = [(2, 1, 6, "", ("127.0.0.1", self.host.port))]
        return addresses.resolve(self.host.address("team/shop"), lambda *_, **__: found)

    def takes_pushes(self) -> None:
        """Three files are there, and whoever has the token may push."""
        self.publish({"a.txt": "a\n", "b.txt": "b\n", "c.txt": "c\n"})
        git(self.folder, "config", "http.receivepack", "true")
        self.host.token = TOKEN

    def branches(self) -> list[str]:
        return git(self.folder, "for-each-ref", "--format=%(refname:short)").split()


class _Handler(BaseHTTPRequestHandler):
    host: Host

    def do_GET(self) -> None:
        self.host.answer(self)

    do_POST = do_GET  # noqa: N815  by this name it is called

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def certificate(folder: Path, whose: str = f"DNS:{NAME}") -> Path:
    """A file with a new key and a certificate that it signed itself."""
    path = folder / "host.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=test", "-addext", f"subjectAltName={whose}", "-days", "2"),
            *("-keyout", str(path), "-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    with path.open("a") as both:
        both.write((folder / "certificate.pem").read_text())
    return path


def _refer(request: BaseHTTPRequestHandler, status: int, name: str, value: str) -> None:
    request.send_response(status)
    request.send_header(name, value)
    request.end_headers()


def _basic(token: str) -> str:
    return f"Basic {base64.b64encode(f'oauth2:{token}'.encode()).decode()}"


def _variable(header: str) -> str:
    name = header.replace("-", "_").upper()
    return f"HTTP_{name}" if name == "CONTENT_ENCODING" else name
