"""Everybody who has an account, for administrators: find somebody, invite somebody."""

import streamlit as st

from core.errors import TaskdeckError
from core.identity import links, people
from pages.parts import accounts, dialogs, rows, times
from pages.parts.markup import element
from pages.parts.text import plain
from pages.session.tab import require_admin

SEARCHED = 10  # with more people than this there is a search box
SHOWN = 50  # people at first, and more with each click

admin = require_admin()


def show(account: people.Account) -> None:
    actor = account.actor
    seen = f"last seen {times.ago(account.last_seen_at)}" if account.last_seen_at else "never signed in"
    details = rows.line(
        rows.words(actor.username),
        rows.quiet(actor.email),
        element("span", accounts.role_pill(actor.role), " ", accounts.state_pill(account)),
        rows.quiet(seen),
        look="td-person",
    )
    rows.show_linked_row(f"person-row-{actor.id}", actor.name, "admin/person.py", {"username": actor.username}, details)


def matches(account: people.Account, words: str) -> bool:
    actor = account.actor
    return people.fold(words) in people.fold(f"{actor.name}\n{actor.username}\n{actor.email}")


@st.dialog("Invite a person", icon=":material/person_add:", dismissible=False)
def invite() -> None:
    admin = require_admin()
    place = st.empty()
    with place.form("invite", border=False):
        name = st.text_input("Name", autocomplete="off", max_chars=people.NAME_CHARACTERS, placeholder="Bob Example")
        username = st.text_input("Username", autocomplete="off", placeholder="bob")
        email = st.text_input("E-mail", autocomplete="off", placeholder="bob@example.org")
        role = accounts.choose_role()
        with st.container(horizontal=True):
            sent = st.form_submit_button("Invite", type="primary")
            st.form_submit_button("Cancel", on_click=st.rerun)
    if not sent:
        return
    try:
        invited = people.invite(username or "", email or "", name or "", role, by=admin)
        link, lasts = links.make(invited.id, by=admin)
    except TaskdeckError as error:
        st.error(plain(error.message))
    else:
        with place.container():
            accounts.show_link(link, lasts, invited.name)


def show_more() -> None:
    st.session_state["people_shown"] = st.session_state.get("people_shown", SHOWN) + SHOWN


dialogs.show_notice()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("People", anchor=False)
    if st.button("Invite a person…", type="primary", icon=":material/person_add:"):
        invite()

everybody = people.accounts(by=admin)
words = ""
if len(everybody) > SEARCHED:
    words = st.text_input("Search", key="find", placeholder="Search by name, username or e-mail", bind="query-params")
found = [account for account in everybody if matches(account, words or "")]
shown = found[: st.session_state.get("people_shown", SHOWN)]
for account in shown:
    show(account)
if not found:
    rows.show_empty("Nobody matches", "Search for another name, or invite the person.")
elif len(everybody) == 1:
    rows.show_empty("You are alone here", "Invite somebody: they get a link to begin with.")
elif len(shown) < len(found):
    st.button(f"Show more ({len(shown):,} of {len(found):,})", on_click=show_more)
