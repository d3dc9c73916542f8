"""A host of repositories at the machine's edge: git's own server program behind https on loopback."""

import base64
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

#: No resolver knows it: whoever gets there was told the address.
NAME = "git.example.test"


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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            request.send_response(302)
            request.send_header("Location", self.redirect + request.path)
            request.end_headers()
        elif self.token and request.headers.get("Authorization") != f"Basic {_basic('oauth2', self.token)}":
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.end_headers()
        else:
            self._serve(request, path, query)

    def _serve(self, request: BaseHTTPRequestHandler, path: str, query: str) -> None:
        length = request.headers.get("Content-Length", "0")
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "http-backend"],
            input=request.rfile.read(int(length)),
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_PROJECT_ROOT": str(self._folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": request.command,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": length,
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "somebody",
            },
            capture_output=True,
            check=True,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().splitlines()]
        request.send_response(int(dict(fields).get("Status", "200").split()[0]))
        for name, value in fields:
            if name != "Status":
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


class _Handler(BaseHTTPRequestHandler):
    host: Host

    def do_GET(self) -> None:
        self.host.answer(self)

    def do_POST(self) -> None:
        self.host.answer(self)

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


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()
