import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.api.calls import Caller

#: The contract's calls.
CALLS = {
    *(("get", "/tasks"), ("post", "/tasks"), ("delete", "/tasks"), ("get", "/tasks/{task_id}")),
    *(("delete", "/tasks/{task_id}"), ("get", "/tasks/{task_id}/logs"), ("get", "/tasks/{task_id}/artifacts/")),
    *(("get", "/tasks/{task_id}/artifacts/{name}"), ("get", "/agents"), ("get", "/health")),
    *(("get", "/tasks/{task_id}/events"), ("post", "/tasks/{task_id}/cancel"), ("post", "/tasks/{task_id}/extend")),
    *(("post", "/tasks/{task_id}/rerun"), ("get", "/tasks/{task_id}/artifacts.zip"), ("get", "/metrics")),
}


@pytest.fixture
def schema(anybody: Caller) -> dict[str, Any]:
    answer = anybody.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def calls(schema: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): call for path, methods in schema["paths"].items() for method, call in methods.items()}


def test_the_examples_of_a_task_and_of_a_rerun_can_be_sent_as_they_are(by_ada: Caller, schema: dict[str, Any]) -> None:
    tasks, reruns = (schema["components"]["schemas"][name]["examples"] for name in ("NewTask", "Rerun"))
    assert len(tasks) >= 2 and len(reruns) >= 2 and {} in reruns
    for example in tasks:
        task = by_ada.post("/tasks", json=example).json()["task"]
        assert (task["prompt"], task["selected_agent"]) == (example["prompt"], example["selectedAgent"])
    number = by_ada.post("/tasks", json={"prompt": "Count"}).json()["task"]["id"]
    for example in reruns:
        task = by_ada.post(f"/tasks/{number}/rerun", json=example).json()["task"]
        assert task["selected_agent"] == example.get("selectedAgent", "claude")


def test_each_call_has_a_sentence_and_says_which_answers_it_gives_and_whom_it_asks_for(schema: dict[str, Any]) -> None:
    schemes = schema["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    for (method, path), call in calls(schema).items():
        assert call["summary"] and call["description"].endswith("."), path
        made = (method, path) in (("post", "/tasks"), ("post", "/tasks/{task_id}/rerun"))
        successes = {status for status in call["responses"] if status < "3"} - {"204" if "/events" in path else ""}
        assert successes == {"201" if made else "200"}, path
        assert all(answer["description"] for answer in call["responses"].values()), path
        asked = {name for way in call.get("security", []) for name in way}
        assert asked == (set() if path == "/health" else set(schemes)), path


def test_what_is_no_json_is_described_so_and_the_calls_of_the_contract_are_at_their_address(
    schema: dict[str, Any],
) -> None:
    assert [server["url"] for server in schema["servers"]] == ["/api"]
    assert set(calls(schema)) == CALLS
    for path, kind in (("/tasks/{task_id}/events", "text/event-stream"), ("/metrics", "text/plain")):
        (described,) = schema["paths"][path]["get"]["responses"]["200"]["content"]
        assert described.partition(";")[0] == kind, path


def test_every_error_is_described_as_it_is_and_422_is_none_of_them(schema: dict[str, Any]) -> None:
    for (method, path), call in calls(schema).items():
        assert "422" not in call["responses"], (method, path)
        for status in [status for status in call["responses"] if status >= "400"]:
            content = call["responses"][status]["content"]
            assert list(content) == ["application/json"], (method, path, status)
            what = "Health" if (path, status) == ("/health", "503") else "Failure"
            described = content["application/json"]["schema"]
            assert described == {"$ref": f"#/components/schemas/{what}"}, (method, path, status)
    assert "error" in schema["components"]["schemas"]["Health"]["properties"]
    assert set(schema["components"]["schemas"]["Failure"]["properties"]) == {"error"}


class Addresses(HTMLParser):
    """What a page makes a browser load, or leads to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_documentation_comes_whole_from_this_server(anybody: Caller) -> None:
    answer = anybody.get("/docs")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    addresses = Addresses(answer.text).found
    assert any(address.endswith(".js") for address in addresses)
    assert any(address.endswith(".css") for address in addresses)
    for address in addresses:
        assert not re.match(r"(\w+:)?/", address), address  # below the page, wherever a proxy has put it
        asset = anybody.get(f"/{address}")
        assert asset.status_code == 200 and len(asset.content) > 500, address
    assert not re.search(r"(?:src|href|url)\s*[=:]\s*['\"]?(?:https?:)?//", answer.text)
    assert re.search(r"url:\s*['\"]openapi\.json['\"]", answer.text)
