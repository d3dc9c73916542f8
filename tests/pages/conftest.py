"""Pages run by Streamlit's AppTest, with somebody signed in or nobody."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.auth import sessions
from core.ownership import Actor

PAGES = Path(__file__).parent.parent.parent / "pages"

Open = Callable[..., AppTest]


@pytest.fixture
def open_app() -> Open:
    """A function that runs the UI as somebody, on a page, with query parameters."""

    def open_(actor: Actor | None = None, page: str | None = None, **query: str) -> AppTest:
        app = AppTest.from_file(PAGES / "navigation.py", default_timeout=20)
        if actor:
            app.session_state["session_id"] = sessions.start(actor)
            app.session_state["authentication_status"] = True
        for name, value in query.items():
            app.query_params[name] = value
        if page:
            app.run()
            app.switch_page(f"{page}.py")
        return app.run()

    return open_
