"""Hand a task to an agent."""

import streamlit as st

from core import repositories, tasks
from core.agents import DEFAULT, agents
from core.errors import InvalidInput
from pages.authenticator import require_actor

actor = require_actor()
known = agents()
reasons = {name: agent.unavailable() for name, agent in known.items()}
usable = [name for name, reason in reasons.items() if reason is None]
missing = [name for name, reason in reasons.items() if reason is not None]

st.title("New task", anchor=False)

name = st.radio(
    "Agent",
    usable,
    index=usable.index(DEFAULT) if DEFAULT in usable else 0,
    format_func=lambda name: known[name].title,
    captions=[known[name].summary for name in usable],
    key="agent",
    persist_state="session",
)
agent = known[name]
model = st.selectbox("Model", agent.models, key=f"model-{name}") if agent.models else None


def use_example() -> None:
    if st.session_state.get("example"):
        st.session_state["prompt"] = st.session_state["example"]


prompt = st.text_area(
    "What should it do?",
    key="prompt",
    height=140,
    max_chars=tasks.PROMPT_CHARACTERS,
    placeholder="Say what you want to know or to have done.",
    persist_state="session",
)
if agent.examples:
    st.pills("Examples", agent.examples, key="example", on_change=use_example)
repository = st.text_input(
    "Repository (optional)",
    key="repository",
    max_chars=repositories.ADDRESS_CHARACTERS,
    placeholder="https://host/owner/name",
    persist_state="session",
)
st.caption("Cloned without user name or password, so it must be open to everybody.")

if st.button("Create task", type="primary", icon=":material/play_arrow:"):
    try:
        task = tasks.create(actor, prompt or "", repository, name, model)
    except InvalidInput as error:
        st.error(error.message)
    else:
        for key in ("prompt", "repository", "example"):
            st.session_state.pop(key, None)
        st.switch_page("task_detail.py", query_params={"id": str(task.id)})

if missing:
    with st.expander(f"{len(missing)} agents are not set up here"):
        st.radio(
            "Agents that are not set up",
            missing,
            index=None,
            format_func=lambda name: known[name].title,
            captions=[reasons[name] or "" for name in missing],
            disabled=True,
            label_visibility="collapsed",
        )
