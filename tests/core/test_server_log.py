"""A record in both forms: what a line holds, and what it never does."""

import json
import logging
import sys
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core import server_log
from core.database import engine
from core.database.models import User
from core.database.ownership import Actor
from core.log_text import MASK
from tests.support.databases import unguarded

TEXT, JSON = server_log.TextFormatter(["sword-fish"]), server_log.JSONFormatter(["sword-fish"])


def record(message: str, *values: object, fault: bool = False, **fields: object) -> logging.LogRecord:
    about = sys.exc_info() if fault else None
    made = logging.LogRecord("core.x", logging.WARNING, __file__, 1, message, values, about)
    made.created = 1_764_447_566.25
    vars(made).update(fields)
    return made


@pytest.mark.no_database
def test_a_line_has_time_level_logger_message_and_the_fields_that_are_known() -> None:
    with server_log.bound(request="abc", task=6), server_log.bound(task=7, runner=None):
        one = record("task %s is %s", 7, "here", owner=UUID(int=5), strange="no field")
        assert TEXT.format(one) == (
            "2025-11-29T20:19:26.250Z WARNING core.x: task 7 is here "
            "request=abc task=7 owner=00000000-0000-0000-0000-000000000005"
        )
        assert json.loads(JSON.format(one)) == {
            "time": "2025-11-29T20:19:26.250Z", "level": "warning", "logger": "core.x", "message": "task 7 is here",
            "request": "abc", "task": 7, "owner": "00000000-0000-0000-0000-000000000005",
        }  # fmt: skip
    assert TEXT.format(record("after")).endswith("core.x: after")


@pytest.mark.no_database
@pytest.mark.parametrize(("given", "shown"), [
    ("a\nb\r\x1b[2Jc\u2028\u202e\ud800", r"a\nb\r\x1b[2Jc\u2028\u202e\ud800"), ("it is sword-fish", f"it is {MASK}"),
    ("GET /password?token=the-secret&x=1", f"GET /password?token={MASK}&x=1"), ("tsk_" + "a-_B1" * 8, MASK),
    ("postgresql://app:pw88@db/x", f"postgresql://{MASK}@db/x"), ("x" * 5_000, "x" * server_log.MESSAGE_CHARACTERS),
    ("naïve — 日本語", "naïve — 日本語"),
])  # fmt: skip
def test_a_message_is_one_line_without_secrets(given: str, shown: str) -> None:
    one = record("%s", given, address=given)
    assert json.loads(JSON.format(one))["message"] == shown
    assert TEXT.format(one).startswith(f"2025-11-29T20:19:26.250Z WARNING core.x: {shown} address=")
    assert len(TEXT.format(one).splitlines()) == 1


@pytest.mark.no_database
def test_a_fault_has_its_traceback_and_of_each_message_the_first_line() -> None:
    try:
        try:
            raise ValueError("the first line\nand sword-fish in the second")
        except ValueError as error:
            raise RuntimeError("no sword-fish\nhere") from error
    except RuntimeError:
        one = record("it broke", fault=True)
    lines = TEXT.format(one).splitlines()
    assert lines[0].endswith("core.x: it broke")
    assert all(line.startswith("    ") for line in lines[1:])
    assert [line.strip() for line in lines if "Error: " in line or "led" in line] == [
        "builtins.ValueError: the first line", "which led to:", f"builtins.RuntimeError: no {MASK}",
    ]  # fmt: skip
    assert "test_server_log.py" in lines[1]
    assert json.loads(JSON.format(one))["traceback"].splitlines() == [line[4:] for line in lines[1:]]


@pytest.mark.parametrize("statement", ["SELECT nothing FROM nowhere", "UPDATE tasks SET prompt = NULL"])
def test_an_error_of_the_database_shows_no_statement_no_row_and_no_link(ada: Actor, statement: str) -> None:
    with pytest.raises(SQLAlchemyError) as refused, engine.writing().begin() as connection:
        connection.execute(text(statement))
        connection.execute(text("SELECT nothing FROM nowhere"))
    said = engine.said(refused.value)
    assert said and len(said.splitlines()) == 1
    assert not [word for word in ("SELECT", "UPDATE", "sqlalche", "nowhere (") if word in said]
    twice = User(id=ada.id, username="x", email="the-mail", name="the-name", password_hash="the-hash")
    with pytest.raises(SQLAlchemyError) as refused, unguarded() as session:
        session.add(twice)
        session.flush()
    try:
        raise refused.value
    except SQLAlchemyError:
        shown = TEXT.format(record("it broke", fault=True))
    assert "IntegrityError" in shown
    assert not [word for word in ("[SQL: ", "sqlalche.me", "DETAIL", str(ada.id), "the-hash") if word in shown]


@pytest.mark.no_database
def test_a_secret_at_the_cut_is_hidden_before_the_message_is_cut() -> None:
    shown = TEXT.format(record("%s", "x" * (server_log.MESSAGE_CHARACTERS - 5) + "sword-fish"))
    assert "sword" not in shown


@pytest.mark.no_database
def test_a_group_of_faults_shows_each_and_a_circle_of_causes_ends() -> None:
    first, second = ValueError("the first"), KeyError("the second")
    first.__cause__, second.__cause__ = second, first
    try:
        raise ExceptionGroup("both", [first])
    except ExceptionGroup:
        shown = TEXT.format(record("it broke", fault=True))
    assert [shown.count(message) for message in ("the first", "the second", "both (1 sub-exception)")] == [1, 1, 1]


@pytest.mark.no_database
def test_a_line_that_cannot_be_written_is_named_without_what_it_holds(capfd: pytest.CaptureFixture[str]) -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        server_log.configure("text", "info", ["sword-fish"])
        logging.getLogger("core.x").warning("%d", "sword-fish")
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    assert capfd.readouterr().err == "A line of core.x could not be written to the log.\n"
