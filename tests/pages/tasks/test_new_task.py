from collections.abc import Callable
from pathlib import Path

import pytest

from core import config
from core.agents.catalog import catalog
from core.database.models import Role
from core.database.ownership import Actor
from core.identity import people
from core.tasks import commands, listing, logs
from tests.pages.conftest import Open
from tests.support.world import World


def create(app):
    return next(button for button in app.button if button.label == "Create task").click().run()


def test_a_task_is_created_as_typed(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "tasks/new")
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
    app = open_app(ada, "tasks/new")
    app.text_area[0].input(prompt)
    app.text_input[0].input(repository)
    create(app)
    assert sentence in app.error[0].value
    assert (app.text_area[0].value, app.text_input[0].value) == (prompt, repository)
    assert listing.page(ada).tasks == []


def test_an_example_fills_the_prompt(open_app: Open, ada: Actor) -> None:
    app = open_app(ada, "tasks/new")
    app.button_group[0].set_value("Compare the regions and find the outliers.")
    app.run()
    assert app.text_area[0].value == "Compare the regions and find the outliers."


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write agents.toml, on a server where claude has its key and programs need no box."""
    monkeypatch.setenv("TASKDECK_SANDBOX", "none")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a key")

    def write(text: str) -> None:
        (tmp_path / "agents.toml").write_text(text)
        for cached in (config.settings, catalog):
            cached.cache_clear()

    return write


READY = "[agents.claude]\ncommand = ['sh']\n"
AWAY = "[agents.claude]\ncommand = ['/no/such/claude']\n[agents.codex]\ncommand = ['/no/such/codex']\n"
RECIPES = "[agents.shell]\nrecipes = { test = ['make', 'test'] }\n"


def captions(app) -> str:
    return "\n".join(caption.value for caption in app.caption)


def test_agents_that_are_not_set_up_are_disabled_with_the_reason(
    open_app: Open, ada: Actor, settle: Callable[[str], None]
) -> None:
    settle(AWAY)
    app = open_app(ada, "tasks/new")
    usable, missing = app.radio
    assert usable.options == ["Data processor", "Code review", "Deployment bot", "Shell"]
    assert (usable.value, usable.disabled) == ("data-processor", False)
    assert (missing.options, missing.disabled) == (["Claude Code", "Codex"], True)
    assert "claude is not set up: there is no program /no/such/claude" in missing.proto.captions[0]


def test_the_usual_agent_is_chosen_beforehand_where_it_is_set_up(
    open_app: Open, ada: Actor, settle: Callable[[str], None]
) -> None:
    settle(READY)
    app = open_app(ada, "tasks/new")
    assert (app.radio[0].value, app.selectbox[0].options) == ("claude", ["sonnet", "opus", "haiku"])
    assert "usual choice" not in captions(app)
    app.text_area[0].input("Fix the test")
    create(app)
    (task,) = listing.page(ada).tasks
    assert (task.selected_agent, task.selected_model) == ("claude", "sonnet")


@pytest.mark.parametrize(("role", "words"), [(Role.ADMIN, "section Agents says how"), (Role.MEMBER, "ask an admin")])
def test_where_the_usual_agent_is_not_set_up_one_sentence_says_what_to_do(
    open_app: Open, settle: Callable[[str], None], role: Role, words: str
) -> None:
    settle(AWAY)
    grace = people.add("grace", "grace@example.org", "Grace", "correct horse battery", role)
    said = captions(open_app(grace, "tasks/new"))
    assert "Claude Code is the usual choice. To have it here, " in said and words in said


def test_a_model_of_one_s_own_can_be_typed_where_the_list_is_open(
    open_app: Open, ada: Actor, settle: Callable[[str], None]
) -> None:
    settle(READY + "allow_other_models = true\n")
    commands.create(ada, prompt="Fix the test", model="claude-3-opus-20240229")
    app = open_app(ada, "tasks/new", again="1")
    # AppTest cannot type into it; what was typed before is kept.
    assert app.selectbox[0].proto.accept_new_options
    assert (app.selectbox[0].value, list(app.warning)) == ("claude-3-opus-20240229", [])
    settle(READY)
    app = open_app(ada, "tasks/new", again="1")
    assert "has no model claude-3-opus-20240229 any more" in app.warning[0].value
    assert (app.selectbox[0].value, app.selectbox[0].proto.accept_new_options) == ("sonnet", False)


@pytest.mark.parametrize(
    ("agent", "prompt", "repository", "words"),
    [
        ("code-review", "", "", "works on a repository: give its address"),
        ("code-review", "", "https://git.example.org/a/b", ""),
        ("shell", "", "", "Begin the prompt with the name of a recipe: test; or"),
        ("shell", " test please ", " ", ""),
        ("data-processor", "", "", ""),
    ],
)
def test_what_an_agent_needs_is_said_before_the_button_is_pressed(
    open_app: Open,
    ada: Actor,
    settle: Callable[[str], None],
    agent: str,
    prompt: str,
    repository: str,
    words: str,
) -> None:
    settle(AWAY + RECIPES)
    app = open_app(ada, "tasks/new")
    app.radio[0].set_value(agent)
    app.text_area[0].input(prompt)
    app.text_input[0].input(repository)
    said = captions(app.run()).replace("\\", "")
    assert (words in said) if words else (":material/info:" not in said)
    if words:
        app.text_area[0].input("x")
        assert words in create(app).error[0].value
        assert ":material/info:" not in captions(app)


def again(app):
    return next(button for button in app.button if button.label == "Run again").click().run()


def test_a_task_runs_again_with_what_was_changed(open_app: Open, ada: Actor) -> None:
    first = commands.create(
        ada, prompt="Profile the data", repo_url="https://git.example.org/x", agent="data-processor"
    )
    app = open_app(ada, "tasks/new", again=str(first.id))
    assert (app.title[0].value, app.text_area[0].value, app.text_input[0].value) == (
        "Run again",
        "Profile the data",
        "https://git.example.org/x",
    )
    app.text_input[0].input("https://git.example.org/y")
    again(app)
    second, _ = listing.page(ada).tasks
    assert (second.rerun_of, second.prompt, second.repo_url) == (
        first.id,
        "Profile the data",
        "https://git.example.org/y",
    )
    assert (
        logs.after(ada, second.id)[0].message
        == "Runs task 1 again: repository https://git.example.org/x -> https://git.example.org/y."
    )


def test_a_second_re_run_begins_with_the_first_task_again(open_app: Open, ada: Actor, world: World) -> None:
    other = world.script_agent("other", "")
    first = commands.create(ada, prompt="Profile the data", agent="data-processor")
    app = open_app(ada, "tasks/new", again=str(first.id))
    app.radio[0].set_value(other)
    again(app)
    assert listing.page(ada).tasks[0].selected_agent == other
    app.switch_page("tasks/new.py")
    app.query_params["again"] = str(first.id)
    assert app.run().radio[0].value == "data-processor"


def test_a_form_for_a_re_run_leaves_the_draft_of_a_new_task_alone(open_app: Open, ada: Actor) -> None:
    first = commands.create(ada, prompt="Profile the data", agent="data-processor")
    app = open_app(ada, "tasks/new")
    app.text_area[0].input("half a thought").run()
    app.query_params["again"] = str(first.id)
    assert app.run().text_area[0].value == "Profile the data"
    app.query_params.clear()
    assert app.run().text_area[0].value == "half a thought"


@pytest.mark.attack(23)
@pytest.mark.parametrize("asked", ["999", "abc", "-1", "theirs"])
def test_what_cannot_run_again_becomes_a_new_task(open_app: Open, ada: Actor, bob: Actor, asked: str) -> None:
    theirs = commands.create(bob, prompt="A secret", agent="data-processor")
    app = open_app(ada, "tasks/new", again=str(theirs.id) if asked == "theirs" else asked)
    assert not app.exception
    assert app.title[0].value == "New task"
    assert "not there any more" in app.warning[0].value
    assert app.text_area[0].value == ""


def test_an_agent_that_is_not_set_up_here_is_named_before_a_task_runs_again(open_app: Open, ada: Actor) -> None:
    first = commands.create(ada, prompt="Write code", agent="claude")
    app = open_app(ada, "tasks/new", again=str(first.id))
    assert app.warning[0].value.startswith("claude is not set up")
    again(app)
    assert listing.page(ada).tasks[0].selected_agent == "data-processor"
