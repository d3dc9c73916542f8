"""Who may call at all, and what every answer carries, whatever it is an answer to."""

import asyncio
import base64
import hashlib
import logging
import re
from importlib.resources import files

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from api.routes import create_api
from api.server.hardening import Hardening
from tests.api.calls import Caller, sentence
from tests.support.world import World

pytestmark = pytest.mark.no_database

OUR_HOSTS = [
    *("localhost", "localhost:8501", "LOCALHOST", "localhost.", "localhost.:8501", "deck.localhost", "127.0.0.1:8501"),
    *("[::1]", "[::1]:8501", "[FE80::1]:80", "[::ffff:127.0.0.1]", "192.0.2.7", "203.0.113.9:80", "app", "my_app:8501"),
    *("deck.local", "deck.lan:8501", "ip-10-0-0-1.ec2.internal", "nas.home.arpa", "taskdeck.test", "Deck.Local."),
]
OTHER_HOSTS = [
    *("evil.example", "evil.example:8501", "evil.com.", "localhost.evil.com", "127.0.0.1.evil.com", "a.b.c"),
    *("local.evil.com", "evil.com@localhost", "localhost@evil.com", "localhost:8501@evil.com", "localhost/x"),
    *("localhost#", "localhost, evil.com", "localhost evil.com", "localhost\tx", "localhost:x", "localhost:123456"),
    "localhost:80:80",
    *("[::1", "::1", "[::1]x", "[evil.com]", "[]", "1.2.3", "127.1", "999.1.1.1", "0x7f.0.0.1", "", ":8501", "."),
    *("..local", "-.example", "évil.local", "host..com", "notlocal.nolan", "x.testx", "tasks.example.org"),
]


def outcome(*headers: tuple[str, str], kind: str = "websocket") -> list[str]:
    """What became of a connection: passed on with which Host, or what was sent instead."""
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(["passed", *(value.decode() for name, value in scope["headers"] if name == b"host")])

    async def send(message: Message) -> None:
        seen.append(str(message.get("status", message["type"])))

    async def receive() -> Message:
        raise AssertionError("nothing more is read")

    scope = {"type": kind, "path": "/", "headers": [(name.encode(), text.encode()) for name, text in headers]}
    asyncio.run(Hardening(inner)(scope, receive, send))
    return seen


@pytest.mark.attack(33)
def test_only_a_name_that_no_stranger_can_have_leads_here() -> None:
    for host in OUR_HOSTS:
        assert outcome(("host", host), kind="http") == ["passed", host]
        assert outcome(("host", host), ("origin", f"http://{host.lower()}"))[0] == "passed"
    for host in OTHER_HOSTS:
        assert outcome(("host", host), kind="http")[0] == "400", host
        assert outcome(("host", host), ("origin", f"http://{host}")) == ["websocket.close"]
    for hosts in ((), ("localhost", "localhost"), ("localhost", "evil.com"), ("evil.com", "localhost")):
        headers = [("host", host) for host in hosts]
        assert outcome(*headers, kind="http")[0] == "400"
        assert outcome(*headers, ("origin", "http://localhost")) == ["websocket.close"]


def test_the_public_address_and_the_machines_own_name_lead_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.settle(TASKDECK_PUBLIC_URL="https://Tasks.Example.org:8443/deck")
    monkeypatch.setattr("socket.gethostname", lambda: "Box.Example.net")
    for host in ("tasks.example.org", "tasks.example.org:8443", "tasks.example.org:80", "box.example.net", "localhost"):
        assert outcome(("host", host), kind="http")[0] == "passed"
    for host in ("x.tasks.example.org", "example.org", "tasks.example.org.evil.com"):
        assert outcome(("host", host), kind="http")[0] == "400"


def test_the_refusal_says_what_to_set(anybody: Caller) -> None:
    answer = anybody.having(Host="evil.example").get("/health?live=true")
    assert answer.status_code == 400 and "TASKDECK_PUBLIC_URL" in sentence(answer)
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_only_our_own_pages_open_a_websocket() -> None:
    deck = ("host", "deck.test")
    for scheme in ("http", "https"):
        assert outcome(deck, ("origin", f"{scheme}://deck.test")) == ["passed", "deck.test"]
    hosts = ("localhost:8501", "localhost:3000", "deck.test:81", "evil.example", "deck.test.evil.example", "test")
    whole = ("null", "", "deck.test", "//deck.test", "ftp://deck.test", "http://deck.test/")
    for origin in (*whole, *(f"http://{host}" for host in (*hosts, "sub.deck.test", "x@deck.test"))):
        assert outcome(deck, ("origin", origin)) == ["websocket.close"], origin
        assert outcome(deck, ("origin", f"http://deck.test, {origin}")) == ["websocket.close"]
        assert outcome(deck, ("origin", "http://deck.test"), ("origin", origin)) == ["websocket.close"]
    assert outcome(deck, ("origin", "http://evil.example"), kind="http")[0] == "passed", "others need no origin"
    assert outcome(kind="lifespan")[0] == "passed"
    assert outcome(deck) == outcome(deck, *[("origin", "http://deck.test")] * 2) == ["websocket.close"]


