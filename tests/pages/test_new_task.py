import pytest

from core import tasks
from core.ownership import Actor
from tests.pages.conftest import Open


def create(app):
    return next(button for button in app.button if button.label == "Create task").click().run()


def test_a_task_is_created_as_typed(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "new_task")
    app.text_area[0].input("  Profile the data  ")
    create(app)
    (task,) = tasks.page(ada).tasks
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
    assert tasks.page(ada).tasks == []


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
