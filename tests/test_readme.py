"""The README and the example files are true: whatever can be named is named there."""

import re
import tomllib
from pathlib import Path

import pytest

from api.routes import create_api
from core.agents import agents
from core.agents.catalog import Catalog
from core.config import Settings
from core.models import EndReason, LogType, TaskStatus

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def settings() -> list[str]:
    alias = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    return [str(alias[name] or f"TASKDECK_{name.upper()}") for name in alias]


def routes() -> list[str]:
    return [
        f"`{method.upper()} /api{path}`"
        for path, methods in create_api().openapi()["paths"].items()
        for method in methods
    ]


@pytest.mark.parametrize("name", [*settings(), *agents(), *TaskStatus, *EndReason, *LogType])
def test_every_setting_agent_and_status_is_named(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("route", routes())
def test_every_route_is_named(route: str) -> None:
    assert route in README


@pytest.mark.parametrize("package", re.findall(r"^[a-z0-9-]+", (ROOT / "requirements.txt").read_text(), re.M))
def test_every_dependency_has_its_reason(package: str) -> None:
    assert f"| {package} |" in README


@pytest.mark.parametrize("package", re.findall(r"^[a-z0-9-]+==", (ROOT / "requirements-dev.txt").read_text(), re.M))
def test_every_development_tool_is_named(package: str) -> None:
    assert package.removesuffix("==") in README


@pytest.mark.parametrize("line", [*(ROOT / "requirements.txt").read_text().splitlines()])
def test_every_dependency_is_pinned(line: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_to_a_file(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_example_catalog_is_valid() -> None:
    Catalog.model_validate(tomllib.loads((ROOT / "agents.toml.example").read_text()))
