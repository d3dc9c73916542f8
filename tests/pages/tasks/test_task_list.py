import pytest

from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner import claims
from core.tasks import commands
from tests.pages.conftest import Open
from tests.pages.widgets import html, links, press


def make(actor: Actor, *prompts: str) -> list[int]:
    return [commands.create(actor, prompt=prompt, agent="data-processor").id for prompt in prompts]


def end(reason: EndReason) -> None:
    held = claims.claim("runner", 30)
    assert held
    claims.finish(held, reason, None if reason is EndReason.COMPLETED else "It failed.")


def test_an_empty_list_says_what_to_do_next(as_ada: Open) -> None:
    app = as_ada()
    assert "No tasks yet" in html(app)
    assert "Create your first task" in links(app)


@pytest.mark.attack(21)
def test_my_tasks_are_listed_newest_first_and_nobody_elses(as_ada: Open, ada: Actor, bob: Actor) -> None:
    make(ada, "first", "second")
    make(bob, "a secret")
    assert links(as_ada()) == ["second", "first"]


def test_a_prompt_is_shown_as_text_never_as_markup(as_ada: Open, ada: Actor) -> None:
    make(ada, "![x](https://evil.example/p.png) **bold** <b>")
    (label,) = links(as_ada())
    assert label == r"\!\[x\]\(https\:\/\/evil\.example\/p\.png\) \*\*bold\*\* \<b\>".replace(r"\/", "/")


def test_the_chips_count_and_filter(as_ada: Open, ada: Actor) -> None:
    make(ada, "done", "waiting")
    end(EndReason.COMPLETED)
    app = as_ada()
    assert [option.content for option in app.get("button_group")[0].proto.options] == (
        ["All 2", "Pending 1", "Running 0", "Completed 1", "Failed 0"]
    )
    assert links(as_ada(status="completed")) == ["done"]
    assert links(as_ada(q="wait")) == ["waiting"]
    assert "No task matches" in html(as_ada(status="error"))


def test_the_pages_hold_every_task_once(as_ada: Open, ada: Actor) -> None:
    make(ada, *(f"task {number:02}" for number in range(30)))
    app = as_ada()
    newest = links(app)
    assert newest + links(press(app, "Older")) == [f"task {number:02}" for number in reversed(range(30))]
    assert links(press(app, "Newest")) == newest


def test_the_address_leads_also_when_the_browser_goes_back(as_ada: Open, ada: Actor) -> None:
    make(ada, "done", "waiting")
    end(EndReason.COMPLETED)
    app = as_ada(status="completed")
    assert links(app) == ["done"]
    del app.query_params["status"]
    app.run()
    assert links(app) == ["waiting", "done"]
    app.query_params["status"] = "no such status"
    app.query_params["before"] = "made up"
    assert links(app.run()) == ["waiting", "done"]
    assert not app.exception and "before" not in app.query_params
