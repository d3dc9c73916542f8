"""The way in: who sees which pages, and what a tab keeps."""

import re

import pytest

from core.database.models import Role
from core.database.ownership import Actor
from core.identity import people, sessions
from tests.conftest import PASSWORD
from tests.pages.conftest import Connection, Open
from tests.pages.widgets import everything_kept, is_signed_out, press, sign_in, texts, titles

ADMIN_PAGES = ("admin/people", "admin/person", "admin/audit")


@pytest.fixture
def admin() -> Actor:
    return people.add("root", "root@example.org", "Root", PASSWORD, Role.ADMIN)


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


def test_the_sidebar_says_who_is_signed_in_and_as_what(open_app: Open, ada: Actor, admin: Actor) -> None:
    assert "Signed in as **Ada** · Member" in [caption.value for caption in open_app(ada).sidebar.caption]
    assert "Signed in as **Root** · Administrator" in [caption.value for caption in open_app(admin).sidebar.caption]


@pytest.mark.parametrize("page", ["tasks/new", "account/account", *ADMIN_PAGES])
def test_every_page_asks_who_is_there(open_app: Open, ada: Actor, page: str) -> None:
    assert is_signed_out(open_app(page=page))


@pytest.mark.parametrize("page", ADMIN_PAGES)
@pytest.mark.parametrize("role", [Role.MEMBER, Role.ANALYST])
def test_the_pages_of_administrators_are_nobody_elses(
    open_app: Open, admin: Actor, ada: Actor, page: str, role: Role
) -> None:
    people.set_role(ada.id, role, by=admin)
    app = open_app(ada, page)
    assert titles(app) == ["Not for you"]
    assert "root" not in texts(app)


@pytest.mark.attack(13)
@pytest.mark.parametrize("page", ADMIN_PAGES)
def test_a_role_that_is_taken_away_closes_the_open_page(open_app: Open, admin: Actor, ada: Actor, page: str) -> None:
    people.set_role(ada.id, Role.ADMIN, by=admin)
    app = open_app(ada, page, username="root")
    assert "Root" in texts(app) or "root" in texts(app)
    people.set_role(ada.id, Role.MEMBER, by=admin)
    assert is_signed_out(app.run())
    assert titles(sign_in(app, "ada", PASSWORD)) == ["Not for you"]


@pytest.mark.attack(14)
def test_signing_out_revokes_the_session_and_leaves_nothing_in_the_tab(open_app: Open, ada: Actor) -> None:
    app, other = open_app(ada), open_app(ada)
    session_id = other.session_state["session_id"] = app.session_state["session_id"]
    assert "Tasks" in titles(other.run())
    app.session_state["prompt"] = "Ada's draft"
    press(app, "Sign out")
    assert sessions.person(session_id) is None
    assert is_signed_out(app)
    assert "session_id" not in app.session_state
    assert "prompt" not in app.session_state
    assert is_signed_out(other.run())


@pytest.mark.attack(15)
def test_the_next_person_in_a_tab_finds_nothing_of_the_one_before(open_app: Open, ada: Actor, bob: Actor) -> None:
    app = open_app(ada, "tasks/new")
    app.text_area[0].input("Ada's secret plan").run()
    assert "Ada's secret plan" in everything_kept(app)
    sign_in(press(app, "Sign out"), "bob", PASSWORD)
    assert "Signed in as **Bob** · Member" in texts(app)
    words = re.split(r"[^\w-]+", kept := everything_kept(app))  # a random id may hold the three letters
    assert {"Ada", "ada", str(ada.id)}.isdisjoint(words)
    assert "secret plan" not in kept
    assert PASSWORD not in kept
    assert app.text_area[0].value == ""


def test_a_session_that_was_ended_elsewhere_is_out_at_the_next_run(open_app: Open, ada: Actor) -> None:
    app = open_app(ada)
    sessions.end(app.session_state["session_id"])
    assert is_signed_out(app.run())


@pytest.mark.attack(17, 18)
def test_a_tabs_state_is_worth_nothing_on_another_connection_without_the_cookie(
    open_app: Open, ada: Actor, connection: Connection
) -> None:
    app = sign_in(open_app(), "ada", PASSWORD)
    session_id = app.session_state["session_id"]
    assert "Tasks" in titles(app)
    connection.key = "a thief"
    assert is_signed_out(app.run())
    assert sessions.person(session_id) == ada, "the one who was robbed goes on"


@pytest.mark.attack(17, 18)
@pytest.mark.parametrize("key", ["", None])
def test_a_connection_without_a_key_is_never_the_same_one(
    open_app: Open, ada: Actor, connection: Connection, key: str | None
) -> None:
    connection.key = key
    assert is_signed_out(open_app(ada))


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
