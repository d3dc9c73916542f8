"""One's own account: who one is, the password, where one is signed in, and the tokens for programs."""

import streamlit as st

from core.config import settings
from core.database.models import ApiToken, TokenScope
from core.database.ownership import Actor
from core.errors import InvalidInput, NotFound
from core.identity import sessions, signin, tokens
from pages.parts import accounts, dialogs, rows, times, user_agent
from pages.parts.markup import element
from pages.parts.text import plain
from pages.session import tab
from pages.session.tab import require_actor

SCOPES = {TokenScope.READ: "Read", TokenScope.WRITE: "Read and write"}
SCOPE_MEANINGS = {
    TokenScope.READ: "Sees your tasks, their logs and files.",
    TokenScope.WRITE: "Also creates, stops, re-runs and deletes your tasks.",
}

actor = require_actor()


def password_section() -> None:
    st.subheader("Password", anchor=False)
    with st.form(f"password-{st.session_state['session_id']}"):  # a new session finds it empty
        current = st.text_input("Current password", type="password", autocomplete="current-password")
        typed = accounts.new_password("New password")
        st.caption("Every other browser is signed out. API tokens go on working.")
        sent = st.form_submit_button("Change the password")
    if not sent:
        return
    try:
        if not current:
            raise InvalidInput("Type your current password first.")
        new = accounts.agreed(*typed)
        with st.spinner("Changing the password…"):
            signin.change_password(actor, current, new)
        tab.begin(actor, "password change")
    except InvalidInput as error:
        st.error(error.message)
    else:
        dialogs.leave_notice("Password changed. Every other browser is signed out.")
        st.rerun()  # the bridge fetches this browser's new cookie


def sessions_section() -> None:
    opened = sessions.opened(actor)
    st.subheader("Sessions", anchor=False)
    st.caption("Your open sessions. End any you do not recognise and change your password.")
    for one in opened:
        session_row(one)
    if st.button("Sign out everywhere…", icon=":material/logout:"):
        confirm_sign_out_everywhere(len(opened))


def session_row(one: sessions.Open) -> None:
    is_this = one.id == st.session_state.get("session_id")
    ended = rows.show_row(
        f"session-row-{one.id}",
        rows.line(
            element("strong", user_agent.in_words(one.browser)),
            rows.pill("This browser", "td-success") if is_this else None,
        ),
        rows.line(
            rows.quiet(one.address or "local address"),
            rows.quiet(f"signed in {times.moment(one.created_at)}"),
            rows.quiet(f"last seen {times.ago(one.last_seen_at)}") if one.last_seen_at else None,
        ),
        button=None if is_this else "End session",
    )
    if ended:
        sessions.end(one.id, owner=actor)
        dialogs.leave_notice("That browser is signed out.")
        st.rerun()


@st.dialog("Sign out everywhere", icon=":material/logout:")
def confirm_sign_out_everywhere(number: int) -> None:
    actor = require_actor()
    which = "this browser" if number == 1 else f"**{number} browsers**, this one too"
    st.write(f"This signs you out of {which}. API tokens go on working.")

    def sign_out() -> None:
        sessions.end_all(actor)
        tab.forget()
        tab.leave_sign_out_token(actor)

    dialogs.confirm("Sign out everywhere", "Stay signed in", sign_out)


def tokens_section() -> None:
    st.subheader("API tokens", anchor=False)
    st.caption("A token lets a script or another program use the API as you.")
    known = tokens.of(actor)
    for token in known:
        token_row(token)
    if not known:
        rows.show_empty("No tokens yet", "Create one to hand tasks to agents from a script.")
    if st.button("New token…", icon=":material/add:"):
        create_token()


def token_row(token: ApiToken) -> None:
    revoked = rows.show_row(
        f"token-row-{token.id}",
        rows.line(element("strong", token.name), element("code", f"{token.prefix}…")),
        rows.line(
            rows.quiet(SCOPES[token.scope].lower()),
            rows.quiet(f"created {times.day(token.created_at)}"),
            rows.quiet(f"works until {times.day(token.expires_at)}"),
            rows.quiet(f"last used {times.ago(token.last_used_at)}" if token.last_used_at else "never used"),
        ),
        button="Revoke…",
    )
    if revoked:
        confirm_revoke(token)


@st.dialog("New token", icon=":material/key:", dismissible=False)
def create_token() -> None:
    actor = require_actor()
    place = st.empty()
    with place.form("new_token", border=False):
        name = st.text_input("Name", max_chars=tokens.LABEL_CHARACTERS, placeholder="What will use it?")
        scope = st.radio(
            "It may",
            list(SCOPES),
            format_func=lambda scope: SCOPES[scope],
            captions=[SCOPE_MEANINGS[scope] for scope in SCOPES],
        )
        days = st.number_input("Days until it expires", 1, tokens.MOST_DAYS, tokens.DAYS)
        with st.container(horizontal=True):
            sent = st.form_submit_button("Create the token", type="primary")
            st.form_submit_button("Cancel", on_click=st.rerun)
    if not sent:
        return
    try:
        token = tokens.create(actor, name or "", scope, int(days or 0))
    except InvalidInput as error:
        st.error(error.message)
    else:
        with place.container():
            show_token(token)


def show_token(token: str) -> None:
    """The token itself: it is drawn this once and kept nowhere."""
    st.write("Copy it now: **it is shown only this once**. Whoever has it can do what it may do.")
    st.code(token, language=None, wrap_lines=True)
    st.write("Try it:")
    st.code(f'curl -H "Authorization: Bearer {token}" {settings().home}/api/tasks', language=None, wrap_lines=True)
    st.button("Done", type="primary", on_click=st.rerun)


@st.dialog("Revoke token", icon=":material/key_off:")
def confirm_revoke(token: ApiToken) -> None:
    actor = require_actor()
    st.write(f"**{plain(token.name)}** stops working at once, whatever uses it. This cannot be undone.")

    def revoke() -> str:
        try:
            tokens.revoke(actor, token.id)
        except NotFound:
            return "The token had already ended."
        return "Token revoked."

    dialogs.confirm("Revoke this token", "Keep it", revoke)


def about(actor: Actor) -> None:
    rows.show_facts(
        ("Name", actor.name),
        ("Username", actor.username),
        ("E-mail", actor.email),
        ("Role", accounts.ROLE_NAMES[actor.role]),
    )


dialogs.show_notice()
st.title("Account", anchor=False)
accounts.warn_without_tls()
about(actor)
password_section()
sessions_section()
tokens_section()
