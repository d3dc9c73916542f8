import re
from pathlib import Path

import pytest

from core.agents import agents
from core.agents.catalog import Limits, catalog
from core.config import Settings, settings
from core.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The agents.toml that the settings name."""
    return tmp_path / "agents.toml"


def test_without_a_file_nothing_of_this_machine_may_be_cloned() -> None:
    assert catalog().repositories.local_roots == ()


def test_roots_are_read_with_their_links_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    file.write_text(f'[repositories]\nlocal_roots = ["{tmp_path}/link", "/srv/../srv/git"]\n')
    assert catalog().repositories.local_roots == (tmp_path / "real", Path("/srv/git"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[repositories]\nlocal_roots = [", "cannot be read"),
        ("[repositories]\n\nlocal_roots = ['data']", "line 3: repositories.local_roots: .*absolute path"),
        ("[repositories]\nlocal_roots = 7", "line 2: repositories.local_roots"),
        ("[repositories]\nlocal_root = []", "line 2: repositories.local_root: Extra"),
        ("\n[shells]\nx = 1", "line 2: shells: Extra"),
        ("repositories = 7", "line 1: repositories"),
        ("[agents.claud]\ntimeout = 5", "line 1: agents.claud: there is no such agent; known are .*claude"),
        ("[agents]\n\nclaud = { timeout = 5 }", "line 3: agents.claud: there is no such agent"),
        ("[agents.claude]\ntimeout = 0", "line 2: agents.claude.timeout: .*greater than 0"),
        ("[agents.claude]\ntimeout = -3", "line 2: agents.claude.timeout"),
        ("[agents.claude]\ntimeout = inf", "line 2: agents.claude.timeout: .*finite"),
        ("[agents.claude]\ntimeout = nan", "line 2: agents.claude.timeout"),
        ("[agents.claude]\ntimeout = 'long'", "line 2: agents.claude.timeout"),
        ("[agents.claude]\n\nwarning = 0", "line 3: agents.claude.warning"),
        ("[agents.claude]\nextension = -1", "line 2: agents.claude.extension"),
        ("[agents.claude]\nextension = inf", "line 2: agents.claude.extension"),
        ("[agents.claude]\ntimeouts = 5", "line 2: agents.claude.timeouts: Extra"),
        ("[agents.claude]\ntimeout = 5\nwarning = 5", "agents.claude.warning must be less than its timeout"),
        ("[agents.codex]\nwarning = 300", "agents.codex.warning must be less than its timeout"),
    ],
)
def test_a_mistake_is_named_with_its_file_line_and_key(text: str, words: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        catalog()
    assert caught.value.message.startswith(str(file))
    assert re.search(words, caught.value.message)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_named(make: object, file: Path) -> None:
    make(file)  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match=r"agents\.toml cannot be read: "):
        catalog()


def test_without_a_word_every_agent_has_the_general_limits() -> None:
    general = Settings(timeout=500, warning=100)
    assert {catalog().limits(name, general) for name in agents()} == {Limits(500, 100, 0)}


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("timeout = 600", Limits(600, 480, 0)),
        ("timeout = 30", Limits(30, 24, 0)),
        ("timeout = 600\nwarning = 590.5", Limits(600, 590.5, 0)),
        ("warning = 10", Limits(300, 10, 0)),
        ("extension = 120", Limits(300, 240, 120)),
        ("extension = 0", Limits(300, 240, 0)),
        ("timeout = 60\nwarning = 1\nextension = 0.5", Limits(60, 1, 0.5)),
    ],
)
def test_an_agents_own_timeout_moves_the_warning_in_proportion_and_no_other_agents(
    text: str, limits: Limits, file: Path
) -> None:
    file.write_text(f"[agents.claude]\n{text}\n")
    general = Settings(timeout=300, warning=240)
    assert catalog().limits("claude", general) == limits
    assert catalog().limits("codex", general) == Limits(300, 240, 0)
    assert catalog().limits("an agent that is gone", general) == Limits(300, 240, 0)


def test_a_warning_is_measured_by_the_general_timeout_of_this_server(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[agents.claude]\nwarning = 250\n")
    assert catalog().agents["claude"].warning == 250
    for cached in (settings, catalog):
        cached.cache_clear()
    monkeypatch.setenv("TASKDECK_TIMEOUT", "250")
    with pytest.raises(ConfigurationError, match=r"agents\.claude\.warning must be less than its timeout"):
        catalog()


def test_agents_and_repositories_may_stand_in_one_file(file: Path) -> None:
    file.write_text(
        "[repositories]\nlocal_roots = ['/srv']\n[agents.codex]\ntimeout = 60\n[agents.claude]\nwarning = 9\n"
    )
    assert catalog().repositories.local_roots == (Path("/srv"),)
    assert set(catalog().agents) == {"codex", "claude"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[agents.claude]\ntimeout = 10\n[agents.codex]\ntimeout = -1\n", "line 4: agents.codex.timeout: "),
        ("[agents.claude]\ntimeout = 10\nwarning = 20\n", "line 1: agents.claude.warning must be less"),
        ("[agents.codex]\n[agents.nobody]\n", "line 2: agents.nobody: there is no such agent"),
    ],
)
def test_of_equal_keys_the_one_in_its_own_section_is_named(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "agents.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        catalog()
    assert where in caught.value.message
