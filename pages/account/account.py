"""One's own account: who one is, the password, where one is signed in, and the tokens for programs."""

from html import escape

import streamlit as st

from core.config import settings
from core.database.models import ApiToken, TokenScope
from core.database.ownership import Actor
from core.errors import InvalidInput, NotFound
from core.identity import sessions, signin, tokens
from pages.parts import accounts, shared, user_agent
from pages.session import authenticator
from pages.session.authenticator import require_actor

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
        authenticator.begin(actor, "password change")
    except InvalidInput as error:
        st.error(error.message)
    else:
        st.session_state["notice"] = "Password changed. Every other browser is signed out."
        st.rerun()  # the bridge fetches this browser's new cookie


def sessions_section() -> None:
    opened = sessions.opened(actor)
    st.subheader("Sessions", anchor=False)
    st.caption("Where you are signed in. What you do not recognise, end, and change your password.")
    for one in opened:
        session_row(one)
    if st.button("Sign out everywhere…", icon=":material/logout:"):
        confirm_sign_out_everywhere(len(opened))


def session_row(one: sessions.Open) -> None:
    is_this = one.id == st.session_state.get("session_id")
    with st.container(key=f"session-row-{one.id}", horizontal=True, vertical_alignment="center"):
        seen = f"last seen {shared.ago(one.last_seen_at)}" if one.last_seen_at else ""
        st.html(
            f'<div class="td-meta"><strong>{escape(user_agent.in_words(one.browser))}</strong>'
            f"{shared.pill('This browser', 'td-success') if is_this else ''}</div>"
            f'<div class="td-meta"><span class="td-quiet">{escape(one.address or "local address")}</span>'
            f'<span class="td-quiet">signed in {shared.moment(one.created_at)}</span>'
            f'<span class="td-quiet">{seen}</span></div>'
        )
        if not is_this and st.button("End session", key=f"end-{one.id}"):
            sessions.end(one.id, owner=actor)
            st.session_state["notice"] = "That browser is signed out."
            st.rerun()


@st.dialog("Sign out everywhere", icon=":material/logout:")
def confirm_sign_out_everywhere(number: int) -> None:
    actor = require_actor()
    which = "this browser" if number == 1 else f"**{number} browsers**, this one too"
    st.write(f"This signs you out of {which}. API tokens go on working.")
    with st.container(horizontal=True):
        if st.button("Sign out everywhere", type="primary"):
            sessions.end_all(actor)
            authenticator.forget()
            authenticator.say_farewell(actor)
            st.rerun()
        if st.button("Stay signed in"):
            st.rerun()


def tokens_section() -> None:
    st.subheader("API tokens", anchor=False)
    st.caption("A token lets a script or another program use the API as you.")
    known = tokens.of(actor)
    for token in known:
        token_row(token)
    if not known:
        st.html('<div class="td-empty"><h3>No tokens yet</h3>Create one to hand tasks to agents from a script.</div>')
    if st.button("New token…", icon=":material/add:"):
        create_token()


def token_row(token: ApiToken) -> None:
    with st.container(key=f"token-row-{token.id}", horizontal=True, vertical_alignment="center"):
        used = f"last used {shared.ago(token.last_used_at)}" if token.last_used_at else "never used"
        st.html(
            f'<div class="td-meta"><strong>{escape(token.name)}</strong><code>{escape(token.prefix)}…</code></div>'
            f'<div class="td-meta"><span class="td-quiet">{SCOPES[token.scope].lower()}</span>'
            f'<span class="td-quiet">created {shared.day(token.created_at)}</span>'
            f'<span class="td-quiet">works until {shared.day(token.expires_at)}</span>'
            f'<span class="td-quiet">{used}</span></div>'
        )
        if st.button("Revoke…", key=f"revoke-{token.id}"):
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
    st.write(f"**{shared.plain(token.name)}** stops working at once, whatever uses it. This cannot be undone.")
    with st.container(horizontal=True):
        if st.button("Revoke this token", type="primary"):
            try:
                tokens.revoke(actor, token.id)
            except NotFound:
                st.session_state["notice"] = "The token had already ended."
            else:
                st.session_state["notice"] = "Token revoked."
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def about(actor: Actor) -> None:
    shared.show_facts(
        ("Name", actor.name),
        ("Username", actor.username),
        ("E-mail", actor.email),
        ("Role", accounts.ROLE_NAMES[actor.role]),
    )


shared.show_notice()
st.title("Account", anchor=False)
accounts.warn_without_tls()
about(actor)
password_section()
sessions_section()
tokens_section()
