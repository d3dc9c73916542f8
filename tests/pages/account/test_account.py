"""One's own account: the password, the sessions, the tokens."""

import pytest
from streamlit.testing.v1 import AppTest

from core.config import settings
from core.database.models import TokenScope
from core.database.ownership import Actor
from core.identity import audit, people, sessions, tokens
from tests.conftest import PASSWORD
from tests.core.identity.trail import verify
from tests.pages.conftest import Connection, Open
from tests.pages.widgets import errors, everything_kept, fill, html, is_signed_out, press, sign_in, texts, toasts

NEW = "a brand new secret"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


def change(app: AppTest, current: str, new: str, again: str | None = None) -> AppTest:
    typed = {"Current password": current, "New password": new, "New password, again": new if again is None else again}
    for field in app.text_input:
        field.input(typed[field.label])
    return press(app, "Change the password")


def code(app: AppTest) -> list[str]:
    return [element.value for element in app.code]


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_the_page_says_who_one_is(open_app: Open, ada: Actor) -> None:
    shown = html(open_app(ada, "account/account"))
    assert all(f"<dd>{value}</dd>" in shown for value in ("Ada", "ada", "ada@example.org", "Member"))


def test_the_password_fields_can_be_filled_by_a_password_manager(open_app: Open, ada: Actor) -> None:
    fields = [field.proto.autocomplete for field in open_app(ada, "account/account").text_input]
    assert fields == ["current-password", "new-password", "new-password"]


@pytest.mark.attack(10)
def test_a_new_password_signs_everybody_else_out_and_this_tab_stays(
    open_app: Open, ada: Actor, connection: Connection
) -> None:
    other, app = open_app(ada), open_app(ada, "account/account")
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


@pytest.mark.parametrize(
    ("current", "new", "again", "sentence"),
    [
        ("", NEW, NEW, "Type your current password first."),
        ("wrong password", NEW, NEW, "Your current password is not right"),
        (PASSWORD, NEW, "another one", "The two passwords differ"),
        (PASSWORD, "", "", "The password is empty"),
        (PASSWORD, "short", "short", "at least 10 characters"),
        (PASSWORD, PASSWORD, PASSWORD, "The new password is the current one"),
        pytest.param("' or 1=1 --", NEW, NEW, "Your current password is not right", marks=pytest.mark.attack(53)),
    ],
)
def test_a_password_that_cannot_be_changed_says_why(
    open_app: Open, ada: Actor, current: str, new: str, again: str, sentence: str
) -> None:
    app = change(open_app(ada, "account/account"), current, new, again)
    assert sentence in errors(app)[0]
    assert verify("ada", PASSWORD) == ada
    assert sessions.person(app.session_state["session_id"]) == ada


@pytest.mark.attack(48)
def test_guesses_of_the_current_password_are_locked_after_five(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "account/account")
    for guess in range(5):
        change(app, f"guess number {guess}", NEW)
    assert "Your current password is not right" in errors(change(app, PASSWORD, NEW))[0]
    assert verify("ada", PASSWORD) == ada


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
    assert "<script" not in shown
    assert "Bob" not in shown
    assert labels(app).count("End session") == 1


def test_one_session_is_ended_and_only_that(open_app: Open, ada: Actor) -> None:
    other = open_app(ada)
    app = press(open_app(ada, "account/account"), "End session")
    assert toasts(app) == ["That browser is signed out."]
    assert is_signed_out(other.run())
    assert "Sessions" in texts(app)
    assert "End session" not in labels(app)


@pytest.mark.attack(41)
def test_a_session_of_somebody_else_cannot_be_ended(open_app: Open, ada: Actor, bob: Actor) -> None:
    theirs = sessions.start(bob)
    sessions.end(theirs, owner=ada)
    assert sessions.person(theirs) == bob


def test_signing_out_everywhere_names_the_number_and_ends_all_of_them(open_app: Open, ada: Actor) -> None:
    other, app = open_app(ada), open_app(ada, "account/account")
    token = tokens.create(ada, "script")
    press(app, "Sign out everywhere…")
    assert "**2 browsers**, this one too" in texts(app)
    press(app, "Sign out everywhere…", "Sign out everywhere")
    assert is_signed_out(app)
    assert "sign_out_token" in app.session_state, "the bridge has the cookie forgotten"
    assert is_signed_out(other.run())
    assert tokens.person(token)


def test_without_tokens_the_page_says_what_they_are_for(open_app: Open, ada: Actor) -> None:
    assert "No tokens yet" in html(open_app(ada, "account/account"))


