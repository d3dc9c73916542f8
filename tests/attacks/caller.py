"""Ada, as a program that writes its own headers."""

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Ada:
    """What Ada has, and the way to the server."""

    http: httpx.Client
    home: str
    cookie: str
    ticket: str  #: still good
    read: str
    write: str
    bobs: str  #: Bob's token

    def ask(self, method: str, path: str, *, as_: str = "", **headers: str) -> httpx.Response:
        """A call of the API with the cookie, or with ``as_`` as Authorization."""
        known = {"Authorization": as_} if as_ else {"Cookie": self.cookie}
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        body = {"json": {"prompt": "Count", "selectedAgent": "claude"}} if method == "POST" else {}
        return self.http.request(method, f"{self.home}/api{path}", headers=known | named, **body)

    def tasks(self) -> Any:
        return self.ask("GET", "/tasks").raise_for_status().json()
