"""The import rules of pyproject.toml are kept, and catch what they should."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.no_database


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The packages that the rules are about, to be changed."""
    for package in ("core", "api", "pages"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def checked(tree: Path) -> tuple[int, str]:
    """The exit status of the check, and what it prints."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


def test_the_rules_are_kept(tree: Path) -> None:
    status, printed = checked(tree)
    assert status == 0, printed
    assert " 0 broken" in printed


@pytest.mark.parametrize(
    ("path", "line", "named"),
    [
        ("core/tasks/upward.py", "from core.runner import scheduler", "core.tasks.upward -> core.runner.scheduler"),
        ("core/agents/rows.py", "from core.database import models", "core.agents.rows -> core.database.models"),
        ("core/identity/web.py", "import api.errors", "core.identity.web -> api.errors"),
        ("core/tasks/page.py", "import streamlit", "core.tasks.page -> streamlit"),
        ("core/unlisted/__init__.py", "", "core.unlisted"),
        ("api/server/up.py", "from api import routes", "api.server.up -> api.routes"),
        ("pages/tasks/rows.py", "import sqlalchemy", "pages.tasks.rows -> sqlalchemy"),
    ],
    ids=["a higher floor", "the database", "the API", "the pages", "no floor", "the API's floor", "a query in a page"],
)
def test_a_wrong_import_and_a_package_without_a_floor_are_named(tree: Path, path: str, line: str, named: str) -> None:
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text(f"{line}\n")
    status, printed = checked(tree)
    assert status == 1, printed
    assert named in printed
