"""The audit trail, for administrators: who did what, when, and through which channel."""

from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from core.database import engine
from core.database.roles import Right
from core.identity import audit, people
from pages.parts import rows, times
from pages.parts.audit_table import KINDS, as_csv, table
from pages.session.tab import for_download, require_admin

DOWNLOADED = 10_000  # events at most

NOBODY = "Nobody signed in"  # an operator, Taskdeck itself, a sign-in that failed
PERIODS = {"All": None, "Today": 0, "7 days": 7, "30 days": 30}

admin = require_admin(Right.READ_AUDIT)


def begin_anew() -> None:
    """Another filter begins with its newest events."""
    st.query_params.pop("before", None)


def turn_to(cursor: int) -> None:
    st.query_params["before"] = str(cursor)


def since(period: str) -> datetime | None:
    days = PERIODS[period]
    if days == 0:
        return engine.now().astimezone(times.zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    return engine.now() - timedelta(days=days) if days else None


def cursor() -> int | None:
    """The event that the page begins behind; None, and the newest, when the address was written by hand."""
    asked = st.query_params.get("before", "")
    return int(asked) if asked.isdecimal() and len(asked) < 19 else None


st.title("Audit", anchor=False)
accounts = people.accounts(by=admin) if admin.role.may(Right.MANAGE_PEOPLE) else []
names = [NOBODY, *(account.actor.username for account in accounts)]
with st.container(horizontal=True, vertical_alignment="bottom"):
    kinds = st.multiselect(
        "What", list(KINDS.values()), key="what", placeholder="Everything", bind="query-params", on_change=begin_anew
    )
    person = st.selectbox(
        "Who",
        names,
        index=None,
        key="who",
        placeholder="Everybody",
        accept_new_options=True,  # an account that was deleted has left its name here
        bind="query-params",
        on_change=begin_anew,
    )
    period = st.segmented_control(
        "When", list(PERIODS), default="All", required=True, key="when", bind="query-params", on_change=begin_anew
    )

chosen = partial(
    audit.page,
    kinds=[kind for kind, words in KINDS.items() if words in kinds],
    actor="" if person == NOBODY else person and people.fold(person),
    since=since(period),
)
before = cursor()
events = chosen(admin, before=before, limit=audit.PAGE_EVENTS + 1)
shown = events[: audit.PAGE_EVENTS]
if shown:
    st.caption(f"Times in {times.zone().key}")
    st.html(table(shown))
elif before or kinds or person or period != "All":
    rows.show_empty("No event matches", "Choose another kind, person or time.")
else:
    rows.show_empty("Nothing yet", "Sign-ins, changes of people and deletions appear here.")
with st.container(horizontal=True, vertical_alignment="center"):
    if before:
        st.button("Newest", icon=":material/first_page:", on_click=begin_anew)
    if len(events) > len(shown):
        st.button("Older", icon=":material/chevron_right:", on_click=turn_to, args=(shown[-1].id,))
    if shown:
        st.download_button(
            "Download as CSV",
            data=for_download(lambda admin: as_csv(chosen(admin, limit=DOWNLOADED))),
            file_name="taskdeck-audit.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )
st.caption(f"The download holds what is filtered, at most the newest {DOWNLOADED:,} events, with times in UTC.")
