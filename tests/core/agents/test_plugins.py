"""Plugins as they are installed: a package and its dist-info folder on the path."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.agents.catalog import TimeLimits, catalog
from core.agents.plugins import GROUP
from core.agents.registry import agents
from core.config import settings
from core.errors import ConfigurationError

CODE = """
from core.agents.drivers.builtin import BuiltIn
made = 0
def agent():
    global made
    made += 1
    return BuiltIn("acme-lint", "Acme lint", "Lints.", "acme")
def other():
    return BuiltIn("other", "Other", "Differs.", "acme")
def claude():
    return BuiltIn("claude", "Mine", "Takes a name that is taken.", "acme")
def broken():
    raise RuntimeError("no licence")
def half():
    return type("Half", (), {"name": "acme-lint", "title": "Half"})()
constant = 7
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution whose entry points are these: name and what it leads to."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(distribution: str = "acme", **points: str) -> None:
        (tmp_path / "acme.py").write_text(CODE)
        folder = tmp_path / f"{distribution}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in points.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")
        importlib.invalidate_caches()

    yield write
    sys.modules.pop("acme", None)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str], None]:
    """Write agents.toml."""

    def write(text: str) -> None:
        (tmp_path / "agents.toml").write_text(text)
        catalog.cache_clear()

    return write


def test_a_plugin_that_is_named_is_an_agent_like_any_other(
    install: Callable[..., None], ask: Callable[[str], None]
) -> None:
    install(acme_lint="acme:agent")
    ask('plugins = ["acme-lint"]')
    assert (agents()["acme-lint"].title, list(agents())[-1]) == ("Acme lint", "acme-lint")
    assert agents()["acme-lint"] is agents()["acme-lint"]
    assert sys.modules["acme"].made == 1


def test_a_plugin_that_is_not_named_is_not_even_imported(install: Callable[..., None]) -> None:
    install(acme_lint="acme:agent")
    assert "acme-lint" not in agents()
    assert "acme" not in sys.modules


def test_a_plugin_gets_limits_of_its_own_and_nothing_else(
    install: Callable[..., None], ask: Callable[[str], None]
) -> None:
    install(acme_lint="acme:agent")
    ask('plugins = ["acme-lint"]\n[agents.acme-lint]\ntimeout = 50\nextension = 5')
    assert catalog().limits("acme-lint", settings()) == TimeLimits(50, 40, 5)
    assert agents()["acme-lint"].summary == "Lints."
    assert not catalog().pushes("acme-lint")
    ask('plugins = ["acme-lint"]\n[agents.acme-lint]\npush = true')
    assert catalog().pushes("acme-lint")
    ask('plugins = ["acme-lint"]\n[agents.acme-lint]\ntitle = "Mine"')
    with pytest.raises(ConfigurationError, match=r"line 3: agents\.acme-lint\.title: a plugin has no such key"):
        catalog()


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("absent", "", "There is no plugin absent .*; installed: acme-lint, broken\\."),
        ("broken", "acme:broken", r"The plugin broken \(acme:broken\) cannot be loaded: RuntimeError\('no licence'\)"),
        ("no-module", "acme.nowhere:agent", "The plugin no-module .* cannot be loaded: ModuleNotFoundError"),
        ("no-such", "acme:no_such", "The plugin no-such .* cannot be loaded: AttributeError"),
        ("constant", "acme:constant", "The plugin constant .* cannot be loaded: TypeError"),
        ("half", "acme:half", "The plugin half .* gives no agent: it lacks summary, .*output_parser"),
        ("misnamed", "acme:other", "The plugin misnamed .* gives an agent of another name: 'other'"),
        ("claude", "acme:claude", "There are two agents of the name claude"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named(
    name: str, target: str, words: str, install: Callable[..., None], ask: Callable[[str], None]
) -> None:
    points = {"acme_lint": "acme:agent", "broken": "acme:broken"} | ({name: target} if target else {})
    install(**points)
    ask(f'plugins = ["{name}"]')
    with pytest.raises(ConfigurationError, match=words) as caught:
        agents()
    assert caught.value.message.endswith(".")


def test_a_plugin_that_two_packages_bring_is_refused(install: Callable[..., None], ask: Callable[[str], None]) -> None:
    install(acme_lint="acme:agent")
    install("another", acme_lint="acme:agent")
    ask('plugins = ["acme-lint"]')
    with pytest.raises(ConfigurationError, match="acme-lint is there 2 times"):
        agents()


def test_an_agent_of_the_file_cannot_have_a_plugin_s_name(
    install: Callable[..., None], ask: Callable[[str], None]
) -> None:
    install(acme_lint="acme:agent")
    ask('plugins = ["acme-lint"]\n[agents.acme-lint]\ndriver = "shell"')
    with pytest.raises(ConfigurationError, match="two agents of the name acme-lint"):
        agents()


@pytest.mark.parametrize("text", ["plugins = 7", "plugins = [7]", "plugins = ['../x']", "plugins = ['Acme']"])
def test_what_is_no_list_of_names_is_refused_with_its_line(text: str, ask: Callable[[str], None]) -> None:
    ask(text)
    with pytest.raises(ConfigurationError, match=r"agents\.toml, line 1: plugins"):
        agents()
