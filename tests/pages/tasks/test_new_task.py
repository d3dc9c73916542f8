from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.agents.catalog import catalog
from core.database.ownership import Actor
from core.tasks import commands, listing, logs
from tests.pages.conftest import Open
from tests.pages.widgets import captions, press
from tests.support.world import World

Settle = Callable[[str], None]


def create(app: AppTest) -> AppTest:
    return press(app, "Create task")


def again(app: AppTest) -> AppTest:
    return press(app, "Run again")


def type_in(app: AppTest, prompt: str, repository: str = "") -> AppTest:
    app.text_area[0].input(prompt)
    app.text_input[0].input(repository)
    return app


def test_a_task_is_created_as_typed_and_what_cannot_be_used_is_said_and_not_lost(as_ada: Open, ada: Actor) -> None:
    app = as_ada("tasks/new")
    app.button_group[0].set_value("Compare the regions and find the outliers.")
    assert app.run().text_area[0].value == "Compare the regions and find the outliers."
    for prompt, repository, sentence in (
        ("   ", "", "The prompt is empty"),
        ("Go", "https://user:pass@host/x", "Leave the user name and password out"),
        ("Go", "file:///etc", "Folders of this machine"),
    ):
        create(type_in(app, prompt, repository))
        assert sentence in app.error[0].value
        assert (app.text_area[0].value, app.text_input[0].value) == (prompt, repository)
        assert listing.page(ada).tasks == []
    create(type_in(app, "  Profile the data  "))
    (task,) = listing.page(ada).tasks
    assert (task.prompt, task.selected_agent, task.repo_url) == ("Profile the data", "data-processor", None)


