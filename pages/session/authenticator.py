"""streamlit-authenticator's sign-in and sign-out, over our own people and sessions.

Its model layer is replaced: where it looked into a YAML file and set a cookie from JavaScript, these classes ask
``core.identity``. So is its sign-in form, which keeps password managers out. The controllers, the sign-out and the
keys in session_state stay the package's own.
"""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import streamlit as st
from streamlit_authenticator import Authenticate
from streamlit_authenticator.controllers import AuthenticationController, CookieController
from streamlit_authenticator.models import AuthenticationModel, CookieModel

from core.database.models import Channel
from core.database.ownership import Actor
from core.database.rights import Right
from core.errors import NotSignedIn
from core.identity import audit, sessions, signin
from pages.parts import accounts

#: How often a session that is in use says so, in seconds.
NOTE_SECONDS = 300

_PACKAGE_KEYS = ("name", "username", "email", "roles", "authentication_status", "logout")

# Streamlit can neither set nor clear an HttpOnly cookie; this exchanges a ticket for it at the API. A ticket is good
# once, so a page that is drawn again must not send it again, unless the server could not take it.
_COOKIE_JS = """
export default function ({ data }) {
  const sent = (window.__taskdeckTickets ??= new Set());
  if (sent.has(data.ticket)) return;
  sent.add(data.ticket);
  const address = new URL("api/session", document.baseURI.replace(/\\/[^/]*$/, "/"));
  const request = {
    method: data.method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ticket: data.ticket }),
    keepalive: true, // once sent, it survives a reload
  };
  const send = (tries) =>
    fetch(address, request)
      .then((answer) => answer.status >= 500 && Promise.reject(answer.status))
      .catch(() => tries && setTimeout(() => send(tries - 1), 2000));
  send(10);
}
"""


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
            remember(token["actor"], token["session_id"])
            return None
        begun = signin.start(username, password, browser=browser()) if username and password else None
        if begun is None:
            st.session_state["authentication_status"] = False
            return False
        admit(*begun)
        return True

    def logout(self, callback: Any = None) -> None:
        actor, session_id = signed_in(), st.session_state.get("session_id")
        if actor and session_id:
            sessions.end(session_id)  # first: when the database is away, the person is not signed out and sees so
        forget()
        if actor:
            say_farewell(actor)


class _SessionModel(CookieModel):  # type: ignore[misc]
    """Reads our HttpOnly cookie; setting and clearing it is the page's bridge to the API."""

    def __init__(self) -> None:
        pass

    def get_cookie(self) -> dict[str, Any] | None:
        known = sessions.by_cookie(sessions.cookie_in(st.context.cookies))
        return {"session_id": known[0], "actor": known[1]} if known else None

    def set_cookie(self) -> None:
        """``begin`` has left a ticket for the bridge."""

    def delete_cookie(self) -> None:
        """``logout`` has left a farewell for the bridge."""


class _Cookies(CookieController):  # type: ignore[misc]
    def __init__(self) -> None:
        self.cookie_model = _SessionModel()


class _Accounts(AuthenticationController):  # type: ignore[misc]
    def __init__(self) -> None:
        self.authentication_model = _AccountModel()


class Authenticator(Authenticate):  # type: ignore[misc]
    """The package's widgets over our models, and a sign-in form that password managers fill."""

    def __init__(self) -> None:
        for key in _PACKAGE_KEYS:
            st.session_state.setdefault(key, None)
        self.path = None
        self.attrs = {"login_sleep_time": 0}
        self.cookie_controller = _Cookies()
        self.authentication_controller = _Accounts()

    def actor(self) -> Actor | None:
        """Who is signed in: by this tab's session, or by the browser's cookie."""
        arrive()
        if actor := signed_in():
            return actor
        if st.session_state.get("session_id") or st.session_state.get("authentication_status"):
            forget()  # revoked or over while the tab was open
        self.login(location="unrendered")
        return signed_in()

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


def begin(actor: Actor, how: str) -> None:
    """Sign a person in, whose identity is proven by ``how``, in this tab and with the next ticket in this browser."""
    admit(actor, sessions.start(actor, how, browser=browser()))


