import pytest

from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner import claims
from core.tasks import commands
from tests.pages.conftest import Open


def make(actor: Actor, *prompts: str) -> list[int]:
    return [commands.create(actor, prompt=prompt, agent="data-processor").id for prompt in prompts]


def end(reason: EndReason) -> None:
    held = claims.claim("runner", 30)
    assert held
    claims.finish(held, reason, None if reason is EndReason.COMPLETED else "It failed.")


def links(app) -> list[str]:
    return [element.proto.label for element in app.get("page_link")]


def button(app, label: str):
    return next(button for button in app.button if button.label == label)


def test_an_empty_list_says_what_to_do_next(open_app: Open, ada: Actor) -> None:
    app = open_app(ada)
    assert "No tasks yet" in "".join(element.proto.body for element in app.get("html"))
    assert "Create your first task" in links(app)


@pytest.mark.attack(21)
def test_my_tasks_are_listed_newest_first_and_nobody_elses(open_app: Open, ada: Actor, bob: Actor) -> None:
    make(ada, "first", "second")
    make(bob, "a secret")
    assert links(open_app(ada)) == ["second", "first"]


def test_a_prompt_is_shown_as_text_never_as_markup(open_app: Open, ada: Actor) -> None:
    make(ada, "![x](https://evil.example/p.png) **bold** <b>")
    (label,) = links(open_app(ada))
    assert label == r"\!\[x\]\(https\:\/\/evil\.example\/p\.png\) \*\*bold\*\* \<b\>".replace(r"\/", "/")


def test_the_chips_count_and_filter(open_app: Open, ada: Actor) -> None:
    make(ada, "done", "waiting")
    end(EndReason.COMPLETED)
    app = open_app(ada)
    assert [option.content for option in app.get("button_group")[0].proto.options] == [
        "All 2",
        "Pending 1",
        "Running 0",
        "Completed 1",
        "Failed 0",
    ]
    assert links(open_app(ada, status="completed")) == ["done"]
    assert links(open_app(ada, q="wait")) == ["waiting"]
    assert "No task matches" in "".join(e.proto.body for e in open_app(ada, status="error").get("html"))


def test_the_pages_hold_every_task_once(open_app: Open, ada: Actor) -> None:
    make(ada, *(f"task {number:02}" for number in range(30)))
    app = open_app(ada)
    newest = links(app)
    button(app, "Older").click()
    app.run()
    older = links(app)
    assert newest + older == [f"task {number:02}" for number in reversed(range(30))]
    button(app, "Newest").click()
    app.run()
    assert links(app) == newest


def test_a_page_address_made_by_hand_begins_with_the_newest(open_app: Open, ada: Actor) -> None:
    make(ada, "only one")
    app = open_app(ada, before="made up")
    assert not app.exception
    assert links(app) == ["only one"]
    assert "before" not in app.query_params


def test_the_address_leads_also_when_the_browser_goes_back(open_app: Open, ada: Actor) -> None:
    make(ada, "done", "waiting")
    end(EndReason.COMPLETED)
    app = open_app(ada, status="completed")
    assert links(app) == ["done"]
    del app.query_params["status"]
    app.run()
    assert links(app) == ["waiting", "done"]
    app.query_params["status"] = "no such status"
    app.run()
    assert links(app) == ["waiting", "done"]
