import pytest

from tests.support import clis


@pytest.fixture(scope="session")
def programs() -> None:
    """The real programs are there; ``make test`` installs them."""
    assert clis.CLAUDE.exists() and clis.CODEX.exists(), "install them with: python -m tests.support.clis"
