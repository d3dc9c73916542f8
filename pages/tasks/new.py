"""Hand a task to an agent; with ``?again=ID`` a task once more, changed or not."""

import streamlit as st

from core.agents.registry import DEFAULT, agents
from core.database.models import Task
from core.database.roles import Right
from core.errors import InvalidInput, NotFound
from core.repositories import addresses
from core.tasks import commands
from core.words import count
from pages.parts.text import first_line, plain
from pages.session.tab import require_actor

actor = require_actor()
known = agents()
reasons = {name: agent.unavailable() for name, agent in known.items()}
usable = [name for name, reason in reasons.items() if reason is None]
missing = [name for name, reason in reasons.items() if reason is not None]


def repeated() -> Task | None:
    """The task that is to run again."""
    if not (asked := st.query_params.get("again")):
        return None
    try:
        return commands.find(actor, int(asked))
    except (NotFound, ValueError):
        st.warning("The task to run again is not there any more; this will be a new one.", icon=":material/info:")
        return None


def key(name: str) -> str:
    """A widget's key: a task that runs again has a form of its own, beside the one for new tasks."""
    return f"{name}-{first.id}" if first else name


def use_example() -> None:
    if st.session_state.get(key("example")):
        st.session_state[key("prompt")] = st.session_state[key("example")]


first = repeated()
st.title("Run again" if first else "New task", anchor=False)
if first:
    st.page_link(
        "tasks/detail.py",
        label=f"Task {first.id}: {plain(first_line(first.prompt, 60))}",
        query_params={"id": str(first.id)},
        icon=":material/replay:",
    )
    st.caption("Change what should be different. That task stays as it is.")
    if first.selected_agent in usable:
        st.session_state.setdefault(key("agent"), first.selected_agent)
        chosen = known[first.selected_agent].info
        if first.selected_model and (first.selected_model in chosen.models or chosen.allow_other_models):
            st.session_state.setdefault(key(f"model-{first.selected_agent}"), first.selected_model)
        elif first.selected_model:
            st.warning(f"{first.selected_agent} has no model {first.selected_model} any more; choose another one.")
    else:
        st.warning(reasons.get(first.selected_agent) or f"There is no agent {first.selected_agent} any more.")
    st.session_state.setdefault(key("prompt"), first.prompt)
    st.session_state.setdefault(key("repository"), first.repo_url or "")

name = st.radio(
    "Agent",
    usable,
    index=usable.index(DEFAULT) if DEFAULT in usable else 0,
    format_func=lambda name: known[name].info.title,
    captions=[known[name].info.summary for name in usable],
    key=key("agent"),
    persist_state="session",
)
agent = known[name]
if DEFAULT in missing:
    how = (
        "Install it and give the server its key: the README's section Agents says how."
        if actor.role.may(Right.CONFIGURE)
        else "Ask an administrator to set it up."
    )
    st.caption(
        f":material/lightbulb: {known[DEFAULT].info.title} is the usual choice, but it is not set up here. {how}"
    )
model = None
if agent.info.models or agent.info.allow_other_models:
    model = st.selectbox(
        "Model",
        agent.info.models,
        key=key(f"model-{name}"),
        accept_new_options=agent.info.allow_other_models,
        placeholder="Type a model's name" if agent.info.allow_other_models else None,
        help="Another model's name can be typed." if agent.info.allow_other_models else None,
    )

prompt = st.text_area(
    "What should it do?",
    key=key("prompt"),
    height=140,
    max_chars=commands.PROMPT_CHARACTERS,
    placeholder="Say what you want to know or to have done.",
    persist_state="session",
)
if agent.info.examples:
    st.pills("Examples", agent.info.examples, key=key("example"), on_change=use_example)
repository = st.text_input(
    "Repository (optional)",
    key=key("repository"),
    max_chars=addresses.ADDRESS_CHARACTERS,
    placeholder="https://host/owner/name",
    persist_state="session",
)
st.caption("Open to everybody, or on a host that an administrator gave Taskdeck access to.")

need = st.empty()
if st.button("Run again" if first else "Create task", type="primary", icon=":material/play_arrow:"):
    try:
        if first:
            task = commands.rerun(actor, first.id, prompt=prompt or "", repo_url=repository, agent=name, model=model)
        else:
            task = commands.create(actor, prompt=prompt or "", repo_url=repository, agent=name, model=model)
    except (InvalidInput, NotFound) as error:
        st.error(error.message)
    else:
        for field in ("prompt", "repository", "example", *(("agent",) if first else ())):
            st.session_state.pop(key(field), None)
        st.switch_page("tasks/detail.py", query_params={"id": str(task.id)})
elif reason := agent.why_not_accepted((prompt or "").strip(), (repository or "").strip() or None):
    need.caption(f":material/info: {plain(reason)}")

if missing:
    with st.expander(f"{count(len(missing), 'agent is', 'agents are')} not set up here"):
        st.radio(
            "Agents that are not set up",
            missing,
            index=None,
            format_func=lambda name: known[name].info.title,
            captions=[reasons[name] or "" for name in missing],
            disabled=True,
            label_visibility="collapsed",
        )
