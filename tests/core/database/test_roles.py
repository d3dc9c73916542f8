import re

import pytest

from core.database.roles import ROLES, Right, Role, having
from tests.support.server import ROOT

pytestmark = pytest.mark.no_database


def test_every_role_is_described_and_an_administrator_has_every_right() -> None:
    assert (list(ROLES), len({each.name for each in ROLES.values()})) == (list(Role), len(Role))
    assert all(each.meaning.endswith(".") for each in ROLES.values())
    assert [having(right)[-1] for right in Right] == [Role.ADMIN] * len(Right)
    assert having(Right.READ_EVERYONE) == [Role.ANALYST, Role.ADMIN]
    assert not any(Role.MEMBER.may(right) for right in Right)


def test_nobody_asks_for_a_role() -> None:
    """Who makes the first administrator names that role, and a pill has its role's colour; others ask for a right."""
    found = {
        str(source.relative_to(ROOT))
        for package in ("core", "api", "pages")
        for source in (ROOT / package).rglob("*.py")
        for line in source.read_text().splitlines()
        if re.search(r"(?<!\w)Role\.(ADMIN|ANALYST)", line)
    }
    assert found == {"core/database/roles.py", "core/identity/people.py", "pages/parts/accounts.py"}
