"""The audit trail as administrators read it."""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from io import StringIO

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.database.engine import now
from core.database.models import AuditEvent, Channel, Role
from core.database.ownership import Actor
from core.errors import Forbidden, NotSignedIn
from core.identity import audit, people, sessions, tokens
from pages.parts import audit_table
from tests.pages.conftest import Open
from tests.pages.widgets import buttons, captions, html, press, texts, titles
from tests.support.databases import unguarded

ROW = re.compile(r"<tr><td.*?</tr>")
CELL = re.compile(r'<td data-name="(\w+)">(.*?)</td>')


@pytest.fixture
def trail(as_grace: Open) -> Open:
    """Open the page as an administrator."""
    return partial(as_grace, "admin/audit")


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], str]]:
    """What the download button was given, newest last."""
    given: list[Callable[[], str]] = []
    monkeypatch.setattr(st, "download_button", lambda *_, data, **__: given.append(data))
    return given


def rows(app: AppTest) -> list[dict[str, str]]:
    """The table as it is read."""
    found = [CELL.findall(row) for row in ROW.findall(html(app))]
    return [{name: unescape(re.sub("<.*?>", "", cell)) for name, cell in row} for row in found]


def column(app: AppTest, name: str) -> list[str]:
    return [row[name] for row in rows(app)]


def happened(*ages: float, actor: str = "ada") -> None:
    """Events of so many hours ago."""
    with unguarded() as session:
        for age in ages:
            at = now() - timedelta(hours=age)
            row = {"at": at, "actor": actor, "way": Channel.API, "kind": audit.Kind.TASK_DELETED}
            session.add(AuditEvent(subject=f"{age} h ago", detail="", **row))


def event(**values: object) -> AuditEvent:
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    usual = {"id": 7, "at": at, "actor": "ada", "way": Channel.UI, "address": None, "kind": audit.Kind.SIGNED_IN}
    return AuditEvent(**usual | {"subject": "", "detail": ""} | values)


def test_events_are_listed_newest_first_in_words(trail: Open, grace: Actor, ada: Actor) -> None:
    people.set_role(ada.id, Role.ANALYST, by=grace)
    tokens.create(ada, "script")
    app = trail()
    signed_in, created, changed, *_ = rows(app)
    assert (signed_in["Who"], signed_in["What"], signed_in["About"]) == ("grace", "Signed in", "")
    assert (created["Who"], created["What"], created["About"]) == ("ada", "Token created", "script")
    assert (changed["Who"], changed["About"], changed["Detail"]) == ("grace", "ada", "member -> analyst")


def test_the_filters_are_in_the_address(trail: Open, ada: Actor, bob: Actor) -> None:
    tokens.create(ada, "hers")
    tokens.create(bob, "his")
    happened(1, actor="gone")
    assert column(trail(what="Token created"), "About") == ["his", "hers"]
    assert column(trail(what="Token created", who="ada"), "About") == ["hers"]
    assert set(column(trail(who="Nobody signed in"), "Who")) == {"Taskdeck"}
    assert column(trail(who="gone"), "About") == ["1 h ago"], "who is deleted has left the name"
    assert "No event matches" in html(trail(who="nobody-has-this-name"))
    app = trail()
    app.selectbox[0].set_value("bob")
    app.multiselect[0].set_value(["Token created"]).run()
    assert column(app, "About") == ["his"]


def test_a_period_shows_what_happened_in_it(trail: Open) -> None:
    happened(24 * 31, 24 * 8, 24 * 6)
    ages = ["144 h ago", "192 h ago", "744 h ago"]
    for when, count in (("Today", 0), ("7 days", 1), ("30 days", 2), ("All", 3)):
        assert column(trail(what="Tasks deleted", when=when), "About") == ages[:count], when


def test_times_and_today_are_those_of_the_reader(trail: Open) -> None:
    happened(0)
    app = trail(what="Tasks deleted", when="Today")
    assert "Times in UTC" in captions(app)
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):  # the two ends of the day
        app.context["timezone"] = zone
        assert column(app.run(), "About") == ["0 h ago"]
        assert f"Times in {zone}" in captions(app)


