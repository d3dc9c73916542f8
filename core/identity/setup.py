"""The first start: a link that makes the first admin.

The link is signed, lasts a day, and works only while nobody has an account; so it needs no row of its own and is
dead once used.
"""

from itsdangerous import BadData, URLSafeTimedSerializer

from core.config import settings, signing_keys
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import people

LIFETIME_SECONDS = 24 * 3600


def link() -> str | None:
    """The address that creates the first admin, or None when somebody has an account."""
    if people.exist():
        return None
    return f"{settings().home}/setup?token={_links().dumps('first admin')}"


def is_open(token: str) -> bool:
    """Whether this link's token can still create the first admin."""
    try:
        _links().loads(token, max_age=LIFETIME_SECONDS)
    except (BadData, ValueError):
        return False
    return not people.exist()


def create_admin(token: str, username: str, email: str, name: str, password: str) -> Actor:
    """Create the first admin. Raises InvalidInput for a dead link and for unusable input."""
    if not is_open(token):
        raise InvalidInput("This setup link is no longer valid: start Taskdeck again to get a new one, or sign in.")
    return people.add_first(username, email, name, password)


def _links() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_keys(), salt="taskdeck.setup")
