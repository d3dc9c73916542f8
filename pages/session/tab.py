"""Who is signed in in this tab: what its state keeps of them, and what keeps the browser's cookie in step with it."""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import streamlit as st

from core.database.models import Channel
from core.database.ownership import Actor
from core.database.roles import Right
from core.errors import NotSignedIn
from core.identity import audit, sessions
from pages.parts import rows

#: How often a session that is in use says so, in seconds.
NOTE_SECONDS = 300

#: What streamlit-authenticator keeps in a tab's state.
PACKAGE_KEYS = ("name", "username", "email", "roles", "authentication_status", "logout")

_COOKIE_BRIDGE = (Path(__file__).parent / "cookie_bridge.js").read_text()


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


def set_origin() -> None:
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


def leave_sign_out_token(actor: Actor) -> None:
    """After a sign-out, have the bridge tell the browser to forget the cookie."""
    st.session_state["sign_out_token"] = sessions.sign_out_token(actor)


def forget() -> None:
    """Leave nothing of the person in this tab: the next one may be somebody else."""
    st.session_state.clear()
    st.session_state.update(dict.fromkeys(PACKAGE_KEYS))


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
    set_origin()
    actor = signed_in()
    if actor is None:
        st.rerun()
    return actor


def require_admin(right: Right = Right.MANAGE_PEOPLE) -> Actor:
    """Who is signed in and has this right. Anybody else is told that the page is not theirs."""
    actor = require_actor()
    if not actor.role.may(right):
        rows.stop_with("Not for you", "Only administrators may see this page.", "tasks/list.py", "All tasks")
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
    bridge_component = st.components.v2.component("taskdeck_session", js=_COOKIE_BRIDGE)
    if ticket := st.session_state.get("ticket"):
        bridge_component(key="session_bridge", data={"method": "POST", "ticket": ticket})
    elif sign_out_token := st.session_state.get("sign_out_token"):
        bridge_component(key="session_bridge", data={"method": "DELETE", "ticket": sign_out_token})
