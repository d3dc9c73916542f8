"""What the audit trail holds, and whatever else the database does, past every rule."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select, update

from core.database import engine
from core.database.models import AuditEvent
from core.database.ownership import Actor
from core.identity import links, passwords, people, sessions, signin
from tests.support.databases import unguarded

QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
NEW = "another horse battery"


def verify(username: str, password: str) -> Actor | None:
    """The active person with this password; nothing is counted."""
    proven = people.prove(username, password)
    return proven[0] if proven else None


def sign_in(username: str, password: str) -> Actor | None:
    """Whose session begins with this password."""
    begun = signin.start(username, password)
    return begun[0] if begun else None


def token_of(address: str | None) -> str:
    """The secret in the address of a one-time link."""
    return parse_qs(urlsplit(address or "").query)["token"][0]


def link(actor: Actor) -> str:
    """The secret of a new link that sets this person's password."""
    return token_of(links.make(actor.id, by=None)[0])


def cookie_of(session_id: UUID) -> str:
    """The cookie that a new session's ticket fetches."""
    return sessions.redeem(sessions.ticket(session_id))


def change(model: type[Any], *conditions: Any, **values: object) -> None:
    """Set columns of the rows that meet the conditions, past every rule."""
    with unguarded() as session:
        session.execute(update(model).where(*conditions).values(**values))


def rows_of(model: type[Any]) -> list[Any]:
    """Every row of a table."""
    with unguarded() as session:
        return list(session.scalars(select(model)))


def events(*kinds: str) -> list[AuditEvent]:
    """All events of these kinds, or of every kind, the oldest first."""
    with unguarded() as session:
        found = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    return [event for event in found if not kinds or event.kind in kinds]


def told(*kinds: str) -> list[tuple[str, str, str, str]]:
    """Of each event the kind, whose act, on whom or what, and the detail."""
    return [(event.kind, event.actor, event.subject, event.detail) for event in events(*kinds)]


def stored(data: Path) -> bytes:
    """Every row of every table; on SQLite also whatever is in the files, deleted rows and indexes included."""
    with unguarded() as session:
        rows = [
            repr(tuple(row)) for table in engine.Base.metadata.sorted_tables for row in session.execute(select(table))
        ]
    return "\n".join(rows).encode(errors="replace") + b"".join(
        path.read_bytes() for path in sorted(data.glob("taskdeck.db*"))
    )


def fails(error: type[Exception], words: str | None, act: Callable[..., object], *given: Any, **more: Any) -> None:
    """What is asked for is refused with this error and these words."""
    with pytest.raises(error, match=words):
        act(*given, **more)


def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Note with which cost every password is looked at from now on."""
    costs: list[bytes] = []
    real = passwords.bcrypt.checkpw

    def check(given: bytes, kept: bytes) -> bool:
        costs.append(kept[4:6])
        return real(given, kept)

    monkeypatch.setattr(passwords.bcrypt, "checkpw", check)
    return costs


def at_once(number: int, act: Callable[[int], Any]) -> list[Any]:
    """Do something so many times at the same moment, each with its number; what came of each, errors too."""
    barrier = Barrier(number)

    def begin(turn: int) -> Any:
        barrier.wait(10)
        try:
            return act(turn)
        except Exception as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))