def admit(actor: Actor, session_id: UUID) -> None:
    """Take up a session that has just begun, in this tab and with the next ticket in this browser.

    Nothing stays in the tab of whoever used it before.
    """
    forget()
    remember(actor, session_id)
    st.session_state["ticket"] = sessions.ticket(session_id)


def browser() -> str:
    """How the browser names itself."""
    return st.context.headers.get("User-Agent") or ""


def arrive() -> None:
    """Tell the audit trail that what follows comes from a page, and from where."""
    audit.set_origin(Channel.UI, st.context.ip_address)


def note_use() -> None:
    """Remember now and then that the tab's session is in use."""
    now = time.monotonic()
    if now - st.session_state.get("noted", -NOTE_SECONDS) > NOTE_SECONDS:
        st.session_state["noted"] = now
        sessions.note_use(st.session_state["session_id"])


def remember(actor: Actor, session_id: UUID) -> None:
    """Note in this tab who is signed in, under the package's keys and ours."""
    st.session_state.update(
        session_id=session_id,
        connection=_connection(),
        username=actor.username,
        name=actor.name,
        email=actor.email,
        roles=[actor.role.value],
        authentication_status=True,
    )
    st.session_state.pop("sign_out_token", None)


def say_farewell(actor: Actor) -> None:
    """After a sign-out, have the bridge tell the browser to forget the cookie."""
    st.session_state["sign_out_token"] = sessions.sign_out_token(actor)


def forget() -> None:
    """Leave nothing of the person in this tab: the next one may be somebody else."""
    st.session_state.clear()
    st.session_state.update(dict.fromkeys(_PACKAGE_KEYS))


def signed_in() -> Actor | None:
    """The person of this tab's session, looked up anew at every call."""
    session_id = st.session_state.get("session_id")
    return sessions.person(session_id) if session_id and _is_bound(session_id) else None


def _is_bound(session_id: UUID) -> bool:
    """Whether this connection may use the tab's state.

    Streamlit hands a tab's state to any connection that names the tab's id. So after a reconnect the browser's cookie
    has to name the same session.
    """
    connection = _connection()
    if connection and st.session_state.get("connection") == connection:
        return True
    if sessions.read_cookie(sessions.cookie_in(st.context.cookies)) != session_id:
        return False
    st.session_state["connection"] = connection
    return True


def _connection() -> str | None:
    return st.context.headers.get("Sec-Websocket-Key")


def require_actor() -> Actor:
    """Who is signed in; each page, fragment and callback begins with this. Otherwise the run starts anew."""
    arrive()
    actor = signed_in()
    if actor is None:
        st.rerun()
    return actor


def require_admin(right: Right = Right.MANAGE_PEOPLE) -> Actor:
    """Who is signed in and has this right. Anybody else is told that the page is not theirs."""
    actor = require_actor()
    if not actor.role.may(right):
        st.title("Not for you", anchor=False)
        st.write("Only administrators may see this page.")
        st.page_link("tasks/list.py", label="All tasks", icon=":material/arrow_back:")
        st.stop()
    return actor


def for_download(make: Callable[[Actor], str | bytes]) -> Callable[[], str | bytes]:
    """A file's content that is made when somebody asks for it: outside of any run, so who asks is looked up then.

    Raises NotSignedIn when the session of this tab is over.
    """
    session_id = st.session_state["session_id"]

    def make_now() -> str | bytes:
        actor = sessions.person(session_id)
        if actor is None:
            raise NotSignedIn
        return make(actor)

    return make_now


def bridge() -> None:
    """Keep the browser's cookie in step with this tab. Draw it once in each run."""
    bridge_component = st.components.v2.component("taskdeck_session", js=_COOKIE_JS)
    if ticket := st.session_state.get("ticket"):
        bridge_component(key="session_bridge", data={"method": "POST", "ticket": ticket})
    elif sign_out_token := st.session_state.get("sign_out_token"):
        bridge_component(key="session_bridge", data={"method": "DELETE", "ticket": sign_out_token})
