"""Choose a password by a one-time link: after an invitation, or because the old one is lost."""

import streamlit as st

from core.errors import InvalidInput
from core.identity import links
from pages.parts import accounts
from pages.parts.text import plain
from pages.session import tab

# The link's token is a secret: take it out of the address before anybody copies that.
if token := st.query_params.pop("token", None):
    st.session_state["password_token"] = token
token = st.session_state.get("password_token", "")

st.title("Choose a password", anchor=False)
offer = links.look(token)
present = tab.signed_in()
if offer is None:
    st.warning("This link is used up or too old. Ask an administrator for a new one.", icon=":material/link_off:")
    st.page_link(
        "tasks/list.py", label="All tasks" if present else "Go to the sign-in", icon=":material/arrow_forward:"
    )
    st.stop()

name, username = plain(offer.actor.name), plain(offer.actor.username)
if offer.is_invitation:
    st.write(f"Welcome, **{name}**. Your username is **{username}**; choose the password that goes with it.")
else:
    st.write(
        f"**{name}** ({username}), choose a new password. Every browser in which you are signed in is then signed out, "
        "and every API token of yours ends."
    )
if present and present.id != offer.actor.id:
    st.info(
        f"**{plain(present.name)}** is signed in here. This link is for **{name}**: once its password is set, "
        f"{name} is signed in here instead.",
        icon=":material/switch_account:",
    )
accounts.warn_without_tls()
with st.form("set_password"):
    st.text_input("Username", value=offer.actor.username, autocomplete="username", disabled=True)
    typed = accounts.new_password("New password")
    sent = st.form_submit_button("Set the password", type="primary")

if sent:
    try:
        with st.spinner("Setting the password…"):
            actor = links.set_password(token, accounts.agreed(*typed))
        tab.begin(actor, "one-time link")
    except InvalidInput as error:
        st.error(error.message)
    else:
        st.switch_page("tasks/list.py")
