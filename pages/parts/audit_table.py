"""Audit events in words, as an HTML table and as CSV. Whatever they hold is text: no markup, and no formula."""

import csv
from collections.abc import Iterable
from io import StringIO

from core.database.models import AuditEvent, Channel
from core.identity.audit import Kind
from pages.parts import times
from pages.parts.markup import Html, element

KINDS = {
    Kind.SIGNED_IN: "Signed in",
    Kind.REFUSED: "Sign-in refused",
    Kind.LOCKED: "Sign-in locked",
    Kind.SIGNED_OUT: "Signed out",
    Kind.SIGNED_OUT_EVERYWHERE: "Signed out everywhere",
    Kind.PASSWORD_CHANGED: "Password changed",
    Kind.PASSWORD_SET: "Password set by link",
    Kind.TOKEN_CREATED: "Token created",
    Kind.TOKEN_REVOKED: "Token revoked",
    Kind.PERSON_ADDED: "Person added",
    Kind.PERSON_INVITED: "Person invited",
    Kind.LINK_MADE: "One-time link made",
    Kind.ROLE_CHANGED: "Role changed",
    Kind.DISABLED: "Account disabled",
    Kind.ENABLED: "Account enabled",
    Kind.PERSON_DELETED: "Account deleted",
    Kind.TASK_CANCELLED: "Task stopped",
    Kind.TASK_DELETED: "Tasks deleted",
}
CHANNELS = {Channel.UI: "Browser", Channel.API: "API", Channel.CLI: "Command line", Channel.SYSTEM: "Taskdeck"}

#: Whose act it was when no account is behind it.
_NOBODY = {Channel.CLI: "an operator", Channel.SYSTEM: "Taskdeck"}

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = ("Who", "What", "About", "Detail", "Channel", "Address")


def in_words(kind: str) -> str:
    """What was done; the code itself when this release has no words for it."""
    return KINDS[Kind(kind)] if kind in list(Kind) else kind


def who(event: AuditEvent) -> str:
    """Whose act it was."""
    return event.actor or _NOBODY.get(event.way, "nobody signed in")


def table(events: Iterable[AuditEvent]) -> Html:
    """The events as an HTML table, with times in the reader's zone."""
    heads = (element("th", name, scope="col") for name in ("Time", *_COLUMNS))
    return element(
        "table",
        element("caption", "Audit events, newest first", class_="td-unseen"),
        element("thead", element("tr", *heads)),
        element("tbody", *map(_row, events)),
        class_="td-table",
    )


def _row(event: AuditEvent) -> Html:
    time = element("time", times.moment(event.at), datetime=event.at.isoformat())
    cells = zip(("Time", *_COLUMNS), (time, *_cells(event)), strict=True)
    return element("tr", *(element("td", value, data_name=name) for name, value in cells))


def _cells(event: AuditEvent) -> tuple[str, ...]:
    about = event.subject if event.subject != event.actor else ""
    return (who(event), in_words(event.kind), about, event.detail, CHANNELS[event.way], event.address or "")


def as_csv(events: Iterable[AuditEvent]) -> str:
    """The events as CSV (RFC 4180), times in UTC; a spreadsheet calculates nothing of it."""
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(("time_utc", "id", "kind", "who", "what", "about", "detail", "way", "address"))
    for event in events:
        texts = (event.kind, who(event), in_words(event.kind), event.subject, event.detail, event.way)
        cells = map(_inert, (*texts, event.address or ""))
        writer.writerow((f"{event.at:%Y-%m-%dT%H:%M:%SZ}", event.id, *cells))
    return file.getvalue()


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
