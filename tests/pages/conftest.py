"""Pages run by Streamlit's AppTest, with somebody signed in or nobody."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from core.database.models import Role
from core.database.ownership import Actor
from core.identity import people, sessions
from tests.conftest import PASSWORD

PAGES = Path(__file__).parent.parent.parent / "pages"

Open = Callable[..., AppTest]


@dataclass
class Connection:
    """The websocket that a browser comes by, which AppTest does not have; without TLS."""

    key: str = "the first connection"
    cookie: str = ""
    address: str | None = "192.0.2.1"
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The connection of all tabs; a test changes it to come by another one."""
    known = Connection()
    headers = property(lambda _: {"Sec-Websocket-Key": known.key, **known.headers})
    monkeypatch.setattr(ContextProxy, "headers", headers)
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: {sessions.PLAIN_COOKIE: known.cookie}))
    monkeypatch.setattr(ContextProxy, "ip_address", property(lambda _: known.address))
    return known


@pytest.fixture
def open_app(connection: Connection) -> Open:
    """A function that runs the UI as somebody, on a page, with query parameters."""

    def open_(actor: Actor | None = None, page: str | None = None, **query: str) -> AppTest:
        app = AppTest.from_file(PAGES / "navigation.py", default_timeout=20)
        if actor:
            app.session_state["session_id"] = sessions.start(actor)
            app.session_state["connection"] = connection.key
            app.session_state["authentication_status"] = True
        for name, value in query.items():
            app.query_params[name] = value
        if page:
            app.run()
            app.switch_page(f"{page}.py")
        return app.run()

    return open_


@pytest.fixture
def grace() -> Actor:
    """An administrator."""
    return people.add("grace", "grace@example.org", "Grace", PASSWORD, Role.ADMIN)


@pytest.fixture
def as_ada(open_app: Open, ada: Actor) -> Open:
    return partial(open_app, ada)


@pytest.fixture
def as_grace(open_app: Open, grace: Actor) -> Open:
    return partial(open_app, grace)
