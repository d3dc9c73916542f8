"""Choosing a password by a one-time link."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.database.ownership import Actor
from core.identity import links, people, sessions, tokens
from tests.conftest import PASSWORD
from tests.core.identity.trail import verify
from tests.pages.conftest import Open
from tests.pages.widgets import errors, everything_kept, press, texts, titles
from tests.pages.widgets import links as links_of

NEW = "a brand new secret"

Follow = Callable[[str], AppTest]


def token_for(person: Actor) -> str:
    return links.make(person.id, by=None)[0].partition("token=")[2]


@pytest.fixture
def dan() -> Actor:
    return people.invite("dan", "dan@example.org", "Dan", by=None)


def choose(app: AppTest, new: str = NEW, again: str = NEW) -> AppTest:
    for field in app.text_input[1:]:
        field.input(again if "again" in field.label else new)
    return press(app, "Set the password")


@pytest.fixture
def follow(open_app: Open) -> Follow:
    """Open the page of a link."""
    return lambda token: open_app(page="account/set_password", token=token)


def is_dead(app: AppTest) -> bool:
    return "used up or too old" in app.warning[0].value and not app.text_input and not app.exception


def test_an_invitation_greets_takes_a_password_also_of_a_password_manager_and_signs_in(
    follow: Follow, dan: Actor
) -> None:
    app = follow(token_for(dan))
    assert "Welcome, **Dan**. Your username is **dan**" in texts(app)
    assert "token" not in app.query_params
    fields = [(field.proto.autocomplete, field.proto.disabled) for field in app.text_input]
    assert fields == [("username", True), ("new-password", False), ("new-password", False)]
    assert app.text_input[0].value == "dan"
    choose(app)
    assert not app.exception
    assert "Tasks" in titles(app)
    assert sessions.person(app.session_state["session_id"]) == dan
    assert verify("dan", NEW) == dan


def test_a_reset_says_what_it_ends_and_ends_it(follow: Follow, open_app: Open, ada: Actor) -> None:
    before, token = open_app(ada), tokens.create(ada, "script")
    app = follow(token_for(ada))
    assert "every API token of yours ends" in texts(app)
    assert tokens.person(token), "looking at the link changes nothing"
    choose(app)
    assert (verify("ada", PASSWORD), verify("ada", NEW)) == (None, ada)
    assert tokens.person(token) is None
    assert sessions.person(before.session_state["session_id"]) is None


def test_a_link_that_is_forged_used_or_of_a_disabled_account_offers_no_form_and_nothing_keeps_its_token(
    follow: Follow, ada: Actor, dan: Actor
) -> None:
    token, of_a_disabled_account = token_for(dan), token_for(ada)
    people.set_active(ada.id, False, by=None)
    late = follow(token)
    assert token not in everything_kept(choose(follow(token)))
    forged = ("", "forged", "a.b.c", "\x00", "' or 1=1 --", "x" * 5_000, "käse")
    for dead in (*forged, of_a_disabled_account, token):
        app = follow(dead)
        assert is_dead(app) and links_of(app) == ["Go to the sign-in"], dead
    assert is_dead(choose(late, *["the second one loses"] * 2)), "its form was open before"
    assert verify("dan", NEW) == dan


def test_an_unusable_password_is_refused_with_a_sentence(follow: Follow, dan: Actor) -> None:
    app = follow(token_for(dan))
    for new, again, sentence in (
        ("", "", "The password is empty"),
        (NEW, "another one", "The two passwords differ"),
        ("short", "short", "at least 10 characters"),
        ("dan@example.org", "dan@example.org", "must not be your username"),
    ):
        assert sentence in errors(choose(app, new, again))[0]
        assert "session_id" not in app.session_state
    choose(app)
    assert verify("dan", NEW) == dan, "the link still works"


@pytest.mark.attack(15)
def test_whoever_is_signed_in_already_is_left_alone_until_the_password_is_set(
    open_app: Open, ada: Actor, dan: Actor
) -> None:
    app = open_app(ada)
    app.session_state["prompt"] = "Ada's draft"
    app.query_params["token"] = token_for(dan)
    app.switch_page("account/set_password.py").run()
    assert "**Ada** is signed in here. This link is for **Dan**" in texts(app)
    choose(app, "", "")
    assert sessions.person(app.session_state["session_id"]) == ada
    choose(app)
    assert sessions.person(app.session_state["session_id"]) == dan
    assert "Signed in as **Dan** · Member" in texts(app)
    assert [word for word in ("Ada", "ada", "draft", NEW) if word in everything_kept(app)] == []
    assert verify("ada", PASSWORD) == ada
