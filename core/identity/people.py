"""People: their accounts, and who may change what of them."""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.database import engine
from core.database.models import AuthSession, User
from core.database.ownership import Actor, acting_as_admin, acting_as_nobody
from core.database.roles import Right, Role, having
from core.errors import Conflict, InvalidInput, NotFound
from core.identity import audit, passwords

NAME_CHARACTERS = 100

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,185}\.[^\s@<>\".]{2,63}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_REPLACED = "\ufffd"
_TAKEN = "That username or e-mail address is already in use."


@dataclass(frozen=True)
class Account:
    """A person as an administrator sees them."""

    actor: Actor
    is_active: bool
    is_invited: bool  #: no password was chosen yet
    created_at: datetime
    last_seen_at: datetime | None


def fold(text: str) -> str:
    """The form in which usernames and e-mail addresses are compared and stored."""
    # No name holds NUL or half a character, and the databases take none to compare with.
    return _UNSTORABLE.sub(_REPLACED, unicodedata.normalize("NFKC", text)).strip().casefold()


def actor(user: User) -> Actor:
    """The person of a row."""
    return Actor(user.id, user.username, user.name, user.email, user.role)


def add(
    username: str, email: str, name: str, password: str, role: Role = Role.MEMBER, *, by: Actor | None = None
) -> Actor:
    """Create an account; ``by`` an administrator, or None for an operator at the machine.

    Raises InvalidInput for a malformed or taken username or e-mail address, and for a weak password.
    """
    user = _checked(username, email, name, role)
    passwords.check(password, user.username, user.email)
    user.password_hash = passwords.hashed(password)
    with managing(by) as session:
        _insert(session, user)
        audit.record(session, audit.Kind.PERSON_ADDED, by=by, subject=user.username, detail=role)
    return actor(user)


def add_first(username: str, email: str, name: str, password: str) -> Actor:
    """Create the first account, an admin. Raises InvalidInput when there is an account already."""
    user = _checked(username, email, name, Role.ADMIN)
    passwords.check(password, user.username, user.email)
    user.password_hash = passwords.hashed(password)
    with acting_as_nobody(serialized=True) as session:
        if session.scalar(select(func.count()).select_from(User)):
            raise InvalidInput("Taskdeck is already set up: sign in, or ask an admin for an account.")
        _insert(session, user)
        audit.record(
            session, audit.Kind.PERSON_ADDED, by=actor(user), subject=user.username, detail="by the setup link"
        )
    return actor(user)


def invite(username: str, email: str, name: str, role: Role = Role.MEMBER, *, by: Actor | None) -> Actor:
    """Create an account whose person chooses the password by a one-time link; see ``links``. Raises as ``add`` does."""
    user = _checked(username, email, name, role)
    user.password_hash = passwords.NONE
    with managing(by) as session:
        _insert(session, user)
        audit.record(session, audit.Kind.PERSON_INVITED, by=by, subject=user.username, detail=role)
    return actor(user)


def set_role(user_id: UUID, role: Role, *, by: Actor | None) -> None:
    """Give a person another role, and sign them out. Raises NotFound, and Conflict when no admin would be left."""
    with managing(by) as session, _keeping_an_admin(session):
        user = get(session, user_id)
        if user.role is role:
            return
        audit.record(session, audit.Kind.ROLE_CHANGED, by=by, subject=user.username, detail=f"{user.role} -> {role}")
        user.role = role
        user.session_epoch += 1


def set_active(user_id: UUID, is_active: bool, *, by: Actor | None) -> None:
    """Disable an account, which ends its sessions and stops its tokens, or enable it. Raises as ``set_role`` does."""
    with managing(by) as session, _keeping_an_admin(session):
        user = get(session, user_id)
        if user.is_active is is_active:
            return
        audit.record(session, audit.Kind.ENABLED if is_active else audit.Kind.DISABLED, by=by, subject=user.username)
        user.is_active = is_active
        user.session_epoch += 1


def keep_password(session: Session, user_id: UUID, kept: str, *, epoch: int) -> bool:
    """Store what is kept of a new password, and sign every browser of the person out.

    False, and nothing is stored, when the account is no longer what it was in ``epoch``.
    """
    changed = session.execute(
        update(User)
        .where(User.id == user_id, User.is_active, User.session_epoch == epoch)
        .values(password_hash=kept, password_changed_at=engine.now(), session_epoch=epoch + 1)
        .returning(User.id)
    )
    return changed.first() is not None


def exist() -> bool:
    """Whether anybody has an account."""
    with acting_as_nobody(reading=True) as session:
        return session.scalar(select(User.id).limit(1)) is not None


def find(username: str) -> Actor | None:
    """The active person with this username."""
    known = account(username, by=None)
    return known.actor if known and known.is_active else None


def account(username: str, *, by: Actor | None) -> Account | None:
    """The account with this username, active or not. Raises as ``accounts`` does."""
    with managing(by, reading=True) as session:
        found = session.execute(_with_last_seen().where(User.username == fold(username))).one_or_none()
        return _account(*found) if found else None


def accounts(*, by: Actor | None) -> list[Account]:
    """All accounts by username. Raises Forbidden unless ``by`` is an administrator, or None for an operator."""
    with managing(by, reading=True) as session:
        return [_account(user, at) for user, at in session.execute(_with_last_seen().order_by(User.username))]


def prove(username: str, password: str) -> tuple[Actor, int] | None:
    """The person, if the password is right and the account active, and its epoch then: both may change meanwhile.

    The same time passes in every other case. It does not count tries: ``signin`` does.
    """
    with acting_as_nobody(reading=True) as session:
        user = session.scalar(select(User).where(User.username == fold(username)))
    matches = passwords.matches(password, user.password_hash if user else passwords.NONE)
    if not (user and matches and user.is_active):
        return None
    if passwords.is_cheap(user.password_hash):
        kept = passwords.hashed(password)
        same = (User.id == user.id, User.password_hash == user.password_hash)
        with acting_as_nobody() as session:
            session.execute(update(User).where(*same).values(password_hash=kept))
    return actor(user), user.session_epoch


def by_id(session: Session, user_id: UUID) -> User | None:
    """The active account behind a session or a token."""
    user = session.get(User, user_id)
    return user if user and user.is_active else None


def managing(by: Actor | None, *, reading: bool = False) -> AbstractContextManager[Session]:
    """A transaction of an administrator, or of an operator when ``by`` is None; writing ones run one at a time."""
    if by is None:
        return acting_as_nobody(reading=reading, serialized=not reading)
    return acting_as_admin(by, reading=reading)


def _with_last_seen() -> Select[User, datetime | None]:
    seen = select(func.max(AuthSession.last_seen_at)).where(AuthSession.user_id == User.id)
    return select(User, seen.scalar_subquery())


def _account(user: User, last_seen_at: datetime | None) -> Account:
    is_invited = user.password_hash == passwords.NONE
    return Account(actor(user), user.is_active, is_invited, user.created_at, last_seen_at)


def get(session: Session, user_id: UUID) -> User:
    """An account, which nobody else changes or deletes before the transaction ends. Raises NotFound."""
    user = session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFound("There is no such account any more.")
    return user


@contextmanager
def _keeping_an_admin(session: Session) -> Iterator[None]:
    """Raise Conflict for an act that takes the last administrator; where there was none, nothing is lost."""
    managers = User.role.in_(having(Right.MANAGE_PEOPLE))
    able = select(User.id).where(managers, User.is_active, User.password_hash != passwords.NONE).limit(1)
    there_was_one = session.scalar(able) is not None
    yield
    session.flush()
    if there_was_one and session.scalar(able) is None:
        raise Conflict("That would leave no active administrator: make somebody else one first.")


def _checked(username: str, email: str, name: str, role: Role) -> User:
    username, email, typed, name = fold(username), fold(email), email.strip(), name.strip()
    if not _USERNAME.fullmatch(username):
        raise InvalidInput("A username has 1 to 50 letters a-z, digits, dots, dashes or underscores.")
    if not _EMAIL.fullmatch(email) or not email.isprintable() or _REPLACED in email:
        raise InvalidInput("That is not an e-mail address: write it like ada@example.org.")
    if not typed.isascii() and typed != email:  # beyond ASCII different mailboxes fold to the same text
        raise InvalidInput(f"Write the e-mail address as {email}, if that is the same mailbox.")
    if not name or len(name) > NAME_CHARACTERS or not name.isprintable():
        raise InvalidInput(f"A name has 1 to {NAME_CHARACTERS} printable characters.")
    return User(username=username, email=email, name=name, role=role)


def _insert(session: Session, user: User) -> None:
    taken = session.scalar(select(User.id).where(or_(User.username == user.username, User.email == user.email)))
    if taken:
        raise InvalidInput(_TAKEN)
    session.add(user)
    try:
        session.flush()
    except IntegrityError:  # somebody else was faster
        raise InvalidInput(_TAKEN) from None
