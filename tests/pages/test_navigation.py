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


def test_nobody_sees_a_task_before_signing_in(open_app: Open) -> None:
    app = open_app()
    assert is_signed_out(app)
    assert "Open the setup link" in texts(app)


def test_the_right_password_leads_to_the_tasks(open_app: Open, ada: Actor) -> None:
    app = sign_in(open_app(), " ADA ", PASSWORD)
    assert not app.exception
    assert "Tasks" in titles(app)
    assert app.session_state["username"] == "ada"
    assert sessions.person(app.session_state["session_id"]) == ada


def test_the_sidebar_says_who_is_signed_in_and_as_what(as_ada: Open, as_grace: Open) -> None:
    assert "Signed in as **Ada** · Member" in captions(as_ada())
    assert "Signed in as **Grace** · Administrator" in captions(as_grace())


def test_every_page_asks_who_is_there(open_app: Open, ada: Actor) -> None:
    for page in ("tasks/new", "account/account", *ADMIN_PAGES):
        assert is_signed_out(open_app(page=page)), page


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ANALYST])
def test_the_pages_of_administrators_are_nobody_elses(as_ada: Open, grace: Actor, ada: Actor, role: Role) -> None:
    people.set_role(ada.id, role, by=grace)
    for page in ADMIN_PAGES:
        app = as_ada(page)
        assert titles(app) == ["Not for you"]
        assert "grace" not in texts(app)


@pytest.mark.attack(13)
@pytest.mark.parametrize("page", ADMIN_PAGES)
def test_a_role_that_is_taken_away_closes_the_open_page(as_ada: Open, grace: Actor, ada: Actor, page: str) -> None:
    people.set_role(ada.id, Role.ADMIN, by=grace)
    app = as_ada(page, username="grace")
    assert "grace" in texts(app).lower()
    people.set_role(ada.id, Role.MEMBER, by=grace)
    assert is_signed_out(app.run())
    assert titles(sign_in(app, "ada", PASSWORD)) == ["Not for you"]


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
def test_a_tabs_state_is_worth_nothing_on_another_connection_without_the_cookie(
    as_ada: Open, ada: Actor, connection: Connection
) -> None:
    app = as_ada()
    session_id = app.session_state["session_id"]
    assert "Tasks" in titles(app)
    connection.key = "a thief"
    assert is_signed_out(app.run())
    assert sessions.person(session_id) == ada, "the one who was robbed goes on"


@pytest.mark.attack(17, 18)
def test_a_connection_without_a_key_is_never_the_same_one(as_ada: Open, connection: Connection) -> None:
    for connection.key in ("", None):
        assert is_signed_out(as_ada())


def test_a_reconnect_with_the_cookie_goes_on(open_app: Open, ada: Actor, connection: Connection) -> None:
    app = sign_in(open_app(), "ada", PASSWORD)
    connection.cookie = sessions.redeem(app.session_state["ticket"])
    connection.key = "after a pause"
    assert "Tasks" in titles(app.run())
    connection.cookie = ""
    assert "Tasks" in titles(app.run())


@pytest.mark.attack(62)
def test_a_deep_link_survives_the_sign_in(open_app: Open, ada: Actor) -> None:
    app = open_app(page="tasks/new", again="5")
    assert is_signed_out(app)
    sign_in(app, "ada", PASSWORD)
    assert "New task" in titles(app)
    assert app.query_params["again"] in ("5", ["5"])
