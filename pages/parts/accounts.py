"""What pages about accounts draw: roles and states, one-time links, fields for a new password."""

from urllib.parse import urlsplit

import streamlit as st

from core.database.roles import ROLES, Role
from core.errors import InvalidInput
from core.identity import passwords
from core.identity.people import Account
from pages.parts.markup import Html
from pages.parts.rows import pill
from pages.parts.text import plain

ROLE_NAMES = {role: ROLES[role].name for role in Role}
ROLE_MEANINGS = {role: ROLES[role].meaning for role in Role}
_ROLE_TONES = {Role.ANALYST: "td-processing", Role.ADMIN: "td-command"}


def choose_role(present: Role = Role.MEMBER) -> Role:
    """A field of a form or dialog for somebody's role."""
    roles = list(Role)
    return st.radio(
        "Role",
        roles,
        index=roles.index(present),
        format_func=lambda role: ROLE_NAMES[role],
        captions=[ROLE_MEANINGS[role] for role in roles],
    )


def role_pill(role: Role) -> Html:
    """What somebody may do."""
    return pill(ROLE_NAMES[role], _ROLE_TONES.get(role, "td-info"))


def state_pill(account: Account) -> Html:
    """Whether an account can be used."""
    if not account.is_active:
        return pill("Disabled", "td-error")
    return pill("Invited", "td-pending") if account.is_invited else pill("Active", "td-success")


def show_link(link: str, lasts: str, name: str) -> None:
    """A one-time link, in a dialog: it is drawn this once and kept nowhere."""
    st.write(
        f"Give **{plain(name)}** this link in a way that nobody else reads: whoever opens it chooses the password. "
        f"It works once, for {lasts}, and is shown only now."
    )
    st.code(link, language=None, wrap_lines=True)
    st.button("Done", type="primary", on_click=st.rerun)


def warn_without_tls() -> None:
    """Say so when passwords would cross a network in clear."""
    address = urlsplit(st.context.url or "")
    host = address.hostname or "localhost"
    if address.scheme == "http" and not (host in ("localhost", "::1") or host.startswith("127.")):
        st.warning(
            "This page came without encryption (http). Whoever is on the network between can read your password: "
            "ask an administrator for an address that begins with https.",
            icon=":material/no_encryption:",
        )


def new_password(label: str) -> tuple[str, str]:
    """Two fields of a form for a new password."""
    first = st.text_input(
        label,
        type="password",
        autocomplete="new-password",
        placeholder=f"At least {passwords.CHARACTERS} characters",
    )
    return first, st.text_input(f"{label}, again", type="password", autocomplete="new-password")


def agreed(password: str, again: str) -> str:
    """What was typed into both fields. Raises InvalidInput unless it was the same."""
    if not password:
        raise InvalidInput("The password is empty: choose one and type it twice.")
    if password != again:
        raise InvalidInput("The two passwords differ: type the same one twice.")
    return password
