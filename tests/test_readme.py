"""The README, the documentation and the example files are true: whatever can be named is named there."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from api.routes import create_api
from core.agents.base import Agent, Assignment, LogLine
from core.agents.catalog import Catalog, Host, Repositories
from core.agents.drivers import DRIVERS
from core.agents.drivers.deployment import DeploymentTarget
from core.agents.plugins import GROUP
from core.agents.registry import agents
from core.config import Settings
from core.database.models import EndReason, Role, TaskStatus
from core.log_text import LogType
from core.sandbox.command import Sandbox

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
AGENTS = (ROOT / "docs" / "agents.md").read_text()
DECISIONS = (ROOT / "docs" / "decisions.md").read_text()


def settings() -> list[str]:
    alias = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    return [str(alias[name] or f"TASKDECK_{name.upper()}") for name in alias]


def routes() -> list[str]:
    return [
        f"{method.upper()} /api{path}"
        for path, methods in create_api().openapi()["paths"].items()
        for method in methods
    ]


def packages(file: str) -> list[str]:
    return re.findall(r"^[a-z0-9-]+(?===)", (ROOT / file).read_text(), re.MULTILINE)


def rows(text: str) -> list[str]:
    """What the first cell of each row of each table begins with, without its backticks."""
    return [cell.strip("`") for cell in re.findall(r"^\| (`[^`]+`|[^`| ]\S*)", text, re.MULTILINE)]


def test_every_setting_has_a_row() -> None:
    assert [name for name in settings() if name not in rows(OPERATIONS)] == [], "missing in docs/operations.md"


def test_no_row_is_of_a_setting_that_is_gone() -> None:
    shown = [row for row in rows(OPERATIONS) if re.fullmatch(r"[A-Z_]+", row)]
    assert [name for name in shown if name not in settings()] == [], "only in docs/operations.md"


def test_every_agent_has_a_row() -> None:
    assert [name for name in agents() if name not in rows(README)] == [], "missing in README.md"


def test_every_agent_is_described() -> None:
    assert [name for name in agents() if f"**`{name}`**" not in AGENTS] == [], "missing in docs/agents.md"


def test_every_role_has_a_row() -> None:
    assert [role for role in Role if role not in rows(README)] == [], "missing in README.md"


def test_every_status_end_reason_and_log_type_is_named() -> None:
    names = [*TaskStatus, *EndReason, *LogType]
    assert [name for name in names if f"`{name}`" not in README] == [], "missing in README.md"


def test_every_route_has_a_row() -> None:
    assert [route for route in routes() if route not in rows(README)] == [], "missing in README.md"


def test_no_row_is_of_a_route_that_is_gone() -> None:
    shown = [row for row in rows(README) if re.match(r"[A-Z]+ /", row)]
    assert [route for route in shown if route not in routes()] == [], "only in README.md"


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_dependency_has_its_reason(file: str) -> None:
    assert packages(file)
    assert [name for name in packages(file) if name not in rows(DECISIONS)] == [], "missing in docs/decisions.md"


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    only = ' ; python_version (<|>=) "[0-9.]+"'
    assert [line for line in lines if not re.fullmatch(rf"[a-z0-9-]+==[0-9.]+({only})?", line)] == [], "not pinned"


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The places in a page that a link can lead to: its headings, as a viewer names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for file, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        target = page.parent / file if file else page
        assert target.exists(), f"{page.name} links to {file}, which is not there"
        assert not anchor or anchor in anchors(target), f"{target.name} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_place_in_the_code_that_a_page_names_exists(page: Path) -> None:
    places = re.findall(r"`((?:api|bench|core|migrations|pages|tests)/[^` ]*)`", page.read_text())
    examples = re.compile(r"\b(NAME|AREA)\b")  # to be made by whoever follows a list
    gone = [place for place in places if not examples.search(place) and not (ROOT / place).exists()]
    assert gone == [], f"{page.name} names what is not there"


def test_every_page_of_the_documentation_is_linked_in_the_readme() -> None:
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in README] == [], "missing in README.md"


EXAMPLE = (ROOT / "agents.toml.example").read_text()
#: With every setting taken in: a line that begins with # and no space is one.
TAKEN_IN = re.sub(r"^#(?! |$)", "", EXAMPLE, flags=re.MULTILINE)


@pytest.mark.parametrize("text", [EXAMPLE, TAKEN_IN], ids=["as it is", "taken in"])
def test_the_example_catalog_is_valid(text: str) -> None:
    Catalog.model_validate(tomllib.loads(text))


@pytest.mark.parametrize("table", [Catalog, Repositories, Host, DeploymentTarget, *DRIVERS.values()])
def test_the_example_catalog_has_every_key(table: type[BaseModel]) -> None:
    sections = r"^\[+(?:[\w.-]+\.)?{0}\b"  # a table is there by its header
    for name in table.model_fields:
        assert re.search(rf"^{name} = |{sections.format(name)}", TAKEN_IN, re.MULTILINE), name


def test_the_example_catalog_shows_the_defaults_of_the_known_agents() -> None:
    shown = Catalog.model_validate(tomllib.loads(TAKEN_IN)).agents
    usual = Catalog.model_validate({}).agents
    assert (shown["claude"], shown["codex"]) == (usual["claude"], usual["codex"])


def examples(language: str) -> list[str]:
    """The code of docs/agents.md in a language, from top to bottom."""
    return re.findall(rf"^```{language}\n(.*?)^```$", AGENTS, re.MULTILINE | re.DOTALL)


@pytest.fixture
def given(tmp_path: Path) -> Assignment:
    """A task on a small repository."""
    for name in ("repository", "output", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "repository" / "shop.py").write_text("total = 0\n# LATER: add the tax\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path / "repository", check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path / "repository", check=True)
    return Assignment(
        "LATER please",
        None,
        tmp_path / "repository",
        "https://git.example.org/team/shop",
        tmp_path / "output",
        tmp_path / "home",
        Sandbox(),
    )


def said_by(agent: Agent, given: Assignment, **environment: str) -> list[str]:
    """What it says about this task, run as it is, in no box."""
    command = agent.command(given)
    done = subprocess.run(
        command.argv,
        cwd=command.cwd,
        env={"PATH": os.environ["PATH"], **command.env, **environment},
        input=command.stdin,
        capture_output=True,
        text=True,
        check=True,
    )
    heard = agent.output_parser(given)
    entries = [entry for line in done.stdout.splitlines() for entry in heard.feed(line)]
    assert heard.failure(done.returncode) is None
    return [entry.message for entry in entries if isinstance(entry, LogLine)]


def test_the_agent_in_ten_lines_of_toml_works(tmp_path: Path, given: Assignment) -> None:
    (text,) = (text for text in examples("toml") if "[agents." in text)
    assert len(text.splitlines()) <= 12
    (tmp_path / "agents.toml").write_text(text)
    said = said_by(agents()["line-count"], given)
    assert any(re.fullmatch(r" *2 shop\.py", line) for line in said)
    assert said[-1] == "asked: LATER please"
    assert list(agents()["shell"].info.examples) == ["test", "format"]


def test_the_agent_in_thirty_lines_of_python_works(
    tmp_path: Path, given: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = (code for code in examples("python") if "BuiltIn" in code)
    assert len(code.splitlines()) <= 32
    (tmp_path / "acme_notes.py").write_text(code)
    (package,) = (text for text in examples("toml") if "entry-points" in text)
    (catalog,) = (text for text in examples("toml") if text.startswith("plugins"))
    points = tomllib.loads(package)["project"]["entry-points"][GROUP]
    installed = tmp_path / "acme-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    lines = [f"[{GROUP}]", *(f"{name} = {target}" for name, target in points.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    (tmp_path / "agents.toml").write_text(catalog)
    monkeypatch.syspath_prepend(str(tmp_path))
    notes = agents()["notes"]
    assert notes.why_not_accepted("LATER", None) == "notes works on a repository: give its address."
    # Where it is really installed it is found without this path.
    assert said_by(notes, given, PYTHONPATH=str(tmp_path)) == ["- shop.py:2: # LATER: add the tax"]
    assert (tmp_path / "output" / "notes.md").read_text() == "- shop.py:2: # LATER: add the tax\n"
