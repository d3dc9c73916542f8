"""One task: how it stands, what it says, what it made."""

from collections.abc import Callable
from datetime import timedelta

import streamlit as st

from core import metrics
from core.config import settings
from core.database import engine
from core.database.models import ENDED, EndReason, Task, TaskStatus
from core.database.ownership import Actor
from core.errors import Conflict, NotFound
from core.log_text import LogType
from core.tasks import artifacts, commands, logs
from core.words import duration
from pages.parts import dialogs, files, rows, task_status, times
from pages.parts.log import KINDS, log_html
from pages.parts.markup import element
from pages.parts.text import days, first_line, plain, repository_name
from pages.session.tab import for_download, require_actor

SHOWN = 500  # entries at first, and more with each click
MOST = 2_000  # entries that a growing log may show before it begins later
LOG_HEIGHT = 420  # pixels, and how many short entries that is
LOG_ROWS = 18

actor = require_actor()


def origin(task: Task) -> None:
    """What a re-run repeats, and what it does differently."""
    if task.rerun_of is None:
        return
    try:
        first = commands.find(actor, task.rerun_of)
    except NotFound:
        first = None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if first:
            st.page_link(
                "tasks/detail.py",
                label=f"Task {first.id}",
                query_params={"id": str(first.id)},
                icon=":material/replay:",
                width="content",
            )
            changed = ", ".join(commands.difference(first, task))
            st.caption(plain(f"Runs task {first.id} again{f': {changed}' if changed else ', unchanged'}."))
        elif entries := logs.after(actor, task.id, limit=1):  # its own log says the difference, too
            st.caption(f"{plain(entries[0].message)} That task was deleted since.")


def outcome(task: Task) -> None:
    sentence = plain(task.error or "")
    if task.end_reason is EndReason.FAILED:
        st.error(sentence, icon=":material/error:")
    elif task.end_reason is EndReason.CANCELLED:
        st.info(sentence, icon=":material/stop_circle:")
    elif task.error:
        st.warning(sentence, icon=":material/warning:")
    elif task.cancel_requested_at:
        st.info("Stop was requested after the work had finished.", icon=":material/info:")


def control(task: Task) -> None:
    """What its owner can do to a task that has not ended."""
    more = duration(commands.limits_of(task).extension)
    with st.container(horizontal=True):
        if task.cancel_requested_at and task.status is TaskStatus.PROCESSING:
            st.button("Stop requested", icon=":material/stop_circle:", disabled=True)
        else:
            st.button("Stop", icon=":material/stop_circle:", on_click=attempt, args=(commands.cancel, task.id))
        if commands.why_not_extend(task) is None:
            st.button(f"{more} more", icon=":material/more_time:", on_click=attempt, args=(commands.extend, task.id))


def attempt(act: Callable[[Actor, int], Task], task_id: int) -> None:
    """Do what a button says; why it cannot be done is a notice, not a failure."""
    try:
        act(require_actor(), task_id)
    except (Conflict, NotFound) as error:
        st.toast(error.message, icon=":material/info:")
    except engine.Unavailable:
        st.toast("The database is busy or away: nothing was changed. Try again.", icon=":material/cloud_off:")


def facts(task: Task) -> None:
    waited = duration(((task.started_at or task.finished_at or engine.now()) - task.created_at).total_seconds())
    known = [
        ("Agent", task.selected_agent + (f" · {task.selected_model}" if task.selected_model else "")),
        ("Repository", repository_name(task.repo_url) if task.repo_url else ""),
        ("Created", times.moment(task.created_at)),
        ("Waited" if task.started_at or task.finished_at else "Waiting", waited),
        ("Took" if task.finished_at else "Running for", task_status.ran(task)),
        ("Branch", task.branch_name or ""),
    ]
    if countdown := task_status.left(task):
        whole = duration(commands.limits_of(task).timeout + task.extension)
        is_late = task_status.is_late(task)
        known.append((f"Left of {whole}", element("span", countdown, class_="td-late") if is_late else countdown))
    state = rows.line(
        task_status.status_pill(task),
        task_status.progress(task, "td-wide"),
        times.updated_stamp(),
    )
    st.html(state + rows.facts_of(*(fact for fact in known if fact[1])))


