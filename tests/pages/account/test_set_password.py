"""Choosing a password by a one-time link."""

import pytest
from streamlit.testing.v1 import AppTest

from core.database.ownership import Actor
from core.identity import links, people, sessions, tokens
from tests.conftest import PASSWORD
from tests.core.identity.trail import verify
from tests.pages.conftest import Open
from tests.pages.widgets import errors, everything_kept, press, texts, titles

NEW = "a brand new secret"


def token_for(person: Actor) -> str:
    return links.make(person.id, by=None)[0].partition("token=")[2]


@pytest.fixture
def dan() -> Actor:
    return people.invite("dan", "dan@example.org", "Dan", by=None)


def choose(app: AppTest, new: str = NEW, again: str = NEW) -> AppTest:
    for field in app.text_input[1:]:
        field.input(again if "again" in field.label else new)
    return press(app, "Set the password")


def is_dead(app: AppTest) -> bool:
    return "used up or too old" in app.warning[0].value and not app.text_input and not app.exception


def test_an_invitation_greets_takes_a_password_and_signs_in(open_app: Open, dan: Actor) -> None:
    app = open_app(page="account/set_password", token=token_for(dan))
    assert "Welcome, **Dan**. Your username is **dan**" in texts(app)
    assert "token" not in app.query_params
    choose(app)
    assert not app.exception
    assert "Tasks" in titles(app)
    assert sessions.person(app.session_state["session_id"]) == dan
    assert verify("dan", NEW) == dan


def test_a_reset_says_what_it_ends_and_ends_it(open_app: Open, ada: Actor) -> None:
    before, token = open_app(ada), tokens.create(ada, "script")
    app = open_app(page="account/set_password", token=token_for(ada))
    assert "every API token of yours ends" in texts(app)
    assert tokens.person(token), "looking at the link changes nothing"
    choose(app)
    assert (verify("ada", PASSWORD), verify("ada", NEW)) == (None, ada)
    assert tokens.person(token) is None
    assert sessions.person(before.session_state["session_id"]) is None


def test_the_fields_can_be_filled_by_a_password_manager(open_app: Open, dan: Actor) -> None:
    fields = open_app(page="account/set_password", token=token_for(dan)).text_input
    assert [(field.proto.autocomplete, field.proto.disabled) for field in fields] == [
        ("username", True),
        ("new-password", False),
        ("new-password", False),
    ]
    assert fields[0].value == "dan"


@pytest.mark.parametrize("token", ["", "forged", "a.b.c", "\x00", "' or 1=1 --", "x" * 5_000, "käse"])
def test_a_forged_link_offers_no_form(open_app: Open, ada: Actor, token: str) -> None:
    app = open_app(page="account/set_password", token=token)
    assert is_dead(app)
    assert [link.proto.label for link in app.get("page_link")] == ["Go to the sign-in"]


def test_a_used_link_offers_no_form_and_the_token_is_kept_nowhere(open_app: Open, dan: Actor) -> None:
    token = token_for(dan)
    app = choose(open_app(page="account/set_password", token=token))
    assert token not in everything_kept(app)
    assert is_dead(open_app(page="account/set_password", token=token))


def test_a_link_that_was_used_while_its_form_was_open_says_so(open_app: Open, dan: Actor) -> None:
    token = token_for(dan)
    app = open_app(page="account/set_password", token=token)
    links.set_password(token, "the first one wins")
    assert is_dead(choose(app))
    assert verify("dan", "the first one wins") == dan


def test_the_link_of_a_disabled_account_is_dead(open_app: Open, dan: Actor) -> None:
    token = token_for(dan)
    people.set_active(dan.id, False, by=None)
    assert is_dead(open_app(page="account/set_password", token=token))


@pytest.mark.parametrize(
    ("new", "again", "sentence"),
    [
        ("", "", "The password is empty"),
        (NEW, "another one", "The two passwords differ"),
        ("short", "short", "at least 10 characters"),
        ("dan@example.org", "dan@example.org", "must not be your username"),
    ],
)
def test_an_unusable_password_is_refused_with_a_sentence(
    open_app: Open, dan: Actor, new: str, again: str, sentence: str
) -> None:
    app = choose(open_app(page="account/set_password", token=token_for(dan)), new, again)
    assert sentence in errors(app)[0]
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


@pytest.mark.attack(55)
def test_the_name_is_text_and_no_markup(open_app: Open) -> None:
    eve = people.invite("eve", "eve@example.org", "<b>E</b> **v** [e](javascript:x)", by=None)
    assert r"Welcome, **\<b\>E\</b\> \*\*v\*\* \[e\]\(javascript\:x\)**" in texts(
        open_app(page="account/set_password", token=token_for(eve))
    )
