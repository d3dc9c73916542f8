"""GET /api/metrics: figures for Prometheus."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from core.database import engine
from core.database.models import EndReason
from core.database.ownership import Actor
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Entry
from tests.api.calls import NEW, Caller
from tests.api.conftest import MakeTask

Figures = dict[tuple[str, ...], float]


def figures(by: Caller) -> Figures:
    """Every figure under its name and the values of its labels."""
    answer = by.get("/metrics")
    assert answer.status_code == 200, answer.text
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    found = {(sample.name, *sorted(sample.labels.values())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def moved(before: Figures, after: Figures, *name: str) -> float:
    """By how much a figure moved; one that is not there yet is 0."""
    return after[name] - before.get(name, 0)


def test_the_answer_is_prometheus_text_with_a_word_on_each_figure_of_ours_and_names_nobody(
    by_ada: Caller, ada: Actor, running: claims.Claim
) -> None:
    claims.record(running, [Entry(LogType.INFO, "our secret plan", engine.now())])
    answer = by_ada.get("/metrics")
    kind, _, more = answer.headers["content-type"].partition(";")
    assert kind == "text/plain" and "version=" in more and "charset=utf-8" in more
    ours = {
        family.name: family.documentation
        for family in text_string_to_metric_families(answer.text)
        if family.name.startswith("taskdeck_") and not family.name.endswith("_created")
    }
    names = "tasks_ended task_duration_seconds task_wait_seconds log_entries polls tasks_pending"
    assert {f"taskdeck_{name}" for name in (*names.split(), "oldest_pending_seconds", "tasks_running")} <= ours.keys()
    assert all(sentence.endswith(".") for sentence in ours.values()), ours
    words = ("secret", "ada", "example.org", str(ada.id), "Count")
    assert not [word for word in words if f'"{word}' in answer.text]


def test_what_waits_and_runs_is_counted_for_everybody_as_it_is_now(
    by_ada: Caller, bob: Actor, mine: MakeTask, make_task: MakeTask, running: claims.Claim
) -> None:
    make_task(bob, created_at=engine.now() - timedelta(seconds=90)), mine(), make_task(bob, "completed")
    now = figures(by_ada)
    assert (now["taskdeck_tasks_pending",], now["taskdeck_tasks_running",]) == (2, 1)
    assert 90 <= now["taskdeck_oldest_pending_seconds",] < 120
    claims.finish(running, EndReason.COMPLETED)
    while claims.claim("runner", 30):
        pass
    later = figures(by_ada)
    assert (later["taskdeck_tasks_pending",], later["taskdeck_tasks_running",]) == (0, 2)
    assert later["taskdeck_oldest_pending_seconds",] == 0


def test_the_figures_move_with_a_tasks_life(by_ada: Caller) -> None:
    """When each of them moves is shown in tests/core/test_metrics.py."""
    before = figures(by_ada)
    assert by_ada.post("/tasks", json=NEW).status_code == 201
    claim = claims.claim("runner", 30)
    assert claim is not None
    claims.finish(claim, EndReason.TIMED_OUT, "Too slow.", entries=[Entry(LogType.INFO, "c", engine.now())])
    after = figures(by_ada)
    for name in ("log_entries_total", "task_wait_seconds_count", "task_duration_seconds_count"):
        assert moved(before, after, f"taskdeck_{name}") == 1, name
    assert moved(before, after, "taskdeck_tasks_ended_total", "timed_out") == 1


def test_each_look_for_a_stream_is_counted(by_ada: Caller, mine: MakeTask) -> None:
    number, before = mine("completed", entries=2), figures(by_ada)
    assert by_ada.get(f"/tasks/{number}/events").status_code == 200
    assert 1 <= moved(before, figures(by_ada), "taskdeck_polls_total", "events") <= 2
