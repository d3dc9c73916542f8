from collections.abc import Callable

import pytest

from core import listing, logs, tasks
from core.ownership import Actor
from tests.pages.conftest import Open


def create(app):
    return next(button for button in app.button if button.label == "Create task").click().run()


def test_a_task_is_created_as_typed(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "new_task")
    app.text_area[0].input("  Profile the data  ")
    create(app)
    (task,) = listing.page(ada).tasks
    assert (task.prompt, task.selected_agent, task.repo_url) == ("Profile the data", "data-processor", None)


@pytest.mark.parametrize(
    ("prompt", "repository", "sentence"),
    [
        ("   ", "", "The prompt is empty"),
        ("Go", "https://user:pass@host/x", "Leave the user name and password out"),
        ("Go", "file:///etc", "Folders of this machine"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_lost(
    open_app: Open, ada: Actor, prompt: str, repository: str, sentence: str
) -> None:
    app = open_app(ada, "new_task")
    app.text_area[0].input(prompt)
    app.text_input[0].input(repository)
    create(app)
    assert sentence in app.error[0].value
    assert (app.text_area[0].value, app.text_input[0].value) == (prompt, repository)
    assert listing.page(ada).tasks == []


def test_an_example_fills_the_prompt(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "new_task")
    app.button_group[0].set_value("Compare the regions and find the outliers.")
    app.run()
    assert app.text_area[0].value == "Compare the regions and find the outliers."


def test_agents_that_are_not_set_up_are_disabled_with_the_reason(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "new_task")
    usable, missing = app.radio
    assert (usable.options, usable.disabled) == (["Data processor"], False)
    assert "Claude Code" in missing.options
    assert missing.disabled
    assert any("claude is not set up" in caption for caption in missing.proto.captions)


def again(app):
    return next(button for button in app.button if button.label == "Run again").click().run()


def test_a_task_runs_again_with_what_was_changed(open_app: Open, ada: Actor) -> None:
    first = tasks.create(ada, "Profile the data", "https://h/x", "data-processor")
    app = open_app(ada, "new_task", again=str(first.id))
    assert (app.title[0].value, app.text_area[0].value, app.text_input[0].value) == (
        "Run again",
        "Profile the data",
        "https://h/x",
    )
    app.text_input[0].input("https://h/y")
    again(app)
    second, _ = listing.page(ada).tasks
    assert (second.rerun_of, second.prompt, second.repo_url) == (first.id, "Profile the data", "https://h/y")
    assert logs.after(ada, second.id)[0].message == "Runs task 1 again: repository https://h/x -> https://h/y."


def test_a_second_re_run_begins_with_the_first_task_again(
    open_app: Open, ada: Actor, script_agent: Callable[[str, str], str]
) -> None:
    other = script_agent("other", "")
    first = tasks.create(ada, "Profile the data", None, "data-processor")
    app = open_app(ada, "new_task", again=str(first.id))
    app.radio[0].set_value(other)
    again(app)
    assert listing.page(ada).tasks[0].selected_agent == other
    app.switch_page("new_task.py")
    app.query_params["again"] = str(first.id)
    assert app.run().radio[0].value == "data-processor"


def test_a_form_for_a_re_run_leaves_the_draft_of_a_new_task_alone(open_app: Open, ada: Actor) -> None:
    first = tasks.create(ada, "Profile the data", None, "data-processor")
    app = open_app(ada, "new_task")
    app.text_area[0].input("half a thought").run()
    app.query_params["again"] = str(first.id)
    assert app.run().text_area[0].value == "Profile the data"
    app.query_params.clear()
    assert app.run().text_area[0].value == "half a thought"


@pytest.mark.attack(23)
@pytest.mark.parametrize("asked", ["999", "abc", "-1", "theirs"])
def test_what_cannot_run_again_becomes_a_new_task(open_app: Open, ada: Actor, bob: Actor, asked: str) -> None:
    theirs = tasks.create(bob, "A secret", None, "data-processor")
    app = open_app(ada, "new_task", again=str(theirs.id) if asked == "theirs" else asked)
    assert not app.exception
    assert app.title[0].value == "New task"
    assert "not there any more" in app.warning[0].value
    assert app.text_area[0].value == ""


def test_an_agent_that_is_not_set_up_here_is_named_before_a_task_runs_again(open_app: Open, ada: Actor) -> None:
    first = tasks.create(ada, "Write code", None, "claude")
    app = open_app(ada, "new_task", again=str(first.id))
    assert app.warning[0].value.startswith("claude is not set up")
    again(app)
    assert listing.page(ada).tasks[0].selected_agent == "data-processor"
