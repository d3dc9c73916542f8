"""Plugins as they are installed: a package and its dist-info folder on the path."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.agents.catalog import TimeLimits, catalog
from core.agents.plugins import GROUP
from core.agents.registry import agents
from core.config import settings
from core.errors import ConfigurationError
from tests.support.world import World

CODE = """
from core.agents.base import Agent
from core.agents.drivers.builtin import BuiltIn
count = 0
def agent():
    global count
    count += 1
    return BuiltIn("acme-lint", "Acme lint", "Lints.", "acme")
def other(): return BuiltIn("other", "Other", "Differs.", "acme")
def claude(): return BuiltIn("claude", "Mine", "Takes a name that is taken.", "acme")
def broken(): raise RuntimeError("no licence")
def foreign(): return type("Foreign", (), {"name": "foreign", "title": "Foreign"})()
class Half(Agent):
    def output_parser(self, assignment): return None
class Nameless(Half):
    info = "nameless"
    def command(self, assignment): return None
constant = 7
"""


@dataclass(frozen=True)
class Installer:
    folder: Path

    def install(self, distribution: str = "acme", **points: str) -> None:
        """Install a distribution whose entry points are these: name and what it leads to."""
        (self.folder / "acme.py").write_text(CODE)
        info = self.folder / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")
        importlib.invalidate_caches()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installer]:
    """Where packages are installed; acme, with the agent acme-lint, is there."""
    monkeypatch.syspath_prepend(str(tmp_path))
    installer = Installer(tmp_path)
    installer.install(acme_lint="acme:agent")
    yield installer
    sys.modules.pop("acme", None)


def test_a_plugin_that_is_named_is_an_agent_like_any_other(packages: Installer, world: World) -> None:
    world.catalog('plugins = ["acme-lint"]')
    assert (agents()["acme-lint"].info.title, list(agents())[-1]) == ("Acme lint", "acme-lint")
    assert agents()["acme-lint"] is agents()["acme-lint"]
    assert sys.modules["acme"].count == 1


def test_a_plugin_that_is_not_named_is_not_even_imported(packages: Installer) -> None:
    assert "acme-lint" not in agents() and "acme" not in sys.modules


def test_a_plugin_gets_limits_of_its_own_and_nothing_else(packages: Installer, world: World) -> None:
    world.catalog('plugins = ["acme-lint"]\n[agents.acme-lint]\ntimeout = 50\nextension = 5')
    assert catalog().limits("acme-lint", settings()) == TimeLimits(50, 40, 5)
    assert agents()["acme-lint"].info.summary == "Lints."
    assert not catalog().pushes("acme-lint")
    world.catalog('plugins = ["acme-lint"]\n[agents.acme-lint]\npush = true')
    assert catalog().pushes("acme-lint")
    world.catalog('plugins = ["acme-lint"]\n[agents.acme-lint]\ntitle = "Mine"')
    with pytest.raises(ConfigurationError, match=r"line 3: agents\.acme-lint\.title: a plugin has no such key"):
        catalog()


@pytest.mark.parametrize(("name", "target", "words"), [
    ("absent", "", "There is no plugin absent .*; installed: acme-lint, broken\\."),
    ("broken", "", r"The plugin broken \(acme:broken\) cannot be loaded: RuntimeError\('no licence'\)"),
    ("no-module", "acme.nowhere:agent", "The plugin no-module .* cannot be loaded: ModuleNotFoundError"),
    ("no-such", "acme:no_such", "The plugin no-such .* cannot be loaded: AttributeError"),
    ("constant", "acme:constant", "The plugin constant .* cannot be loaded: TypeError"),
    ("half", "acme:Half", "The plugin half .* cannot be loaded: TypeError.* abstract method '?command"),
    ("foreign", "acme:foreign", "The plugin foreign .* returns no agent: it must return a core.agents.base.Agent"),
    ("nameless", "acme:Nameless", "The plugin nameless .* returns no agent: .* whose info is an AgentInfo"),
    ("misnamed", "acme:other", "The plugin misnamed .* returns an agent of another name: 'other'"),
    ("claude", "acme:claude", "There are two agents of the name claude"),
])  # fmt: skip
def test_an_unusable_plugin_is_named(name: str, target: str, words: str, packages: Installer, world: World) -> None:
    packages.install("more", broken="acme:broken", **({name: target} if target else {}))
    world.catalog(f'plugins = ["{name}"]')
    with pytest.raises(ConfigurationError, match=words) as caught:
        agents()
    assert caught.value.message.endswith(".")


def test_a_plugin_that_two_packages_bring_is_refused(packages: Installer, world: World) -> None:
    packages.install("another", acme_lint="acme:agent")
    world.catalog('plugins = ["acme-lint"]')
    with pytest.raises(ConfigurationError, match="acme-lint is installed 2 times"):
        agents()


@pytest.mark.parametrize("text", ["plugins = 7", "plugins = [7]", "plugins = ['../x']", "plugins = ['Acme']"])
def test_what_is_no_list_of_names_is_refused_with_its_line(text: str, world: World) -> None:
    world.catalog(text)
    with pytest.raises(ConfigurationError, match=r"agents\.toml, line 1: plugins"):
        agents()
