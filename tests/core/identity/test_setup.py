from urllib.parse import parse_qs, urlsplit

import pytest

from core.database.models import Role
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import people, sessions, setup
from tests.conftest import PASSWORD
from tests.core.identity.trail import verify


def token() -> str:
    return parse_qs(urlsplit(setup.link() or "").query)["token"][0]


def test_the_link_creates_the_first_admin_and_is_dead_afterwards() -> None:
    link = setup.link()
    assert link
    assert link.startswith("http://localhost:8501/setup?token=")
    given = token()
    assert setup.is_open(given)
    admin = setup.create_admin(given, "ada", "ada@example.org", "Ada", PASSWORD)
    assert (admin.role, verify("ada", PASSWORD)) == (Role.ADMIN, admin)
    assert not setup.is_open(given)
    assert setup.link() is None
    with pytest.raises(InvalidInput, match="no longer valid"):
        setup.create_admin(given, "eve", "eve@example.org", "Eve", PASSWORD)


def test_a_mistake_in_the_form_leaves_the_link_open() -> None:
    given = token()
    with pytest.raises(InvalidInput, match="at least 10 characters"):
        setup.create_admin(given, "ada", "ada@example.org", "Ada", "short")
    assert setup.is_open(given)


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "\udc80", "é.é.é"])
def test_a_forged_link_creates_nobody(forged: str) -> None:
    assert not setup.is_open(forged)
    with pytest.raises(InvalidInput, match="no longer valid"):
        setup.create_admin(forged, "eve", "eve@example.org", "Eve", PASSWORD)
    assert not people.exist()


def test_another_signed_text_is_no_setup_link(ada: Actor) -> None:
    assert not setup.is_open(sessions.ticket(sessions.start(ada)))


def test_a_link_dies_with_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    given = token()
    monkeypatch.setattr(setup, "LIFETIME_SECONDS", -1)
    assert not setup.is_open(given)
