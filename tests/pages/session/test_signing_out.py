from unittest import mock

import pytest
import streamlit as st
from sqlalchemy.exc import OperationalError

from core.database.ownership import Actor
from core.errors import ConfigurationError
from core.identity import sessions
from pages.session import providers
from tests.pages.conftest import Open
from tests.pages.widgets import press, titles


def test_while_the_database_is_away_nobody_is_half_signed_out(
    open_app: Open, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(ada)
    session_id = app.session_state["session_id"]
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "end", mock.Mock(side_effect=OperationalError("", None, Exception("locked"))))
        press(app, "Sign out")
    assert sessions.person(session_id) == ada
    assert app.session_state["session_id"] == session_id
    assert "Tasks" in titles(app.run())


@pytest.mark.no_database
@pytest.mark.parametrize("key", ["xxx", "x" * 40, "change-me-change-me-change-me-0123456789"])
def test_a_key_of_single_sign_on_that_can_be_guessed_stops_the_start(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    section = {"client_id": "taskdeck", "cookie_secret": key}
    monkeypatch.setattr(type(st.secrets), "load_if_toml_exists", lambda _: True)
    monkeypatch.setattr(type(st.secrets), "__getitem__", lambda _, name: {"auth": section}[name])
    monkeypatch.setattr(type(st.secrets), "get", lambda _, name, default=None: {"auth": section}.get(name, default))
    with pytest.raises(ConfigurationError, match="cookie_secret") as refused:
        providers.check()
    assert key not in refused.value.message
    section["cookie_secret"] = "q7XcV0nBz1LmKdJfHgTsRpWyEuIoAa32"
    providers.check()
