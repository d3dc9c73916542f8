"""My tasks, newest first: how each stands, and the way to it."""

import streamlit as st

from core import metrics
from core.config import settings
from core.database.models import Task, TaskStatus
from core.errors import InvalidInput
from core.tasks import commands, listing
from core.words import count
from pages.parts import dialogs, rows, task_status, times
from pages.parts.text import days, first_line, number, repository_name
from pages.session.tab import require_actor

ROWS = 25
ALL = "all"

actor = require_actor()


def show(task: Task) -> None:
    details = rows.line(
        task_status.status_pill(task),
        rows.quiet(task.selected_agent),
        rows.words(repository_name(task.repo_url)) if task.repo_url else None,
        rows.quiet(times.ago(task.created_at), title=times.moment(task.created_at)),
        rows.quiet(task_status.took(task)),
        task_status.progress(task),
    )
    rows.show_linked_row(
        f"task-row-{task.id}", first_line(task.prompt), "tasks/detail.py", {"id": str(task.id)}, details
    )


def empty(status: TaskStatus | None, query: str) -> None:
    if status or query:
        rows.show_empty("No task matches", "Choose another status or search for other words.")
        return
    rows.show_empty(
        "No tasks yet",
        "Hand an agent its first task: the data processor works at once, on your repository or on sample data.",
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
    # A tab that was signed out has forgotten its widgets, and may still send what was chosen.
    if (chosen := st.session_state.get("status")) in list(TaskStatus):
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
            f"All {number(sum(counts.values()))}"
            if value == ALL
            else f"{task_status.STATUS_NAMES[value]} {number(counts[value])}"
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
        show(task)
    if not page.tasks:
        empty(status, query)
    with st.container(horizontal=True, vertical_alignment="center"):
        if before:
            st.button("Newest", icon=":material/first_page:", on_click=turn_to, args=(None,))
        if page.next_cursor:
            st.button("Older", icon=":material/chevron_right:", on_click=turn_to, args=(page.next_cursor,))
        if query:
            st.button("Refresh", icon=":material/refresh:")
        st.html(times.updated_stamp())


@st.dialog("Delete tasks", icon=":material/delete:")
def confirm_delete(word: str, found: int) -> None:
    actor = require_actor()
    which = f"**{number(found)} {word}** {'task' if found == 1 else 'tasks'}"
    st.write(f"Delete {which}, with logs and files? This cannot be undone.")

    def delete() -> str:
        return f"{count(commands.delete_ended(actor, [word]), f'{word} task')} deleted."

    dialogs.confirm(f"Delete {number(found)} {word}", "Keep them", delete)


dialogs.show_notice()

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
    if found := listing.counts(actor)[commands.BULK[clean_up]]:
        confirm_delete(clean_up, found)
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
st.fragment(run_every=None if search else times.poll_interval())(tasks_list)(search or "")
if retention := settings().retention:
    st.caption(f"Ended tasks, their logs and files are deleted {days(retention)} after their end.")
