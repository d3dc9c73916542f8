"""An OpenID Connect provider on this machine: a stub of what a team's own, or Google, is at the edge of ours.

Its protocol is real: discovery, authorization code with PKCE, RS256 and published keys, so that Streamlit's client
checks everything that it would check elsewhere. Only its people are not: whoever comes is who the test says.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID = "taskdeck"
CLIENT_SECRET = "what only the two servers know"

FORM = """<title>Provider</title>
<form action="/"><input type="hidden" name="back" value="{query}"><button>It is me</button></form>"""


@dataclass
class Provider:
    """A running provider, and what it says of the next one who comes."""

    url: str = ""
    email: str = "ada@example.org"
    email_verified: bool = True
    asks: bool = False  #: show a form first, instead of answering at once
    seconds: int = 300  #: for which an ID token is good from now on
    nonce: str | None = None  #: instead of the one that was asked for
    audience: str = CLIENT_ID
    forged: bool = False  #: sign with a key that nobody knows
    signed_out: int = 0  #: how often somebody signed out here
    codes: dict[str, dict[str, str]] = field(default_factory=dict)  #: what was asked for with each code
    keys: tuple[RSAKey, RSAKey] = field(default_factory=lambda: (_key("first"), _key("first")))

    def section(self, **more: str) -> str:
        """What a client writes into its settings, in TOML."""
        known = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "server_metadata_url": f"{self.url}/.well-known/openid-configuration",
        }
        return "\n".join(f"{name} = {json.dumps(text)}" for name, text in (known | more).items())

    def metadata(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, asked: Mapping[str, str]) -> str:
        """Where the browser goes on, with a code."""
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code" and "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = dict(asked)
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, sent: Mapping[str, str], authorization: str) -> dict[str, Any]:
        """The tokens for a code, which works once and only for the one who began."""
        asked = self.codes.pop(sent["code"])
        proof = hashlib.sha256(sent["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(proof).rstrip(b"=").decode() == asked["code_challenge"]
        assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
        assert sent["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": hashlib.sha256(self.email.encode()).hexdigest(),
            "aud": self.audience,
            "iat": min(now, now + self.seconds - 60),
            "exp": now + self.seconds,
            "nonce": asked["nonce"] if self.nonce is None else self.nonce,
            "email": self.email,
            "email_verified": self.email_verified,
        }
        known, unknown = self.keys
        signed = jwt.encode({"alg": "RS256", "kid": "first"}, claims, unknown if self.forged else known)
        return {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": signed,
        }


@contextmanager
def running() -> Iterator[Provider]:
    """A provider that serves on a free port for the length of a ``with``."""
    provider = Provider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": provider}))
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        match address.path:
            case "/.well-known/openid-configuration":
                self._say(self.provider.metadata())
            case "/jwks":
                self._say(KeySet([self.provider.keys[0]]).as_dict(private=False))
            case "/authorize" if self.provider.asks:
                self._send(200, FORM.format(query=escape(address.query)), "text/html")
            case "/authorize":
                self._go(self.provider.authorize(asked))
            case "/":  # the form comes back
                self._go(self.provider.authorize({name: v[0] for name, v in parse_qs(asked["back"]).items()}))
            case "/logout":
                self.provider.signed_out += 1
                self._go(asked["post_logout_redirect_uri"])
            case _:
                self._send(404, "", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        self._say(self.provider.token(sent, self.headers["Authorization"]))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _say(self, answer: Mapping[str, Any]) -> None:
        self._send(200, json.dumps(answer), "application/json")

    def _go(self, address: str) -> None:
        self._send(302, "", "text/plain", Location=address)

    def _send(self, status: int, text: str, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(text.encode()))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


def _key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})
