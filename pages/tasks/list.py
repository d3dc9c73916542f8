"""My tasks, newest first: how each stands, and the way to it."""

from html import escape

import streamlit as st

from core import metrics
from core.config import settings
from core.database.models import Task, TaskStatus
from core.errors import InvalidInput
from core.tasks import commands, listing
from pages.parts import shared
from pages.session.authenticator import require_actor

ROWS = 25
ALL = "all"

actor = require_actor()


def row(task: Task) -> None:
    with st.container(key=f"task-row-{task.id}", gap=None):
        st.page_link(
            "tasks/detail.py", label=shared.plain(shared.first_line(task.prompt)), query_params={"id": str(task.id)}
        )
        repository = f"<span>{escape(shared.repository_name(task.repo_url))}</span>" if task.repo_url else ""
        st.html(
            f'<div class="td-meta">{shared.status_pill(task)}'
            f'<span class="td-quiet">{escape(task.selected_agent)}</span>{repository}'
            f'<span class="td-quiet" title="{shared.moment(task.created_at)}">{shared.ago(task.created_at)}</span>'
            f'<span class="td-quiet">{shared.took(task)}</span>'
            f'<span class="td-progress">{shared.progress_bar(task)}</span></div>'
        )


def empty(status: TaskStatus | None, query: str) -> None:
    if status or query:
        st.html('<div class="td-empty"><h3>No task matches</h3>Choose another status or search for other words.</div>')
        return
    st.html(
        '<div class="td-empty"><h3>No tasks yet</h3>Hand an agent its first task: the data processor works at once, '
        "on your repository or on sample data.</div>"
    )
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.page_link("tasks/new.py", label="Create your first task", icon=":material/add_circle:")


def turn_to(cursor: str | None) -> None:
    if cursor:
        st.query_params["before"] = cursor
    else:
        st.query_params.pop("before", None)


def choose_status() -> None:
    turn_to(None)
    st.query_params.pop("status", None)
    if (chosen := st.session_state["status"]) in list(TaskStatus):
        st.query_params["status"] = chosen


def tasks_list(query: str) -> None:
    actor = require_actor()
    metrics.POLLS.labels("list").inc()
    counts = listing.counts(actor)
    # Not bound to the query string: that would hold the label, and the label holds a count.
    # The address leads, also after the browser's Back.
    asked = st.query_params.get("status", ALL)
    asked = asked if asked in list(TaskStatus) else ALL
    st.session_state["status"] = asked
    st.pills(
        "Status",
        [ALL, *TaskStatus],
        required=True,
        key="status",
        label_visibility="collapsed",
        format_func=lambda value: (
            f"All {shared.number(sum(counts.values()))}"
            if value == ALL
            else f"{shared.STATUS_NAMES[value]} {shared.number(counts[value])}"
        ),
        on_change=choose_status,
    )
    status = None if asked == ALL else TaskStatus(asked)
    before = st.query_params.get("before")
    try:
        page = listing.page(actor, status=status, query=query, limit=ROWS, cursor=before)
    except InvalidInput:  # somebody wrote the address by hand: begin with the newest
        turn_to(None)
        before, page = None, listing.page(actor, status=status, query=query, limit=ROWS)
    for task in page.tasks:
        row(task)
    if not page.tasks:
        empty(status, query)
    with st.container(horizontal=True, vertical_alignment="center"):
        if before:
            st.button("Newest", icon=":material/first_page:", on_click=turn_to, args=(None,))
        if page.next_cursor:
            st.button("Older", icon=":material/chevron_right:", on_click=turn_to, args=(page.next_cursor,))
        if query:
            st.button("Refresh", icon=":material/refresh:")
        st.html(shared.updated_stamp())


@st.dialog("Delete tasks", icon=":material/delete:")
def confirm_delete(word: str, number: int) -> None:
    actor = require_actor()
    which = f"**{shared.number(number)} {word}** task{'s' if number > 1 else ''}"
    st.write(f"Delete {which}, with logs and files? This cannot be undone.")
    with st.container(horizontal=True):
        if st.button(f"Delete {shared.number(number)} {word}", type="primary"):
            deleted = commands.delete_ended(actor, [word])
            st.session_state["notice"] = f"{deleted:,} {word} task{'s' if deleted != 1 else ''} deleted."
            st.rerun()
        if st.button("Keep them"):
            st.rerun()


shared.show_notice()

with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Tasks", anchor=False)
    clean_up = st.menu_button(
        "Clean up",
        list(commands.BULK),
        format_func=lambda word: f"Delete all {word} tasks…",
        icon=":material/cleaning_services:",
        key="clean_up",
    )
    if st.button("New task", type="primary", icon=":material/add:"):
        st.switch_page("tasks/new.py")

if clean_up:
    count = listing.counts(actor)[commands.BULK[clean_up]]
    if count:
        confirm_delete(clean_up, count)
    else:
        st.toast(f"There are no {clean_up} tasks to delete.")

search = st.text_input(
    "Search",
    key="q",
    bind="query-params",
    placeholder="Search in the prompts",
    label_visibility="collapsed",
    max_chars=listing.QUERY_CHARACTERS,
    on_change=turn_to,
    args=(None,),
)
# A search reads every prompt, so it is made when asked for and not at every poll.
st.fragment(run_every=None if search else shared.poll_interval())(tasks_list)(search or "")
if retention := settings().retention:
    st.caption(f"Ended tasks, their logs and files are deleted {shared.days(retention)} after their end.")
