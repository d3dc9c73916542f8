"""Sign-in by password, and the change of one's own: counted first, then looked at."""

import logging
from uuid import UUID

from core.database.ownership import Actor, acting_as_nobody
from core.errors import InvalidInput
from core.identity import audit, passwords, people, sessions, throttle

_log = logging.getLogger(__name__)

#: The one answer to every sign-in that fails, whatever the reason.
REFUSED = "The username or the password is not right. After five failures a name is locked for 15 minutes."
_NOT_CURRENT = "Your current password is not right. After five failures there are 15 minutes without a try."
_MOVED_ON = "Your account was changed in the meantime: sign in again."


def start(username: str, password: str, *, browser: str = "") -> tuple[Actor, UUID] | None:
    """Begin a session of the person whose password this is; the person and the session's id.

    Otherwise None, after the same time for an unknown name, a wrong password, a disabled account and a locked name. A
    password that is changed while it is looked at begins none.
    """
    proven = _proven(username, password)
    if proven is None:
        return None
    actor, epoch = proven
    try:
        return actor, sessions.start(actor, browser=browser, epoch=epoch)
    except InvalidInput:
        return None


def change_password(actor: Actor, current: str, new: str) -> None:
    """Change one's own password and sign every browser out, this one too. Tokens stay.

    Raises InvalidInput for a wrong current password, also after too many tries, and for an unusable new one.
    """
    passwords.check(new, actor.username, actor.email)
    if new == current:
        raise InvalidInput("The new password is the current one: choose another one.")
    name = throttle.key("account", actor.id.hex)
    full = throttle.count({name: throttle.NAME_TRIES})
    if full is None:
        _log_locked()
        passwords.constant_time_delay()
        raise InvalidInput(_NOT_CURRENT)
    proven = people.prove(actor.username, current)
    if proven is None:
        _record_failure(actor.username, "current password", is_locked=bool(full))
        raise InvalidInput(_NOT_CURRENT)
    throttle.succeeded(name)
    kept = passwords.hashed(new)
    with acting_as_nobody() as session:
        if not people.keep_password(session, actor.id, kept, epoch=proven[1]):
            raise InvalidInput(_MOVED_ON)
        audit.record(session, audit.Kind.PASSWORD_CHANGED, by=actor, subject=actor.username)


def _proven(username: str, password: str) -> tuple[Actor, int] | None:
    """As ``people.prove``, but counted."""
    name = throttle.key("name", people.fold(username))
    address = throttle.address()
    full = throttle.count({name: throttle.NAME_TRIES, address: throttle.ADDRESS_TRIES})
    if full is None:
        _log_locked()
        passwords.constant_time_delay()
        return None
    proven = people.prove(username, password)
    if proven:
        throttle.succeeded(name, address)
    else:
        _record_failure(username, "this address" if address in full else "", is_locked=bool(full))
    return proven


def _record_failure(username: str, detail: str, *, is_locked: bool) -> None:
    """A name that nobody has stays out of trail and log: people type their password there by mistake."""
    known = people.account(username, by=None)
    kind = audit.Kind.LOCKED if is_locked else audit.Kind.REFUSED
    subject = known.actor.username if known else ""
    words = [word for word in ("" if known else "unknown name", detail) if word]
    with acting_as_nobody() as session:
        audit.record(session, kind, by=None, subject=subject, detail=", ".join(words))
    log_refusal(known.actor.id if known else None, is_locked=is_locked)


def log_refusal(account: UUID | None, *, is_locked: bool = False) -> None:
    """Tell operators, and programs that keep out whoever guesses, of a sign-in that failed."""
    address = audit.current_origin().address
    whose = f"account {account}" if account else "an unknown account"
    then = "; it is locked for 15 minutes" if is_locked else ""
    known = {"account": account, "address": address}
    _log.warning("a sign-in to %s from %s was refused%s", whose, address or "this machine", then, extra=known)


def _log_locked() -> None:
    """Of a try that nobody looked at; not for which account, which a look would cost."""
    address = audit.current_origin().address
    _log.warning("a sign-in from %s was refused: locked", address or "this machine", extra={"address": address})
