"""The UI's script: each run starts here, finds out who is there, and hands over to one page."""

from pathlib import Path

import streamlit as st

from core.auth import people
from pages.authenticator import Authenticator, bridge
from pages.shared import plain

FOLDER = Path(__file__).parent
SIGN_IN_WIDTH = 440  # pixels

st.set_page_config(page_title="Taskdeck", page_icon="🗂️", layout="centered")
st.html(FOLDER / "style.css")
st.logo(FOLDER / "logo.svg", icon_image=FOLDER / "icon.svg", size="large")

authenticator = Authenticator()
actor = authenticator.actor()

# All pages are registered in every run, signed in or not: only so does a deep link survive the sign-in.
page = st.navigation(
    [
        st.Page("task_list.py", title="Tasks", icon=":material/checklist:", default=True),
        st.Page("new_task.py", title="New task", icon=":material/add_circle:", url_path="new"),
        st.Page("task_detail.py", title="Task", url_path="task", visibility="hidden"),
        st.Page("setup.py", title="Set up Taskdeck", url_path="setup", visibility="hidden"),
    ],
    position="sidebar" if actor else "hidden",
)
bridge()

if actor:
    with st.sidebar:
        st.caption(f"Signed in as **{plain(actor.name)}**")
    authenticator.logout("Sign out", location="sidebar")
    if not st.session_state.get("authentication_status"):
        st.rerun()
    page.run()
elif page.url_path == "setup":
    page.run()
else:
    with st.container(horizontal_alignment="center"), st.container(width=SIGN_IN_WIDTH):
        if not people.exist():
            st.info(
                "Nobody has an account yet. Open the setup link that the server printed when it started.",
                icon=":material/key:",
            )
        authenticator.login(fields={"Form name": "Sign in", "Login": "Sign in"})
        if st.session_state.get("authentication_status"):
            st.rerun()
        if st.session_state.get("authentication_status") is False:
            st.error("The username or the password is not right.")