def log(task: Task) -> None:
    st.subheader("Log", anchor=False)
    types = st.pills(
        "Entries",
        list(LogType),
        selection_mode="multi",
        default=list(LogType),
        key="types",
        format_func=lambda type: KINDS[type],
        label_visibility="collapsed",
    )
    first = beginning(task)
    entries = logs.since(actor, task.id, first, types or [])
    active = task.status not in ENDED
    tall = active or len(entries) > LOG_ROWS
    with st.container(height=LOG_HEIGHT if tall else "content", border=True, autoscroll=active, key="log"):
        if entries:
            st.html(log_html(entries))
        else:
            st.caption("No entry of these kinds." if task.log_count else "Nothing has been said yet.")
    if first:
        st.button("Show earlier entries", on_click=show_from, args=(task, max(0, first - SHOWN)))


def beginning(task: Task) -> int:
    """After which entry the log begins: fixed while it grows, so that nothing moves under the reader's eyes."""
    first, most = st.session_state.setdefault(f"log-{task.id}", (max(0, task.log_count - SHOWN), MOST))
    if task.log_count - first > most:
        first = task.log_count - SHOWN
        st.session_state[f"log-{task.id}"] = (first, most)
    return int(first)


def show_from(task: Task, first: int) -> None:
    st.session_state[f"log-{task.id}"] = (first, task.log_count - first + MOST)


@st.fragment(run_every=times.poll_interval())
def live(task_id: int) -> None:
    """A task that has not ended: drawn anew every five seconds."""
    try:
        task = commands.find(require_actor(), task_id)
    except NotFound:
        st.rerun()  # deleted meanwhile: the whole page says so
    if task.status in ENDED:
        st.rerun()  # a timed fragment never stops by itself: the whole page draws the end without one
    metrics.POLLS.labels("task").inc()
    facts(task)
    control(task)
    log(task)


@st.fragment
def settled(task_id: int) -> None:
    """A task that has ended: drawn once, what it made before what it said."""
    try:
        task = commands.find(require_actor(), task_id)
        made = artifacts.of(actor, task_id)
    except NotFound:
        st.rerun()  # deleted meanwhile: the whole page says so
    outcome(task)
    facts(task)
    if made:
        files.show(actor, made)
    log(task)


def whole_log(actor: Actor, task: Task) -> str:
    entries, last = [], 0
    while batch := logs.after(actor, task.id, last):
        entries += batch
        last = batch[-1].seq
    return logs.as_text(entries)


@st.dialog("Delete task", icon=":material/delete:")
def confirm_delete(task: Task) -> None:
    actor = require_actor()
    if task.status is TaskStatus.PROCESSING:
        st.write("It is running: its work is **stopped at once**. Its log and files go too. This cannot be undone.")
    else:
        st.write("Its log and files go too. This cannot be undone.")

    def delete() -> str:
        try:
            commands.delete_one(actor, task.id)
        except NotFound:
            return "The task was already gone."
        return "Task deleted."

    dialogs.confirm("Delete this task", "Keep it", delete, "tasks/list.py")


try:
    task = commands.find(actor, int(st.query_params.get("id", "")))
except (NotFound, ValueError):
    rows.stop_with(
        "Task not found",
        "There is no such task, or it is not yours. It may have been deleted.",
        "tasks/list.py",
        "All tasks",
    )

st.set_page_config(page_title=f"{task_status.status_name(task)} · {first_line(task.prompt, 40)} · Taskdeck")
with st.container(horizontal=True, horizontal_alignment="distribute"):
    st.page_link("tasks/list.py", label="All tasks", icon=":material/arrow_back:")
    with st.container(horizontal=True, width="content"):
        again = st.button("Run again", icon=":material/replay:")
        delete = st.button("Delete", icon=":material/delete:")
if again:
    st.switch_page("tasks/new.py", query_params={"again": str(task.id)})
if delete:
    confirm_delete(task)
st.header(plain(first_line(task.prompt)), anchor=False)
if first_line(task.prompt) != task.prompt:
    with st.expander("The whole prompt"):
        st.code(task.prompt, language=None, wrap_lines=True)
origin(task)

if task.status in ENDED:
    settled(task.id)
else:
    live(task.id)
st.download_button(
    "Download the log",
    data=for_download(lambda actor: whole_log(actor, task)),
    file_name=f"task-{task.id}-log.txt",
    on_click="ignore",
    icon=":material/download:",
)
if task.finished_at and (retention := settings().retention):
    st.caption(
        f"It is deleted after {times.moment(task.finished_at + timedelta(days=retention))}, "
        f"{days(retention)} after its end."
    )
