"""What cannot be answered: the right status and one sentence."""

import base64
import logging
import re
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from core.database.models import Task
from core.database.ownership import Actor, OwnershipViolation
from core.errors import ConfigurationError
from core.runner import health
from core.tasks import artifacts, commands, listing, logs
from tests.api.calls import TASK_CALLS, Caller, rows, same, sentence, stored
from tests.api.conftest import MakeTask


@pytest.mark.parametrize(("method", "path"), TASK_CALLS)
def test_an_id_that_cannot_be_is_an_absent_task(by_ada: Caller, mine: MakeTask, method: str, path: str) -> None:
    mine()
    before = stored()
    absent = by_ada.call(method, f"/tasks/987654{path}")
    assert (absent.status_code, sentence(absent)) == (404, "There is no such task.")
    for task_id in ("0", "-1", "abc", str(2**63), str(10**30), "9" * 5_000, "1.5", "%00", "1%00", "1e3"):
        assert same(by_ada.call(method, f"/tasks/{task_id}{path}"), absent), task_id
    assert stored() == before


def cursor(text: str | bytes) -> str:
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).decode()


#: More of them are refused in tests/core/tasks/test_listing.py.
CURSORS = [
    *("garbage", "%00", "ключ", "x" * 10_000, cursor(b"\xff\xfe"), cursor("2026-01-05T00:00:00 1"), cursor("\0 1")),
    *(cursor("9999-12-31T23:59:59-14:00 1"), cursor(f"2026-01-05T00:00:00+00:00 {'9' * 5_000}")),
]


def test_a_question_to_the_list_that_makes_no_sense_is_refused_by_its_name(by_ada: Caller) -> None:
    for name, values in {
        "cursor": CURSORS,
        "limit": ("0", "-1", "201", "abc", "1.5", "", str(2**70), "9" * 5_000),
        "status": ("nonsense", "Pending", "failed", "\0"),
        "logs": ("nonsense", "ALL", "\0"),
        "q": ("x" * 201,),
    }.items():
        for value in values:
            answer = by_ada.get("/tasks", params={name: value})
            assert answer.status_code == 400, (name, value)
            assert re.match(rf"{name}\b", sentence(answer))


def test_a_bulk_deletion_without_the_two_words_is_refused_and_deletes_nothing(by_ada: Caller, mine: MakeTask) -> None:
    mine("completed"), mine("error")
    for asked in (
        "",
        "?actions=completed",
        *(f"?action={word}" for word in ("", "all", "completed,,failed", "%00", "*")),
    ):
        answer = by_ada.delete(f"/tasks{asked}")
        assert answer.status_code == 400
        assert "completed" in sentence(answer) and "failed" in sentence(answer)
    assert rows(Task) == 2


def test_an_unknown_address_is_a_404_and_a_wrong_method_a_405_in_the_usual_form(by_ada: Caller) -> None:
    for path in ("/", "/nothing", "/tasks/1/nothing", "/%2e%2e/secret", "/%00", "/v1/tasks", "/docs/x"):
        answer = by_ada.get(path, follow_redirects=True)
        assert answer.status_code == 404 and sentence(answer), path
    for method, path in (
        *(("PUT", "/tasks"), ("PATCH", "/tasks/1"), ("POST", "/tasks/1"), ("POST", "/health"), ("DELETE", "/agents")),
        *(("OPTIONS", "/tasks"), ("TRACE", "/tasks"), ("POST", "/tasks/1/logs"), ("GET", "/session")),
        *(("GET", "/tasks/1/cancel"), ("DELETE", "/tasks/1/extend"), ("PUT", "/tasks/1/rerun")),
        *(("POST", "/tasks/1/events"), ("POST", "/metrics"), ("NONSENSE", "/tasks")),
    ):
        answer = by_ada.call(method, path, json={"prompt": "Count"})
        assert answer.status_code == 405 and sentence(answer) and answer.headers["allow"], (method, path)
    assert rows(Task) == 0


FAULTS = [
    ("GET", "/tasks", listing, "page", RuntimeError),
    ("POST", "/tasks", commands, "create", RuntimeError),
    ("DELETE", "/tasks?action=failed", commands, "delete_ended", RuntimeError),
    ("GET", "/tasks/1", commands, "find", OwnershipViolation),
    ("GET", "/tasks/1/logs", logs, "after", AssertionError),
    ("GET", "/tasks/1/artifacts/", artifacts, "of", KeyError),
    ("GET", "/metrics", health, "load", RuntimeError),
    ("POST", "/tasks", commands, "create", ConfigurationError),
    ("POST", "/tasks/1/cancel", commands, "cancel", RuntimeError),
    ("POST", "/tasks/1/extend", commands, "extend", ConfigurationError),
    ("POST", "/tasks/1/rerun", commands, "rerun", RuntimeError),
    ("GET", "/tasks/1/events", logs, "after", OwnershipViolation),
]


@pytest.mark.parametrize(
    ("method", "path", "place", "name", "kind"), FAULTS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_fault_of_ours_is_a_500_whose_reference_leads_to_the_server_log(
    by_ada: Caller, caplog: pytest.LogCaptureFixture, method: str, path: str, place: ModuleType, name: str, kind: type
) -> None:
    fault = kind("secret detail")
    with mock.patch.object(place, name, side_effect=fault):
        answer = by_ada.call(method, path, json={"prompt": "Count"})
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    (reference,) = re.findall(r"\b[0-9a-f]{8,}\b", sentence(answer))
    assert reference == answer.headers["x-request-id"]
    (record,) = [record for record in caplog.records if reference in record.getMessage()]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None and record.exc_info[1] is fault
    assert by_ada.get("/health?live=true").status_code == 200


def parts(size: int) -> Iterator[bytes]:
    yield b'{"prompt": "'
    yield b"x" * size


@pytest.mark.parametrize("content", [b"x" * (2**20 + 1), parts(2**20)], ids=["declared", "in parts"])
def test_a_body_over_a_mebibyte_is_refused_unread(by_ada: Caller, ada: Actor, content: Any) -> None:
    async def sent() -> AsyncIterator[bytes]:
        for part in content:
            yield part

    given = content if isinstance(content, bytes) else sent()
    answer = by_ada.post("/tasks", content=given, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (413, {"error": "The body is too large: at most 1 MiB."})
    assert listing.page(ada).tasks == []
