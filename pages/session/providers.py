"""Which providers of single sign-on are set up; nothing here imports the pages, for the start looks, too."""

from collections.abc import Mapping

import streamlit as st

from core.config import check_key
from core.errors import ConfigurationError

UNNAMED = "single sign-on"


def providers() -> dict[str | None, str]:
    """What Streamlit's secrets name, for ``st.login``, and how people call it. Empty when nothing is set up."""
    section = st.secrets.get("auth") if st.secrets.load_if_toml_exists() else None
    if not isinstance(section, Mapping):
        return {}
    named = {key: part for key, part in section.items() if isinstance(part, Mapping) and "client_id" in part}
    known: dict[str | None, str] = {key: str(part.get("name", key)) for key, part in named.items()}
    if "client_id" in section:
        known = {None: str(section.get("name", UNNAMED)), **known}
    return known


def check() -> None:
    """Raise ConfigurationError when the key that signs a provider's word can be guessed: it opens any account."""
    if not providers():
        return
    try:
        check_key(str(st.secrets["auth"].get("cookie_secret", "")))
    except ValueError as error:
        raise ConfigurationError(f"cookie_secret in [auth] of Streamlit's secrets: {error}.") from None
