"""One person's account, for administrators: role, one-time link, disable, delete. Nothing of anybody's tasks."""

import streamlit as st

from core.database.ownership import Actor
from core.database.roles import Right
from core.errors import TaskdeckError
from core.identity import links, people
from core.tasks import listing, removal
from pages.parts import accounts, dialogs, rows, times
from pages.parts.text import number, plain
from pages.session.tab import require_admin

LEAVE = "Leave it as it is"

admin = require_admin()


def warn_about_self(actor_id: object, what: str) -> None:
    if actor_id == admin.id:
        st.warning(f"This is your own account. {what}", icon=":material/warning:")


@st.dialog("Change the role", icon=":material/badge:")
def change_role(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    warn_about_self(actor.id, "As anything but an administrator you lose this page.")
    role = accounts.choose_role(actor.role)
    st.write(
        f"A new role signs **{plain(actor.name)}** out everywhere. API tokens go on with that role; one-time "
        "links from before are void."
    )

    def change() -> str:
        people.set_role(actor.id, role, by=admin)
        return f"{actor.name} is {accounts.ROLE_NAMES[role].lower()} now."

    dialogs.confirm("Change the role", LEAVE, change)


@st.dialog("One-time link", icon=":material/link:", dismissible=False)
def make_link(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    place = st.empty()
    with place.container():
        if account.is_invited:
            st.write(f"With this link **{plain(actor.name)}** chooses a first password and is signed in.")
        else:
            st.write(
                f"With this link **{plain(actor.name)}** chooses a new password. Until then nothing changes. "
                "After that every browser of theirs is signed out and every API token of theirs ends."
            )
        st.write("The first link that is used makes all others void.")
        if not dialogs.confirmed("Make a link", "Cancel"):
            return
    try:
        link, lasts = links.make(actor.id, by=admin)
    except TaskdeckError as error:
        st.error(plain(error.message))
    else:
        with place.container():
            accounts.show_link(link, lasts, actor.name)


@st.dialog("Disable the account", icon=":material/block:")
def disable(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    warn_about_self(actor.id, "You are signed out at once, and only another administrator can enable it again.")
    st.write(
        f"**{plain(actor.name)}** is signed out of every browser at once, cannot sign in, and API tokens stop "
        "working. Tasks, logs and files stay; what waits or runs goes on."
    )
    confirm_active(False, account, admin, "Disable the account")


@st.dialog("Enable the account", icon=":material/check_circle:")
def enable(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    st.write(
        f"**{plain(actor.name)}** can sign in again with the same password, and API tokens that have not "
        "expired work again."
    )
    confirm_active(True, account, admin, "Enable the account")


def confirm_active(is_active: bool, account: people.Account, admin: Actor, label: str) -> None:
    def change() -> str:
        people.set_active(account.actor.id, is_active, by=admin)
        return f"{account.actor.name} is {'enabled' if is_active else 'disabled'}."

    dialogs.confirm(label, LEAVE, change)


@st.dialog("Delete the account", icon=":material/delete:")
def delete(account: people.Account) -> None:
    admin = require_admin()
    actor = account.actor
    tasks = listing.count_of(admin, actor.id) if admin.role.may(Right.READ_EVERYONE) else 0
    counted = f" and **{number(tasks)} {'task' if tasks == 1 else 'tasks'}** with logs and files" if tasks else ""
    st.write(
        f"The account of **{plain(actor.name)}**{counted} will be gone. What runs is stopped, every browser is "
        "signed out, every API token ends. **This cannot be undone.** The audit trail stays."
    )
    with st.form("delete", border=False):
        typed = st.text_input(f"Type the username to delete it: {plain(actor.username)}", autocomplete="off")
        with st.container(horizontal=True):
            sent = st.form_submit_button("Delete the account", type="primary")
            st.form_submit_button("Keep it", on_click=st.rerun)
    if sent and people.fold(typed or "") != actor.username:
        st.error("That is not the username: nothing was deleted.")
    elif sent:

        def act() -> str:
            removal.remove_person(actor.id, by=admin)
            return f"The account of {actor.name} is deleted."

        with st.spinner("Deleting…"):
            dialogs.carry_out(act, "admin/people.py")


dialogs.show_notice()
asked = st.query_params.get("username", "")
account = people.account(asked, by=admin)
if account is None:
    rows.stop_with(
        "No such account",
        "Nobody has this username. The account may have been deleted.",
        "admin/people.py",
        "All people",
    )

st.page_link("admin/people.py", label="All people", icon=":material/arrow_back:")
st.header(plain(account.actor.name), anchor=False)
st.html(rows.line(accounts.role_pill(account.actor.role), accounts.state_pill(account)))
rows.show_facts(
    ("Username", account.actor.username),
    ("E-mail", account.actor.email),
    ("Account since", times.day(account.created_at)),
    ("Last seen", times.moment(account.last_seen_at) if account.last_seen_at else "never"),
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
        help = None if account.is_invited else "For whoever lost the password"
        if st.button(label, icon=":material/link:", help=help):
            make_link(account)
        if st.button("Disable…", icon=":material/block:"):
            disable(account)
    elif st.button("Enable…", icon=":material/check_circle:"):
        enable(account)
    if account.actor.id != admin.id and st.button("Delete…", icon=":material/delete:"):
        delete(account)
