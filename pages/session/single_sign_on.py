"""Sign-in by another provider: Streamlit's own OpenID Connect, from which a session of ours begins.

Streamlit keeps the provider's answer in a cookie for a month. Here it begins one session: what ends that session ends
it in this browser too, and the next one needs a new answer.
"""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import streamlit as st

from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import sso
from pages.session import tab
from pages.session.providers import providers

#: What Streamlit adds to the claims of the ID token, and a browser can take away.
_NO_CLAIMS = {"is_logged_in", "tokens"}

_RETURN_PLACE = (Path(__file__).parent / "return_place.js").read_text()


def start_session() -> Actor | None:
    """Begin the session of whoever comes back from a provider. One try a tab."""
    if not _is_vouched_for() or {"sign_out_token", "sso_refusal"} & st.session_state.keys():
        return None
    claims = {name: value for name, value in st.user.to_dict().items() if name not in _NO_CLAIMS}
    try:
        actor, session_id = sso.start(claims, browser=tab.browser())
    except InvalidInput as error:
        st.session_state["sso_refusal"] = error.message
        return None
    tab.admit(actor, session_id)
    st.session_state["sso_returned"] = True
    return actor


def go_on(pages: Iterable[st.Page]) -> None:
    """Lead whoever has just come back to the page that they had asked for."""
    if not st.session_state.get("sso_returned"):
        return
    place = _place(leaving=False)
    if place is None:
        return
    del st.session_state["sso_returned"]
    asked = urlsplit(place)
    for page in pages:
        if page.url_path and page.url_path == asked.path.rpartition("/")[2]:
            st.switch_page(page, query_params=dict(parse_qsl(asked.query)))


def offer() -> None:
    """Below the sign-in form: a button for each provider. After a sign-out, leave the provider too."""
    known = providers()
    if not known:
        return
    if _is_vouched_for():
        if "sign_out_token" in st.session_state:
            st.logout()
            st.stop()
        if refused := st.session_state.get("sso_refusal"):
            st.warning(refused, icon=":material/no_accounts:")
        if st.button("Use another account", width="stretch"):
            st.logout()
            st.stop()
    else:
        _place(leaving=True)
    for provider, name in known.items():
        if st.button(f"Sign in with {name}", key=f"sso_{provider}", icon=":material/login:", width="stretch"):
            st.login(provider)


def _is_vouched_for() -> bool:
    """Whether a provider has told Streamlit who uses this browser."""
    return bool(providers()) and st.user.get("is_logged_in") is True


def _place(*, leaving: bool) -> str | None:
    """Have the tab keep where it is, or say where it was."""
    keeper = st.components.v2.component("taskdeck_place", js=_RETURN_PLACE)
    place = keeper(key="sso_place", data={"leaving": leaving}, on_place_change=lambda: None).place
    return place if isinstance(place, str) else None
