"""The way in: who sees which pages, and what a tab keeps."""

import re

import pytest

from core.database.models import Role
from core.database.ownership import Actor
from core.identity import people, sessions
from tests.conftest import PASSWORD
from tests.pages.conftest import Connection, Open
from tests.pages.widgets import captions, everything_kept, is_signed_out, press, sign_in, texts, titles

ADMIN_PAGES = ("admin/people", "admin/person", "admin/audit")


def test_the_right_password_leads_to_the_tasks_and_a_reconnect_with_the_cookie_goes_on(
    open_app: Open, ada: Actor, connection: Connection
) -> None:
    app = sign_in(open_app(), " ADA ", PASSWORD)
    assert not app.exception
    assert "Tasks" in titles(app) and "Signed in as **Ada** · Member" in captions(app)
    assert app.session_state["username"] == "ada"
    assert sessions.person(app.session_state["session_id"]) == ada
    connection.cookie, connection.key = sessions.redeem(app.session_state["ticket"]), "after a pause"
    assert "Tasks" in titles(app.run())
    connection.cookie = ""
    assert "Tasks" in titles(app.run())


def test_every_page_asks_who_is_there(open_app: Open, request: pytest.FixtureRequest) -> None:
    assert "Open the setup link" in texts(open_app()), "nobody has an account yet"
    request.getfixturevalue("ada")
    for page in (None, "tasks/new", "account/account", *ADMIN_PAGES):
        app = open_app(page=page)
        assert is_signed_out(app) and "setup" not in texts(app), page


@pytest.mark.attack(13)
@pytest.mark.parametrize("role", [Role.MEMBER, Role.ANALYST])
def test_the_pages_of_administrators_are_nobody_elses_and_close_when_the_role_is_taken_away(
    as_ada: Open, grace: Actor, ada: Actor, role: Role
) -> None:
    for page in ADMIN_PAGES:
        people.set_role(ada.id, Role.ADMIN, by=grace)
        app = as_ada(page, username="grace")
        assert "grace" in texts(app).lower(), page
        people.set_role(ada.id, role, by=grace)
        assert is_signed_out(app.run())
        assert titles(sign_in(app, "ada", PASSWORD)) == ["Not for you"]
        assert "grace" not in texts(app)


@pytest.mark.attack(14)
def test_signing_out_revokes_the_session_and_leaves_nothing_in_the_tab(as_ada: Open) -> None:
    app, other = as_ada(), as_ada()
    session_id = other.session_state["session_id"] = app.session_state["session_id"]
    assert "Tasks" in titles(other.run())
    app.session_state["prompt"] = "Ada's draft"
    press(app, "Sign out")
    assert sessions.person(session_id) is None
    assert is_signed_out(app)
    assert "session_id" not in app.session_state and "prompt" not in app.session_state
    assert is_signed_out(other.run())


@pytest.mark.attack(15)
def test_the_next_person_in_a_tab_finds_nothing_of_the_one_before(as_ada: Open, ada: Actor, bob: Actor) -> None:
    app = as_ada("tasks/new")
    app.text_area[0].input("Ada's secret plan").run()
    assert "Ada's secret plan" in everything_kept(app)
    sign_in(press(app, "Sign out"), "bob", PASSWORD)
    assert "Signed in as **Bob** · Member" in texts(app)
    words = re.split(r"[^\w-]+", kept := everything_kept(app))  # a random id may hold the three letters
    assert {"Ada", "ada", str(ada.id)}.isdisjoint(words)
    assert "secret plan" not in kept and PASSWORD not in kept
    assert app.text_area[0].value == ""


@pytest.mark.attack(17, 18)
def test_a_tabs_state_is_worth_nothing_on_another_connection_or_one_without_a_key(
    as_ada: Open, ada: Actor, connection: Connection
) -> None:
    app = as_ada()
    session_id = app.session_state["session_id"]
    assert "Tasks" in titles(app)
    connection.key = "a thief"
    assert is_signed_out(app.run())
    assert sessions.person(session_id) == ada, "the one who was robbed goes on"
    for connection.key in ("", None):
        assert is_signed_out(as_ada()), "never the same one"