def test_behind_a_proxy_the_public_address_decides_and_streamlit_sees_it_as_the_host(world: World) -> None:
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    public = ("origin", "https://tasks.example.org")
    for host in ("127.0.0.1:8501", "tasks.example.org", "tasks.example.org:443"):
        assert outcome(("host", host), public) == ["passed", "tasks.example.org"]
    assert outcome(("host", "tasks.example.org"), ("origin", "http://tasks.example.org")) == ["websocket.close"]
    assert outcome(("host", "localhost:8501"), ("origin", "http://localhost:8501"))[0] == "passed"  # on the machine


async def _page(_: Request) -> Response:
    return PlainTextResponse("page")


async def _own(_: Request) -> Response:
    return PlainTextResponse("own", headers={"Content-Security-Policy": "sandbox", "Cache-Control": "max-age=9"})


async def _fault(_: Request) -> Response:
    raise RuntimeError("secret detail")


def ask(path: str, method: str = "GET") -> httpx.Response:
    """A call to a server with the API, and with pages of which one fails."""
    routes = [Route("/", _page), Route("/own", _own), Route("/fault", _fault)]
    routes += [Route(path, _page, methods=["GET", "PUT"]) for path in ("/setup", "/password", "/_stcore/{path:path}")]
    app = Starlette(routes=[Mount("/api", create_api()), *routes], middleware=[Middleware(Hardening)])

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://taskdeck.test") as client:
            return await client.request(method, path)

    return asyncio.run(call())


EVERYWHERE = {
    "x-content-type-options": "nosniff", "referrer-policy": "same-origin", "x-frame-options": "SAMEORIGIN",
    "cross-origin-opener-policy": "same-origin",
}  # fmt: skip


@pytest.mark.attack(63)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/", 200), ("/own", 200), ("/nothing", 404), ("/fault", 500), ("/api/docs", 200), ("/api/nothing", 404)),
        *(("/api/tasks", 401), ("/api/health?live=true", 200), ("/api/static-offline-docs/swagger-ui.css", 200)),
    ],
)
def test_every_answer_has_every_header_and_an_id_of_its_own(path: str, status: int) -> None:
    answers = [ask(path), ask(path)]
    for answer in answers:
        assert answer.status_code == status
        assert answer.headers["content-security-policy"]
        for name, value in EVERYWHERE.items():
            assert answer.headers[name] == value
        assert "camera=()" in answer.headers["permissions-policy"]
        assert "clipboard" not in answer.headers["permissions-policy"]
        assert "strict-transport-security" not in answer.headers
        assert re.fullmatch(r"[0-9a-f]{12}", answer.headers["x-request-id"])
    assert answers[0].headers["x-request-id"] != answers[1].headers["x-request-id"]


@pytest.mark.parametrize(
    ("header", "value", "paths"),
    [
        ("content-security-policy", "sandbox", ("/own",)),  # what an answer says itself stays
        ("cache-control", "max-age=9", ("/own",)),
        ("cache-control", "no-store", ("/api/tasks", "/api/nothing", "/api/docs", "/api/health?live=true")),
        ("cache-control", None, ("/", "/api/static-offline-docs/swagger-ui.css")),
        ("referrer-policy", "no-referrer", ("/setup?token=x", "/password?token=x")),  # their address is a secret
        ("strict-transport-security", "max-age=31536000", ("/", "/api/docs")),
    ],
)
def test_a_header_says_what_its_answer_needs(
    world: World, header: str, value: str | None, paths: tuple[str, ...]
) -> None:
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    for path in paths:
        assert ask(path).headers.get_list(header) == ([value] if value else []), path


def scripts(html: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", html, re.DOTALL)


@pytest.mark.parametrize("path", ["/", "/api/docs"])
def test_only_the_scripts_that_we_serve_may_run(path: str) -> None:
    answer = ask(path)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    page = answer.text if path == "/api/docs" else files("streamlit").joinpath("static/index.html").read_text()
    (script,) = scripts(page)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"].split() == ["'self'", "blob:", f"'sha256-{digest}'"]
    assert policy["default-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
    assert policy["object-src"] == "'none'"
    assert policy["base-uri"] == policy["form-action"] == "'self'"


def test_a_fault_outside_the_api_is_told_to_the_log_under_the_answers_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = ask("/fault")
    assert answer.status_code == 500 and "secret detail" not in answer.text
    assert answer.headers["x-request-id"] in sentence(answer)
    (record,) = [record for record in caplog.records if answer.headers["x-request-id"] in record.getMessage()]
    assert record.levelno == logging.ERROR and str(record.exc_info and record.exc_info[1]) == "secret detail"


def test_an_answer_that_breaks_off_is_not_answered_twice() -> None:
    sent = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("broke off")

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"localhost")]}
    with pytest.raises(RuntimeError, match="broke off"):
        asyncio.run(Hardening(inner)(scope, receive, send))
    assert sent == ["http.response.start"]


def test_nobody_leaves_a_file_in_the_servers_memory() -> None:
    assert ask("/_stcore/upload_file/session/file", "PUT").status_code == 404
    assert ask("/_stcore/other", "PUT").status_code == 200
