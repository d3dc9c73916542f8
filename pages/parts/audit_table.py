"""Audit events in words, as an HTML table and as CSV. Whatever they hold is text: no markup, and no formula."""

import csv
from collections.abc import Iterable
from html import escape
from io import StringIO

from core.database.models import AuditEvent, Channel
from core.identity.audit import Kind
from pages.parts import shared

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
WAYS = {Channel.UI: "Browser", Channel.API: "API", Channel.CLI: "Command line", Channel.SYSTEM: "Taskdeck"}

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


def table(events: Iterable[AuditEvent]) -> str:
    """The events as an HTML table, with times in the reader's zone."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Time", *_COLUMNS))
    rows = "".join(map(_row, events))
    return (
        f'<table class="td-table"><caption class="td-unseen">Audit events, newest first</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(event: AuditEvent) -> str:
    time = f'<time datetime="{event.at.isoformat()}">{shared.moment(event.at)}</time>'
    cells = zip(_COLUMNS, _cells(event), strict=True)
    return (
        f'<tr><td data-name="Time">{time}</td>'
        + "".join(f'<td data-name="{name}">{escape(value)}</td>' for name, value in cells)
        + "</tr>"
    )


def _cells(event: AuditEvent) -> tuple[str, ...]:
    about = event.subject if event.subject != event.actor else ""
    return (who(event), in_words(event.kind), about, event.detail, WAYS[event.way], event.address or "")


def as_csv(events: Iterable[AuditEvent]) -> str:
    """The events as CSV (RFC 4180), times in UTC; a spreadsheet calculates nothing of it."""
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(("time_utc", "id", "kind", "who", "what", "about", "detail", "way", "address"))
    for event in events:
        said = (event.kind, who(event), in_words(event.kind), event.subject, event.detail, event.way)
        cells = map(_inert, (*said, event.address or ""))
        writer.writerow((f"{event.at:%Y-%m-%dT%H:%M:%SZ}", event.id, *cells))
    return file.getvalue()


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
