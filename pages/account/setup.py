"""The first start: create the first admin from the one-time link."""

import streamlit as st

from core.errors import InvalidInput
from core.identity import people, setup
from pages.parts import accounts
from pages.session import tab

# The link's token is a secret: take it out of the address before anybody copies that.
if token := st.query_params.pop("token", None):
    st.session_state["setup_token"] = token
token = st.session_state.get("setup_token", "")

st.title("Set up Taskdeck", anchor=False)
if not setup.is_open(token):
    st.warning(
        "This setup link is used up or too old. "
        + ("Sign in instead." if people.exist() else "Restart Taskdeck: it prints a new one."),
        icon=":material/link_off:",
    )
    st.page_link("tasks/list.py", label="Go to the sign-in", icon=":material/login:")
    st.stop()

st.write("Create your account. It is the first one, and an administrator's.")
accounts.warn_without_tls()
with st.form("setup"):
    name = st.text_input("Your name", autocomplete="name", max_chars=people.NAME_CHARACTERS)
    email = st.text_input("E-mail", autocomplete="email", placeholder="ada@example.org")
    username = st.text_input("Username", autocomplete="username", placeholder="ada")
    typed = accounts.new_password("Password")
    sent = st.form_submit_button("Create the account", type="primary")

if sent:
    try:
        actor = setup.create_admin(token, username, email, name, accounts.agreed(*typed))
    except InvalidInput as error:
        st.error(error.message)
    else:
        tab.begin(actor, "setup link")
        st.switch_page("tasks/list.py")
