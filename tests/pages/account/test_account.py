"""One's own account: the password, the sessions, the tokens."""

from collections.abc import Callable
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from core.config import settings
from core.database.models import TokenScope
from core.database.ownership import Actor
from core.identity import audit, people, sessions, tokens
from tests.conftest import PASSWORD
from tests.core.identity.trail import verify
from tests.pages.conftest import Connection, Open
from tests.pages.widgets import (
    buttons,
    errors,
    everything_kept,
    fill,
    html,
    is_signed_out,
    press,
    sign_in,
    texts,
    toasts,
)

NEW = "a brand new secret"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


def change(app: AppTest, current: str, new: str, again: str | None = None) -> AppTest:
    for field, text in zip(app.text_input, (current, new, new if again is None else again), strict=True):
        field.input(text)
    return press(app, "Change the password")


Show = Callable[[], AppTest]


@pytest.fixture
def account(as_ada: Open) -> Show:
    """Open Ada's page."""
    return partial(as_ada, "account/account")


def new_token(app: AppTest, name: str) -> AppTest:
    return press(fill(press(app, "New token…"), Name=name), "New token…", "Create the token")


def test_the_page_says_who_one_is_and_password_managers_can_fill_it(account: Show) -> None:
    app = account()
    shown = html(app)
    assert all(f"<dd>{value}</dd>" in shown for value in ("Ada", "ada", "ada@example.org", "Member"))
    fields = [field.proto.autocomplete for field in app.text_input]
    assert fields == ["current-password", "new-password", "new-password"]
    assert "No tokens yet" in shown


@pytest.mark.attack(10)
def test_a_new_password_signs_everybody_else_out_and_this_tab_stays(
    account: Show, as_ada: Open, open_app: Open, ada: Actor, connection: Connection
) -> None:
    other, app = as_ada(), account()
    before = app.session_state["session_id"]
    change(app, PASSWORD, NEW)
    assert not app.exception
    assert toasts(app) == ["Password changed. Every other browser is signed out."]
    after = app.session_state["session_id"]
    assert (sessions.person(before), sessions.person(after)) == (None, ada)
    assert is_signed_out(other.run())
    connection.cookie = sessions.redeem(app.session_state["ticket"])
    assert "Ada" in html(open_app(page="account/account")), "after a reload the new cookie counts"
    assert (verify("ada", PASSWORD), verify("ada", NEW)) == (None, ada)
    assert NEW not in everything_kept(app.run())


@pytest.mark.attack(48, 53)
def test_a_password_that_cannot_be_changed_says_why_and_guesses_are_locked_after_five(
    account: Show, ada: Actor
) -> None:
    app = account()
    for current, new, again, sentence in (
        ("", NEW, NEW, "Type your current password first."),
        (PASSWORD, NEW, "another one", "The two passwords differ"),
        (PASSWORD, "", "", "The password is empty"),
        (PASSWORD, "short", "short", "at least 10 characters"),
        (PASSWORD, PASSWORD, PASSWORD, "The new password is the current one"),
        *((guess, NEW, NEW, "Your current password is not right") for guess in ("' or 1=1 --", "2", "3", "4", "5")),
        (PASSWORD, NEW, NEW, "Your current password is not right"),
    ):
        assert sentence in errors(change(app, current, new, again))[0]
    assert verify("ada", PASSWORD) == ada
    assert sessions.person(app.session_state["session_id"]) == ada


def test_the_sessions_are_listed_with_browser_and_address(
    open_app: Open, ada: Actor, bob: Actor, connection: Connection
) -> None:
    connection.headers["User-Agent"] = CHROME
    sessions.start(bob, browser="Bob's own browser")
    sessions.start(ada, browser="<script>alert(1)</script> on iPhone")
    app = sign_in(open_app(), "ada", PASSWORD)
    shown = html(app.switch_page("account/account.py").run())
    assert "<strong>Chrome on Linux</strong>" in shown
    assert "<strong>Unknown browser on iPhone</strong>" in shown
    assert "192.0.2.1" in shown
    assert shown.count("This browser") == 1
    assert "<script" not in shown and "Bob" not in shown
    assert buttons(app).count("End session") == 1


