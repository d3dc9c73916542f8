"""GET /api/tasks/{id}/events from the real server: nothing on its way holds a stream back, or the server's end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.streams import Event, events, until
from tests.support.server import Server

#: As a browser asks: what goes out must not wait until there is enough of it to be worth packing.
BROWSER = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate, br"}

NEW = {"prompt": "Profile the data", "selectedAgent": "data-processor"}


@contextmanager
def stream(client: httpx.Client, task_id: str) -> Iterator[Iterator[Event]]:
    with client.stream("GET", f"/tasks/{task_id}/events", headers=BROWSER) as answer:
        yield events(answer)


def looks(client: httpx.Client) -> float:
    """How often this server has looked for all of its streams."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == "taskdeck_polls_total"]
    return sum(sample.value for sample in samples if sample.labels["view"] == "events")


@pytest.mark.parametrize(
    "command",
    ["streamlit run app.py --server.port {port}", "uvicorn app:app --port {port}"],
    ids=["streamlit", "uvicorn"],
)
def test_a_stream_shows_a_whole_life_and_neither_outlives_its_client_nor_delays_the_servers_end(
    tmp_path: Path, command: str
) -> None:
    server = Server(tmp_path / "server", {"TASKDECK_CONCURRENCY": "1", "TASKDECK_GRACE": "0"}, command)
    token = server.add("ada", "correct horse battery")
    server.start()
    try:
        with server.client(token) as client:
            number = client.post("/tasks", json=NEW).json()["task"]["id"]
            with stream(client, number) as life:
                found = list(life)
            assert found[-1].data == {"reason": "completed"}
            shown = client.get(f"/tasks/{number}").json()["task"]
            assert [event.data for event in found if event.name == "entry"] == shown["logs"]
            states = [event.data for event in found if event.name == "task"]
            assert len({state["progress"] for state in states}) > 3  # as it went on, not in one piece
            assert (states[-1]["status"], states[-1]["progress"]) == ("completed", 100)

            last = [client.post("/tasks", json=NEW).json()["task"]["id"] for _ in range(6)][-1]
            with stream(client, last) as life:
                until(life, "task", status="pending")
            time.sleep(0.5)  # it has noticed by now that nobody reads any more
            before = looks(client)
            assert before > 0
            time.sleep(0.5), time.sleep(0.5), time.sleep(0.5)
            assert looks(client) == before

            with stream(client, last) as life:
                until(life, "task")
                asked_at = time.monotonic()
                server.process.terminate()
                assert "end" not in [event.name for event in life]
                assert server.process.wait(20) == 0
                assert time.monotonic() - asked_at < 8
    finally:
        server.stop()
    assert "Traceback" not in server.said()
