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
def test_my_tasks_are_listed_newest_first_as_text_and_nobody_elses(as_ada: Open, ada: Actor, bob: Actor) -> None:
    make(ada, "first", "![x](https://evil.example/p.png) **bold** <b>")
    make(bob, "a secret")
    assert links(as_ada()) == [r"\!\[x\]\(https\://evil\.example/p\.png\) \*\*bold\*\* \<b\>", "first"]


def test_the_chips_count_and_filter_and_the_address_leads_also_when_the_browser_goes_back(
    as_ada: Open, ada: Actor
) -> None:
    make(ada, "done", "waiting")
    end(EndReason.COMPLETED)
    app = as_ada()
    chips = [option.content for option in app.get("button_group")[0].proto.options]
    assert chips == ["All 2", "Pending 1", "Running 0", "Completed 1", "Failed 0"]
    assert links(as_ada(q="wait")) == ["waiting"]
    assert "No task matches" in html(as_ada(status="error"))
    app = as_ada(status="completed")
    assert links(app) == ["done"]
    del app.query_params["status"]
    assert links(app.run()) == ["waiting", "done"]
    app.query_params["status"], app.query_params["before"] = "no such status", "made up"
    assert links(app.run()) == ["waiting", "done"]
    assert not app.exception and "before" not in app.query_params


def test_the_pages_hold_every_task_once(as_ada: Open, ada: Actor) -> None:
    names = [f"task {number:02}" for number in range(30)]
    make(ada, *names)
    app = as_ada()
    newest = links(app)
    assert newest + links(press(app, "Older")) == names[::-1]
    assert links(press(app, "Newest")) == newest
