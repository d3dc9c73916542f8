"""One person's account, for administrators: role, one-time link, disable, delete. Nothing of anybody's tasks."""

from collections.abc import Callable

import streamlit as st

from core.database.models import Role
from core.errors import TaskdeckError
from core.identity import links, people
from core.tasks import listing, removal
from pages.parts import accounts, shared
from pages.session.authenticator import require_admin

admin = require_admin()


def missing() -> None:
    st.title("No such account", anchor=False)
    st.write("Nobody has this username. The account may have been deleted.")
    st.page_link("admin/people.py", label="All people", icon=":material/arrow_back:")
    st.stop()


def warn_about_self(actor_id: object, what: str) -> None:
    if actor_id == admin.id:
        st.warning(f"This is your own account. {what}", icon=":material/warning:")


def attempt(act: Callable[[], None], done: str, *, leaves: bool = False) -> None:
    """Do what a dialog asked about, and close it; why it cannot be done is one sentence in it."""
    try:
        act()
    except TaskdeckError as error:
        st.error(shared.plain(error.message))
        return
    st.session_state["notice"] = done
    if leaves:
        st.switch_page("admin/people.py")
    st.rerun()


def confirmed(label: str, other: str = "Leave it as it is") -> bool:
    """The two buttons of a question; whether the answer was yes."""
    with st.container(horizontal=True):
        yes = st.button(label, type="primary")
        st.button(other, on_click=st.rerun)
    return yes


@st.dialog("Change the role", icon=":material/badge:")
def change_role(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    warn_about_self(actor.id, "As anything but an administrator you lose this page.")
    role = st.radio(
        "Role",
        list(Role),
        index=list(Role).index(actor.role),
        format_func=lambda role: accounts.ROLE_NAMES[role],
        captions=[accounts.ROLE_MEANINGS[role] for role in Role],
    )
    st.write(
        f"A new role signs **{shared.plain(actor.name)}** out everywhere. API tokens go on with that role; one-time "
        "links from before are void."
    )
    if confirmed("Change the role"):
        done = f"{actor.name} is {accounts.ROLE_NAMES[role].lower()} now."
        attempt(lambda: people.set_role(actor.id, role, by=admin), done)


@st.dialog("One-time link", icon=":material/link:", dismissible=False)
def make_link(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    place = st.empty()
    with place.container():
        if account.is_invited:
            st.write(f"With this link **{shared.plain(actor.name)}** chooses a first password and is signed in.")
        else:
            st.write(
                f"With this link **{shared.plain(actor.name)}** chooses a new password. Until then nothing changes. "
                "After that every browser of theirs is signed out and every API token of theirs ends."
            )
        st.write("The first link that is used makes all others void.")
        if not confirmed("Make a link", "Cancel"):
            return
    try:
        link, lasts = links.make(actor.id, by=admin)
    except TaskdeckError as error:
        st.error(shared.plain(error.message))
    else:
        with place.container():
            accounts.show_link(link, lasts, actor.name)


@st.dialog("Disable the account", icon=":material/block:")
def disable(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    warn_about_self(actor.id, "You are signed out at once, and only another administrator can enable it again.")
    st.write(
        f"**{shared.plain(actor.name)}** is signed out of every browser at once, cannot sign in, and API tokens stop "
        "working. Tasks, logs and files stay; what waits or runs goes on."
    )
    if confirmed("Disable the account"):
        attempt(lambda: people.set_active(actor.id, False, by=admin), f"{actor.name} is disabled.")


@st.dialog("Enable the account", icon=":material/check_circle:")
def enable(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    st.write(
        f"**{shared.plain(actor.name)}** can sign in again with the same password, and API tokens that have not "
        "expired work again."
    )
    if confirmed("Enable the account"):
        attempt(lambda: people.set_active(actor.id, True, by=admin), f"{actor.name} is enabled.")


@st.dialog("Delete the account", icon=":material/delete:")
def delete(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    count = listing.count_of(admin, actor.id)
    tasks = f" and **{shared.number(count)} task{'' if count == 1 else 's'}** with logs and files" if count else ""
    st.write(
        f"The account of **{shared.plain(actor.name)}**{tasks} will be gone. What runs is stopped, every browser is "
        "signed out, every API token ends. **This cannot be undone.** The audit trail stays."
    )
    with st.form("delete", border=False):
        typed = st.text_input(f"Type the username to delete it: {shared.plain(actor.username)}", autocomplete="off")
        with st.container(horizontal=True):
            sent = st.form_submit_button("Delete the account", type="primary")
            st.form_submit_button("Keep it", on_click=st.rerun)
    if sent and people.fold(typed or "") != actor.username:
        st.error("That is not the username: nothing was deleted.")
    elif sent:
        with st.spinner("Deleting…"):
            done = f"The account of {actor.name} is deleted."
            attempt(lambda: removal.remove_person(actor.id, by=admin), done, leaves=True)


shared.show_notice()
asked = st.query_params.get("username", "")
account = next((one for one in people.accounts(by=admin) if one.actor.username == asked), None)
if account is None:
    missing()

st.page_link("admin/people.py", label="All people", icon=":material/arrow_back:")
st.header(shared.plain(account.actor.name), anchor=False)
st.html(f'<div class="td-meta">{accounts.role_pill(account.actor.role)}{accounts.state_pill(account)}</div>')
shared.show_facts(
    ("Username", account.actor.username),
    ("E-mail", account.actor.email),
    ("Account since", shared.day(account.created_at)),
    ("Last seen", shared.moment(account.last_seen_at) if account.last_seen_at else "never"),
)
if account.actor.id == admin.id:
    st.info(
        "This is your own account: your password and tokens are on the page Account. Only another administrator can "
        "delete it.",
        icon=":material/info:",
    )
with st.container(horizontal=True):
    if st.button("Change the role…", icon=":material/badge:"):
        change_role(account)
    if account.is_active:
        label = "New invitation link…" if account.is_invited else "Reset link…"
        if st.button(label, icon=":material/link:", help="For whoever lost the password" * (not account.is_invited)):
            make_link(account)
        if st.button("Disable…", icon=":material/block:"):
            disable(account)
    elif st.button("Enable…", icon=":material/check_circle:"):
        enable(account)
    if account.actor.id != admin.id and st.button("Delete…", icon=":material/delete:"):
        delete(account)
