"""People: their accounts and their passwords."""

import re
import unicodedata
from functools import cache
from uuid import UUID

import bcrypt
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import InvalidInput
from core.models import Role, User
from core.ownership import Actor, acting_as_nobody

#: bcrypt's cost; 12 takes about 0.25 s on the machine it was measured on.
ROUNDS = 12
PASSWORD_CHARACTERS = 10
PASSWORD_BYTES = 72  # bcrypt looks at no more
NAME_CHARACTERS = 100

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,185}\.[^\s@<>\".]{2,63}")


def fold(text: str) -> str:
    """The form in which usernames and e-mail addresses are compared and stored."""
    # No name holds NUL, and PostgreSQL takes none to compare with.
    return unicodedata.normalize("NFKC", text).replace("\0", "\ufffd").strip().casefold()


def actor(user: User) -> Actor:
    """The person of a row."""
    return Actor(user.id, user.username, user.name, user.email, user.role)


def add(username: str, email: str, name: str, password: str, role: Role = Role.MEMBER) -> Actor:
    """Create an account.

    Raises InvalidInput for a malformed or taken username or e-mail address, and for a weak password.
    """
    user = _checked(username, email, name, password, role)
    with acting_as_nobody() as session:
        _insert(session, user)
    return actor(user)


def add_first(username: str, email: str, name: str, password: str) -> Actor:
    """Create the first account, an admin. Raises InvalidInput when there is an account already."""
    user = _checked(username, email, name, password, Role.ADMIN)
    with acting_as_nobody(alone=True) as session:
        if session.scalar(select(func.count()).select_from(User)):
            raise InvalidInput("Taskdeck is already set up: sign in, or ask an admin for an account.")
        _insert(session, user)
    return actor(user)


def exist() -> bool:
    """Whether anybody has an account."""
    with acting_as_nobody(reading=True) as session:
        return session.scalar(select(User.id).limit(1)) is not None


def find(username: str) -> Actor | None:
    """The active person with this username."""
    with acting_as_nobody(reading=True) as session:
        user = session.scalar(select(User).where(User.username == fold(username), User.is_active))
        return actor(user) if user else None


def everyone() -> list[tuple[Actor, bool]]:
    """All accounts by username, each with whether it is active."""
    with acting_as_nobody(reading=True) as session:
        return [(actor(user), user.is_active) for user in session.scalars(select(User).order_by(User.username))]


def verify(username: str, password: str) -> Actor | None:
    """The person, if the password is right and the account active; the same time passes in every other case."""
    with acting_as_nobody(reading=True) as session:
        user = session.scalar(select(User).where(User.username == fold(username)))
    matches = _matches(password, user.password_hash if user else _nobodys_hash(ROUNDS))
    return actor(user) if user and matches and user.is_active else None


def _checked(username: str, email: str, name: str, password: str, role: Role) -> User:
    username, email, name = fold(username), fold(email), name.strip()
    if not _USERNAME.fullmatch(username):
        raise InvalidInput("A username has 1 to 50 letters a-z, digits, dots, dashes or underscores.")
    if not _EMAIL.fullmatch(email):
        raise InvalidInput("That is not an e-mail address: write it like ada@example.org.")
    if not name or len(name) > NAME_CHARACTERS or not name.isprintable():
        raise InvalidInput(f"A name has 1 to {NAME_CHARACTERS} printable characters.")
    _check_password(password, username, email)
    return User(username=username, email=email, name=name, password_hash=_hash(password), role=role)


def _check_password(password: str, username: str, email: str) -> None:
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        raise InvalidInput("The password holds a character that cannot be stored.") from None
    if len(password) < PASSWORD_CHARACTERS or size > PASSWORD_BYTES:
        raise InvalidInput(
            f"A password has at least {PASSWORD_CHARACTERS} characters and at most {PASSWORD_BYTES} bytes."
        )
    if password != password.strip():
        raise InvalidInput("A password neither starts nor ends with a space.")
    if password.casefold() in (username, email):
        raise InvalidInput("The password must not be your username or e-mail address.")


def _insert(session: Session, user: User) -> None:
    taken = session.scalar(select(User.id).where(or_(User.username == user.username, User.email == user.email)))
    if taken:
        raise InvalidInput("That username or e-mail address is already in use.")
    session.add(user)
    try:
        session.flush()
    except IntegrityError:  # somebody else was faster
        raise InvalidInput("That username or e-mail address is already in use.") from None


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()


def _matches(password: str, password_hash: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode(), password_hash.encode())
    except ValueError:  # over 72 bytes, not encodable, or no bcrypt hash: simply not the password
        return False


@cache
def _nobodys_hash(rounds: int) -> str:
    return bcrypt.hashpw(b"nobody", bcrypt.gensalt(rounds)).decode()


def by_id(session: Session, user_id: UUID) -> User | None:
    """The active account behind a session or a token."""
    user = session.get(User, user_id)
    return user if user and user.is_active else None
