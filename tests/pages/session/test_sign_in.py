"""The sign-in form, and what a browser may bring along instead of a password."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from unittest import mock

import pytest
import streamlit as st
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from streamlit.testing.v1 import AppTest

from core.config import signing_secret
from core.database.engine import now
from core.database.models import AuthSession, Role
from core.database.ownership import Actor
from core.errors import ConfigurationError
from core.identity import audit, people, sessions, signin
from core.tasks import removal
from pages.session import providers
from tests.conftest import PASSWORD
from tests.pages.conftest import PAGES, Connection, Open
from tests.pages.widgets import errors, is_signed_out, press, sign_in, texts, titles
from tests.support import forged
from tests.support.databases import unguarded

REFUSED = [signin.REFUSED]
SQL = "' or 1=1 --"


@pytest.mark.attack(44, 53)
def test_every_wrong_pair_and_a_locked_name_get_the_same_answer_which_goes_with_the_next_run(
    open_app: Open, ada: Actor
) -> None:
    app = open_app()
    for username, password in (
        *(("ada", "wrong password"), ("eve", PASSWORD), ("", ""), ("ada", ""), ("ada", "x" * 100), (SQL, SQL)),
        *(("ada", guess) for guess in (SQL, "another guess", "a third guess")),
        ("ada", PASSWORD),
    ):
        assert errors(sign_in(app, username, password)) == REFUSED
        assert is_signed_out(app) and "session_id" not in app.session_state
        assert errors(app.run()) == []


def test_the_form_can_be_filled_by_a_password_manager(open_app: Open, ada: Actor) -> None:
    app = open_app()
    assert titles(app) == ["Sign in"]
    kinds = app.text_input[0].proto
    fields = [(field.label, field.proto.autocomplete, field.proto.type) for field in app.text_input]
    assert fields == [("Username", "username", kinds.DEFAULT), ("Password", "current-password", kinds.PASSWORD)]
    assert app.get("form")[0].proto.form.enter_to_submit
    assert "Lost your password? Ask an administrator for a link." in texts(app)


@pytest.mark.attack(11, 12)
@pytest.mark.parametrize("go", [partial(people.set_active, is_active=False), removal.remove_person])
def test_who_is_disabled_or_deleted_is_out_of_the_open_tab_and_cannot_come_back(
    as_ada: Open, ada: Actor, grace: Actor, go: Callable[..., object]
) -> None:
    app = as_ada()
    go(ada.id, by=None)
    assert is_signed_out(app.run())
    assert errors(sign_in(app, "ada", PASSWORD)) == REFUSED


@pytest.mark.attack(19)
def test_a_forged_state_opens_nothing(ada: Actor) -> None:
    for state in (
        {"authentication_status": True, "username": "ada", "name": "Ada", "roles": ["admin"]},
        {"authentication_status": True, "session_id": None},
        {"authentication_status": True, "session_id": "ada", "connection": None},
    ):
        app = AppTest.from_file(PAGES / "navigation.py", default_timeout=20)
        for name, value in state.items():
            app.session_state[name] = value
        assert is_signed_out(app.run())


@pytest.mark.attack(1, 2, 5, 7, 8)
def test_a_cookie_that_is_not_ours_leads_to_the_form_and_the_form_works(
    open_app: Open, ada: Actor, connection: Connection
) -> None:
    good = sessions.redeem(sessions.ticket(sessions.start(ada)))
    for connection.cookie in (*forged.cookies(good, signing_secret()), "a\0b", "käse.ß", "\ud800"):
        app = open_app()
        assert is_signed_out(app), connection.cookie
    assert "Tasks" in titles(sign_in(app, "ada", PASSWORD))


@pytest.mark.attack(4, 9)
@pytest.mark.parametrize("over", ["signed out", "too old"])
def test_a_cookie_whose_session_is_over_opens_nothing(
    open_app: Open, ada: Actor, connection: Connection, over: str
) -> None:
    app = sign_in(open_app(), "ada", PASSWORD)
    connection.cookie = sessions.redeem(app.session_state["ticket"])
    assert "Tasks" in titles(open_app())
    if over == "signed out":
        press(app, "Sign out")
    else:
        with unguarded() as session:
            session.execute(update(AuthSession).values(expires_at=now() - timedelta(seconds=1)))
    assert is_signed_out(app.run())
    assert is_signed_out(open_app())


LOCAL = ("http://localhost:8501/", "http://127.0.0.1:8501/", "http://[::1]:8501/")


@pytest.mark.attack(59)
@pytest.mark.parametrize(
    ("warned", "addresses"),
    [(True, ("http://tasks.lan:8501/", "http://192.0.2.7/")), (False, ("https://tasks.example.org/", *LOCAL))],
)
def test_a_page_without_encryption_from_another_machine_warns_and_works(
    open_app: Open, ada: Actor, warned: bool, addresses: tuple[str, ...]
) -> None:
    app = open_app()
    for address in addresses:
        app.context["url"] = address
        assert any("without encryption" in warning.value for warning in app.run().warning) is warned
    sign_in(app, "ada", PASSWORD)
    assert "Tasks" in titles(app)
    app.switch_page("account/account.py").run()
    assert any("without encryption" in warning.value for warning in app.warning) is warned


def test_sign_ins_and_failures_are_in_the_trail_with_way_and_address(open_app: Open, ada: Actor) -> None:
    people.set_role(ada.id, Role.ADMIN, by=None)
    app = sign_in(open_app(), "ada", "wrong password")
    sign_in(app, "ada", PASSWORD)
    begun, refused = audit.page(ada, kinds=[audit.Kind.SIGNED_IN, audit.Kind.REFUSED])
    assert [(event.way, event.address, event.subject) for event in (begun, refused)] == [("ui", "192.0.2.1", "ada")] * 2
    assert begun.detail == "password"


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