@pytest.mark.attack(43)
def test_a_token_is_shown_once_with_a_line_to_try_and_kept_nowhere(open_app: Open, ada: Actor) -> None:
    app = press(open_app(ada, "account/account"), "New token…")
    fill(app, Name="nightly report")
    app.radio[0].set_value(TokenScope.WRITE)
    app.number_input[0].set_value(30)
    press(app, "New token…", "Create the token")
    token, line = code(app)
    known = tokens.person(token)
    assert known
    assert (known.actor, known.scope) == (ada, TokenScope.WRITE)
    assert line == f'curl -H "Authorization: Bearer {token}" {settings().home}/api/tasks'
    assert "Create the token" not in labels(app)
    assert token not in everything_kept(app)
    press(app, "Done")
    assert code(app) == []
    assert token not in repr(app)
    (row,) = tokens.of(ada)
    assert f"{row.prefix}…" in html(app)
    assert "never used" in html(app)


def test_a_new_token_may_read_only_and_lasts_90_days_unless_asked_otherwise(open_app: Open, ada: Actor) -> None:
    app = fill(press(open_app(ada, "account/account"), "New token…"), Name="script")
    press(app, "New token…", "Create the token")
    (row,) = tokens.of(ada)
    assert (row.scope, (row.expires_at - row.created_at).days) == (TokenScope.READ, 90)


@pytest.mark.parametrize("name", ["", "   ", "a\x07b"])
def test_a_token_without_a_usable_name_is_refused_with_a_sentence(open_app: Open, ada: Actor, name: str) -> None:
    app = fill(press(open_app(ada, "account/account"), "New token…"), Name=name)
    press(app, "New token…", "Create the token")
    assert "A token's name has" in errors(app)[0]
    assert tokens.of(ada) == []


def test_one_token_too_many_is_refused_with_a_sentence(open_app: Open, ada: Actor) -> None:
    for number in range(tokens.MOST_TOKENS):
        tokens.create(ada, f"script {number}")
    app = fill(press(open_app(ada, "account/account"), "New token…"), Name="one more")
    assert "revoke one first" in errors(press(app, "New token…", "Create the token"))[0]


def test_a_token_is_revoked_after_a_question(open_app: Open, ada: Actor) -> None:
    token = tokens.create(ada, "script")
    app = press(open_app(ada, "account/account"), "Revoke…")
    assert "**script** stops working at once" in texts(app)
    assert tokens.person(token)
    press(app, "Revoke…", "Revoke this token")
    assert toasts(app) == ["Token revoked."]
    assert tokens.person(token) is None
    assert "No tokens yet" in html(app)


@pytest.mark.attack(41)
def test_nobody_sees_or_revokes_anothers_token(open_app: Open, ada: Actor, bob: Actor) -> None:
    token = tokens.create(bob, "Bob's script")
    app = open_app(ada, "account/account")
    assert "Bob" not in texts(app)
    assert "Revoke…" not in labels(app)
    assert tokens.person(token)


@pytest.mark.attack(55)
def test_names_are_text_and_no_markup(open_app: Open) -> None:
    eve = people.add("eve", "eve@example.org", "<script>alert(1)</script> **x** [y](javascript:z)", PASSWORD)
    tokens.create(eve, "<img src=x onerror=alert(1)>")
    app = open_app(eve, "account/account")
    assert not app.exception
    assert "<script" not in html(app)
    assert "<img" not in html(app)
    (sidebar,) = (caption.value for caption in app.sidebar.caption)
    assert r"\<script\>alert\(1\)\</script\> \*\*x\*\* \[y\]\(javascript\:z\)" in sidebar
    press(app, "Revoke…")
    assert r"**\<img src\=x onerror\=alert\(1\)\>** stops working" in texts(app)


def test_what_is_done_here_is_in_the_audit_trail(open_app: Open, ada: Actor) -> None:
    app = fill(press(open_app(ada, "account/account"), "New token…"), Name="script")
    press(app, "New token…", "Create the token").run()
    press(app, "Revoke…", "Revoke this token")
    change(app, PASSWORD, NEW)
    people.set_role(ada.id, people.Role.ADMIN, by=None)
    mine = [event for event in audit.page(ada) if event.actor == "ada" and event.way == "ui"]
    assert [event.kind for event in reversed(mine)][-4:] == [
        audit.Kind.TOKEN_CREATED,
        audit.Kind.TOKEN_REVOKED,
        audit.Kind.PASSWORD_CHANGED,
        audit.Kind.SIGNED_IN,
    ]