@pytest.mark.attack(53)
def test_an_address_that_was_written_by_hand_is_no_failure(trail: Open) -> None:
    for query in (
        {"what": "no such kind", "when": "no such time", "before": "made up"},
        *({"before": before} for before in ("-1", "٣", "9" * 5_000)),
        {"who": "' or 1=1 --", "before": "' or 1=1 --"},
        {"who": "\x00"},
    ):
        app = trail(**query)
        assert not app.exception and titles(app) == ["Audit"], query


def test_the_pages_hold_every_event_once(trail: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE_EVENTS", 4)
    happened(*range(10))
    app = trail(what="Tasks deleted")
    seen = column(app, "About")
    for _ in range(2):
        seen += column(press(app, "Older"), "About")
    assert seen == [f"{age} h ago" for age in reversed(range(10))], "by number: they were written in this order"
    assert "Older" not in buttons(app)
    assert "before" in app.query_params, "a page survives a reload"
    assert len(column(press(app, "Newest"), "About")) == 4
    press(app, "Older")
    app.segmented_control[0].set_value("7 days").run()
    assert "before" not in app.query_params, "another filter begins with its newest events"


def test_the_download_holds_what_is_filtered_in_utc(trail: Open, ada: Actor, download: list[Callable[[], str]]) -> None:
    tokens.create(ada, "hers")
    app = trail(what="Token created")
    assert not app.exception
    head, row = csv.reader(StringIO(download[-1]()))
    assert head[:4] == ["time_utc", "id", "kind", "who"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[0])
    assert row[2:6] == ["token.created", "ada", "Token created", "hers"]
    assert "at most the newest 10,000" in texts(app)


@pytest.mark.attack(13)
def test_a_download_asks_anew_who_asks(as_ada: Open, ada: Actor, download: list[Callable[[], str]]) -> None:
    people.set_role(ada.id, Role.ADMIN, by=None)
    app = as_ada("admin/audit")
    kept = download[-1]
    assert "Signed in" in kept()
    sessions.end(app.session_state["session_id"])
    with pytest.raises(NotSignedIn):
        kept()
    as_ada("admin/audit")
    with unguarded() as session:
        session.get_one(people.User, ada.id).role = Role.MEMBER  # the session goes on
    with pytest.raises(Forbidden):
        download[-1]()


@pytest.mark.attack(55)
def test_whatever_an_event_holds_is_text(trail: Open, ada: Actor) -> None:
    tokens.create(ada, "<script>alert(1)</script><img src=x> **bold**")
    app = trail(what="Token created")
    assert "<script" not in html(app) and "<img" not in html(app)
    assert column(app, "About") == ["<script>alert(1)</script><img src=x> **bold**"]


def test_every_kind_of_event_has_words_and_every_act_says_whose_it_was() -> None:
    assert audit_table.KINDS.keys() == set(audit.Kind)
    assert len(set(audit_table.KINDS.values())) == len(audit.Kind)
    assert audit_table.in_words("task.reviewed") == "task.reviewed", "one of another release stays as it is"
    whose = {Channel.CLI: "an operator", Channel.SYSTEM: "Taskdeck", Channel.UI: "nobody signed in"}
    assert {way: audit_table.who(event(way=way, actor="")) for way in whose} == whose
    assert audit_table.who(event(way=Channel.CLI)) == "ada"


def test_the_download_of_a_plain_event_is_exact_and_no_cell_is_a_formula() -> None:
    text = audit_table.as_csv([event(subject='say "hi", Ada', address="192.0.2.1")])
    plain = '2026-03-04T05:06:07Z,7,session.started,ada,Signed in,"say ""hi"", Ada",,ui,192.0.2.1'
    assert text.splitlines()[1] == plain
    for first in ("=", "+", "-", "@", "\t", "\r", "\n"):
        text = audit_table.as_csv([event(subject=f"{first}cmd|' /C calc'!A0", detail=f"{first}1", actor=f"{first}x")])
        _, row = csv.reader(StringIO(text, newline=""))
        assert [cell for cell in row if cell.startswith(first)] == []
        assert f"'{first}1" in row