def test_one_session_is_ended_or_all_of_them_after_a_question_that_names_the_number(
    account: Show, as_ada: Open, ada: Actor
) -> None:
    first, second, app, token = as_ada(), as_ada(), account(), tokens.create(ada, "script")
    press(app, "End session")
    assert toasts(app) == ["That browser is signed out."]
    assert [is_signed_out(one.run()) for one in (first, second)].count(True) == 1
    press(app, "Sign out everywhere…")
    assert "**2 browsers**, this one too" in texts(app)
    press(app, "Sign out everywhere…", "Sign out everywhere")
    assert is_signed_out(app)
    assert "sign_out_token" in app.session_state, "the bridge has the cookie forgotten"
    assert is_signed_out(first.run()) and is_signed_out(second.run())
    assert tokens.person(token)


@pytest.mark.attack(43)
def test_a_token_is_shown_once_with_a_line_to_try_and_kept_nowhere(account: Show, ada: Actor) -> None:
    app = press(account(), "New token…")
    fill(app, Name="nightly report")
    app.radio[0].set_value(TokenScope.WRITE)
    app.number_input[0].set_value(30)
    press(app, "New token…", "Create the token")
    token, line = [element.value for element in app.code]
    assert (known := tokens.person(token))
    assert (known.actor, known.scope) == (ada, TokenScope.WRITE)
    assert line == f'curl -H "Authorization: Bearer {token}" {settings().home}/api/tasks'
    assert "Create the token" not in buttons(app)
    assert token not in everything_kept(app)
    press(app, "Done")
    assert list(app.code) == [] and token not in repr(app)
    (row,) = tokens.of(ada)
    assert f"{row.prefix}…" in html(app) and "never used" in html(app)


def test_a_token_is_refused_with_a_sentence_or_may_read_only_for_90_days(account: Show, ada: Actor) -> None:
    for name in ("", "   ", "a\x07b"):
        assert "A token's name has" in errors(new_token(account(), name))[0]
    new_token(account(), "script")
    (row,) = tokens.of(ada)
    assert (row.scope, (row.expires_at - row.created_at).days) == (TokenScope.READ, 90)
    for number in range(1, tokens.MOST_TOKENS):
        tokens.create(ada, f"script {number}")
    assert "revoke one first" in errors(new_token(account(), "one more"))[0]


@pytest.mark.attack(41)
def test_a_token_is_revoked_after_a_question_and_nobody_sees_anothers(account: Show, ada: Actor, bob: Actor) -> None:
    token, theirs = tokens.create(ada, "script"), tokens.create(bob, "Bob's script")
    app = press(account(), "Revoke…")
    assert buttons(app).count("Revoke…") == 1 and "Bob" not in texts(app)
    assert "**script** stops working at once" in texts(app)
    assert tokens.person(token)
    press(app, "Revoke…", "Revoke this token")
    assert toasts(app) == ["Token revoked."]
    assert tokens.person(token) is None and tokens.person(theirs)
    assert "No tokens yet" in html(app) and "Revoke…" not in buttons(app)


@pytest.mark.attack(55)
def test_names_are_text_and_no_markup(open_app: Open) -> None:
    eve = people.add("eve", "eve@example.org", "<script>alert(1)</script> **x** [y](javascript:z)", PASSWORD)
    tokens.create(eve, "<img src=x onerror=alert(1)>")
    app = open_app(eve, "account/account")
    assert not app.exception
    assert "<script" not in html(app) and "<img" not in html(app)
    (sidebar,) = (caption.value for caption in app.sidebar.caption)
    assert r"\<script\>alert\(1\)\</script\> \*\*x\*\* \[y\]\(javascript\:z\)" in sidebar
    press(app, "Revoke…")
    assert r"**\<img src\=x onerror\=alert\(1\)\>** stops working" in texts(app)


def test_what_is_done_here_is_in_the_audit_trail(account: Show, ada: Actor) -> None:
    app = new_token(account(), "script").run()
    press(app, "Revoke…", "Revoke this token")
    change(app, PASSWORD, NEW)
    people.set_role(ada.id, people.Role.ADMIN, by=None)
    mine = [event for event in audit.page(ada) if event.actor == "ada" and event.way == "ui"]
    kinds = ("TOKEN_CREATED", "TOKEN_REVOKED", "PASSWORD_CHANGED", "SIGNED_IN")
    assert [event.kind for event in reversed(mine)][-4:] == [audit.Kind[kind] for kind in kinds]
