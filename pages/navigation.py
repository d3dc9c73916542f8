"""The UI's script: each run starts here, finds out who is there, and hands over to one page."""

from pathlib import Path
from typing import Literal

import streamlit as st

from core.database.ownership import Actor
from core.database.roles import Right
from core.identity import people
from pages.parts.accounts import ROLE_NAMES
from pages.parts.text import plain
from pages.parts.times import poll_interval
from pages.session import single_sign_on
from pages.session.authenticator import Authenticator
from pages.session.tab import bridge, note_use, require_actor

PARTS = Path(__file__).parent / "parts"
SIGN_IN_WIDTH = 440  # pixels

#: Pages for whoever has a one-time link.
BY_LINK = ("setup", "password")


def watch() -> None:
    """Who is signed in, and as what. Whoever is so no longer is out at the next look, on every page."""
    actor = require_actor()
    note_use()
    st.caption(f"Signed in as **{plain(actor.name)}** · {ROLE_NAMES[actor.role]}")


def visible(actor: Actor | None, right: Right) -> Literal["visible", "hidden"]:
    """Whether the sidebar has a page, which asks for the right itself."""
    return "visible" if actor and actor.role.may(right) else "hidden"


st.set_page_config(page_title="Taskdeck", page_icon="🗂️", layout="centered")
st.html(PARTS / "style.css")
st.logo(PARTS / "logo.svg", icon_image=PARTS / "icon.svg", size="large")

authenticator = Authenticator()
actor = authenticator.actor() or single_sign_on.start_session()

# All pages are registered in every run, signed in or not: only so does a deep link survive the sign-in.
people_page = visible(actor, Right.MANAGE_PEOPLE)
audit_page = visible(actor, Right.READ_AUDIT)
pages = [
    st.Page("tasks/list.py", title="Tasks", icon=":material/checklist:", default=True),
    st.Page("tasks/new.py", title="New task", icon=":material/add_circle:", url_path="new"),
    st.Page("tasks/detail.py", title="Task", url_path="task", visibility="hidden"),
    st.Page("account/setup.py", title="Set up Taskdeck", url_path="setup", visibility="hidden"),
    st.Page("account/set_password.py", title="Choose a password", url_path="password", visibility="hidden"),
]
settings_pages = [
    st.Page("account/account.py", title="Account", icon=":material/account_circle:"),
    st.Page("admin/people.py", title="People", icon=":material/group:", visibility=people_page),
    st.Page("admin/person.py", title="Person", visibility="hidden"),
    st.Page("admin/audit.py", title="Audit", icon=":material/policy:", url_path="audit", visibility=audit_page),
]
page = st.navigation({"": pages, "Settings": settings_pages}, position="sidebar" if actor else "hidden")
bridge()

if actor:
    polls_itself = page.url_path == "" and "q" not in st.query_params  # a list with a search does not
    with st.sidebar:
        st.fragment(run_every=poll_interval() * (4 if polls_itself else 1))(watch)()
    authenticator.logout("Sign out", location="sidebar")
    if not st.session_state.get("authentication_status"):
        st.rerun()
    single_sign_on.go_on([*pages, *settings_pages])
    page.run()
elif page.url_path in BY_LINK:
    page.run()
else:
    with st.container(horizontal_alignment="center"), st.container(width=SIGN_IN_WIDTH):
        if not people.exist():
            st.info(
                "Nobody has an account yet. Open the setup link that the server printed when it started.",
                icon=":material/key:",
            )
        authenticator.login()
        single_sign_on.offer()
