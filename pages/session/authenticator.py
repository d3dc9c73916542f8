"""streamlit-authenticator's sign-in and sign-out, over our own people and sessions.

Its model layer is replaced: where it looked into a YAML file and set a cookie from JavaScript, these classes ask
``core.identity``. So is its sign-in form, which keeps password managers out. The controllers, the sign-out and the
keys in session_state stay the package's own.
"""

from typing import Any

import streamlit as st
from streamlit_authenticator import Authenticate
from streamlit_authenticator.controllers import AuthenticationController, CookieController
from streamlit_authenticator.models import AuthenticationModel, CookieModel

from core.database.ownership import Actor
from core.identity import sessions, signin
from pages.parts import accounts
from pages.session import tab


class _AccountModel(AuthenticationModel):  # type: ignore[misc]  # the package has no types
    """Checks passwords and sessions against the database."""

    def __init__(self) -> None:
        """The package's own constructor would read a YAML file."""

    def login(
        self,
        username: str | None,
        password: str | None,
        max_concurrent_users: int | None = None,
        max_login_attempts: int | None = None,
        token: dict[str, Any] | None = None,
        *_: Any,
    ) -> bool | None:
        if token:
            tab.remember(token["actor"], token["session_id"])
            return None
        begun = signin.start(username, password, browser=tab.browser()) if username and password else None
        if begun is None:
            st.session_state["authentication_status"] = False
            return False
        tab.admit(*begun)
        return True

    def logout(self, callback: Any = None) -> None:
        actor, session_id = tab.signed_in(), st.session_state.get("session_id")
        if actor and session_id:
            sessions.end(session_id)  # first: when the database is away, the person is not signed out and sees so
        tab.forget()
        if actor:
            tab.leave_sign_out_token(actor)


class _SessionModel(CookieModel):  # type: ignore[misc]
    """Reads our HttpOnly cookie; setting and clearing it is the page's bridge to the API."""

    def __init__(self) -> None:
        pass

    def get_cookie(self) -> dict[str, Any] | None:
        known = sessions.by_cookie(sessions.cookie_in(st.context.cookies))
        return {"session_id": known[0], "actor": known[1]} if known else None

    def set_cookie(self) -> None:
        """``tab.begin`` has left a ticket for the bridge."""

    def delete_cookie(self) -> None:
        """``logout`` has left a sign-out token for the bridge."""


class _Cookies(CookieController):  # type: ignore[misc]
    def __init__(self) -> None:
        self.cookie_model = _SessionModel()


class _Accounts(AuthenticationController):  # type: ignore[misc]
    def __init__(self) -> None:
        self.authentication_model = _AccountModel()


class Authenticator(Authenticate):  # type: ignore[misc]
    """The package's widgets over our models, and a sign-in form that password managers fill."""

    def __init__(self) -> None:
        for key in tab.PACKAGE_KEYS:
            st.session_state.setdefault(key, None)
        self.path = None
        self.attrs = {"login_sleep_time": 0}
        self.cookie_controller = _Cookies()
        self.authentication_controller = _Accounts()

    def actor(self) -> Actor | None:
        """Who is signed in: by this tab's session, or by the browser's cookie."""
        tab.set_origin()
        if actor := tab.signed_in():
            return actor
        if st.session_state.get("session_id") or st.session_state.get("authentication_status"):
            tab.forget()  # revoked or over while the tab was open
        self.login(location="unrendered")
        return tab.signed_in()

    def login(self, location: str = "main", *_: Any, **__: Any) -> None:
        """Take up the session of the browser's cookie (``unrendered``), or offer the form."""
        if location == "unrendered":
            if token := self.cookie_controller.get_cookie():
                self.authentication_controller.login(token=token)
            return
        with st.form("sign_in"):
            st.header("Sign in", anchor=False)
            accounts.warn_without_tls()
            username = st.text_input("Username", autocomplete="username")
            password = st.text_input("Password", type="password", autocomplete="current-password")
            sent = st.form_submit_button("Sign in", type="primary", width="stretch")
        if sent:
            with st.spinner("Signing in…"):
                known = self.authentication_controller.login(username, password)
            if known:
                st.rerun()
            st.error(signin.REFUSED)
        st.caption("Lost your password? Ask an administrator for a link.")