@pytest.fixture
def settle(world: World, monkeypatch: pytest.MonkeyPatch) -> Settle:
    """Write agents.toml, on a server where claude has its key and programs need no sandbox."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a key")

    def write(text: str) -> None:
        (world.folder / "agents.toml").write_text(text)
        world.settle(TASKDECK_SANDBOX="none")
        catalog.cache_clear()

    return write


READY = "[agents.claude]\ncommand = ['sh']\n"
AWAY = "[agents.claude]\ncommand = ['/no/such/claude']\n[agents.codex]\ncommand = ['/no/such/codex']\n"
RECIPES = "[agents.shell]\nrecipes = { test = ['make', 'test'] }\n"


def test_agents_that_are_not_set_up_are_disabled_with_the_reason_and_one_sentence_says_what_to_do(
    as_ada: Open, as_grace: Open, settle: Settle
) -> None:
    settle(AWAY)
    app = as_ada("tasks/new")
    usable, missing = app.radio
    assert usable.options == ["Data processor", "Code review", "Deployment bot", "Shell"]
    assert (usable.value, usable.disabled) == ("data-processor", False)
    assert (missing.options, missing.disabled) == (["Claude Code", "Codex"], True)
    assert "claude is not set up: there is no program /no/such/claude" in missing.proto.captions[0]
    usual = ":material/lightbulb: Claude Code is the usual choice, but it is not set up here. "
    assert usual + "Ask an administrator to set it up." in captions(app)
    how = "Install it and give the server its key: the README's section Agents says how."
    assert usual + how in captions(as_grace("tasks/new"))


def test_the_usual_agent_is_chosen_beforehand_where_it_is_set_up(as_ada: Open, ada: Actor, settle: Settle) -> None:
    settle(READY)
    app = as_ada("tasks/new")
    assert (app.radio[0].value, app.selectbox[0].options) == ("claude", ["sonnet", "opus", "haiku"])
    assert not any("usual choice" in caption for caption in captions(app))
    create(type_in(app, "Fix the test"))
    (task,) = listing.page(ada).tasks
    assert (task.selected_agent, task.selected_model) == ("claude", "sonnet")


def test_a_model_of_one_s_own_can_be_typed_where_the_list_is_open(as_ada: Open, ada: Actor, settle: Settle) -> None:
    settle(READY + "allow_other_models = true\n")
    commands.create(ada, prompt="Fix the test", model="claude-3-opus-20240229")
    app = as_ada("tasks/new", again="1")
    # AppTest cannot type into it; what was typed before is kept.
    assert app.selectbox[0].proto.accept_new_options
    assert (app.selectbox[0].value, list(app.warning)) == ("claude-3-opus-20240229", [])
    settle(READY)
    app = as_ada("tasks/new", again="1")
    assert "has no model claude-3-opus-20240229 any more" in app.warning[0].value
    assert (app.selectbox[0].value, app.selectbox[0].proto.accept_new_options) == ("sonnet", False)


def test_what_an_agent_needs_is_said_before_the_button_is_pressed(as_ada: Open, settle: Settle) -> None:
    settle(AWAY + RECIPES)
    app = as_ada("tasks/new")
    for agent, prompt, repository, words in (
        ("code-review", "", "https://git.example.org/a/b", ""),
        ("shell", " test please ", " ", ""),
        ("data-processor", "", "", ""),
        ("code-review", "", "", "works on a repository: give its address"),
        ("shell", "", "", "Begin the prompt with the name of a recipe: test; or"),
    ):
        app.radio[0].set_value(agent)
        said = "\n".join(captions(type_in(app, prompt, repository).run())).replace("\\", "")
        assert (words in said) if words else (":material/info:" not in said)
        if words:
            assert words in create(type_in(app, "x")).error[0].value
            assert not any(":material/info:" in caption for caption in captions(app))


def test_a_task_runs_again_with_what_was_changed_and_an_agent_that_is_not_set_up_here_is_named(
    as_ada: Open, ada: Actor
) -> None:
    address = "https://git.example.org/x"
    first = commands.create(ada, prompt="Profile the data", repo_url=address, agent="data-processor")
    app = as_ada("tasks/new", again=str(first.id))
    assert app.title[0].value == "Run again"
    assert (app.text_area[0].value, app.text_input[0].value) == ("Profile the data", address)
    app.text_input[0].input("https://git.example.org/y")
    again(app)
    second, _ = listing.page(ada).tasks
    assert (second.rerun_of, second.prompt, second.repo_url) == (first.id, first.prompt, "https://git.example.org/y")
    changed = "Runs task 1 again: repository https://git.example.org/x -> https://git.example.org/y."
    assert logs.after(ada, second.id)[0].message == changed
    other = commands.create(ada, prompt="Write code", agent="claude")
    app = as_ada("tasks/new", again=str(other.id))
    assert app.warning[0].value.startswith("claude is not set up")
    again(app)
    assert listing.page(ada).tasks[0].selected_agent == "data-processor"


def test_a_re_run_leaves_the_draft_of_a_new_task_alone_and_a_second_one_begins_with_the_first_task_again(
    as_ada: Open, ada: Actor, world: World
) -> None:
    other = world.script_agent("other", "")
    first = commands.create(ada, prompt="Profile the data", agent="data-processor")
    app = as_ada("tasks/new")
    app.text_area[0].input("half a thought").run()
    app.query_params["again"] = str(first.id)
    assert app.run().text_area[0].value == "Profile the data"
    app.query_params.clear()
    assert app.run().text_area[0].value == "half a thought"
    app = as_ada("tasks/new", again=str(first.id))
    app.radio[0].set_value(other)
    again(app)
    assert listing.page(ada).tasks[0].selected_agent == other
    app.switch_page("tasks/new.py")
    app.query_params["again"] = str(first.id)
    assert app.run().radio[0].value == "data-processor"


@pytest.mark.attack(23)
def test_what_cannot_run_again_becomes_a_new_task(as_ada: Open, bob: Actor) -> None:
    theirs = commands.create(bob, prompt="A secret", agent="data-processor")
    for asked in ("999", "abc", "-1", str(theirs.id)):
        app = as_ada("tasks/new", again=asked)
        assert not app.exception
        assert app.title[0].value == "New task"
        assert "not there any more" in app.warning[0].value
        assert app.text_area[0].value == ""
