import math
from pathlib import Path

import pytest

from core.agents.catalog import Host, TimeLimits, catalog
from core.agents.registry import agents
from core.agents.settings import AgentSettings, ClaudeSettings, LinesSettings
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


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_named(make: object, file: Path) -> None:
    make(file)  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match=r"agents\.toml cannot be read: "):
        catalog()


def test_without_a_word_every_agent_has_the_general_limits() -> None:
    general = Settings(timeout=500, warning=100)
    assert {catalog().limits(name, general) for name in agents()} == {TimeLimits(500, 100, 0)}


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("timeout = 600", TimeLimits(600, 480, 0)),
        ("timeout = 30", TimeLimits(30, 24, 0)),
        ("timeout = 600\nwarning = 590.5", TimeLimits(600, 590.5, 0)),
        ("warning = 10", TimeLimits(300, 10, 0)),
        ("extension = 120", TimeLimits(300, 240, 120)),
        ("extension = 0", TimeLimits(300, 240, 0)),
        ("timeout = 60\nwarning = 1\nextension = 0.5", TimeLimits(60, 1, 0.5)),
    ],
)
def test_an_agents_own_timeout_moves_the_warning_in_proportion_and_no_other_agents(
    text: str, limits: TimeLimits, file: Path
) -> None:
    file.write_text(f"[agents.claude]\n{text}\n")
    general = Settings(timeout=300, warning=240)
    assert catalog().limits("claude", general) == limits
    assert catalog().limits("codex", general) == TimeLimits(300, 240, 0)
    assert catalog().limits("an agent that is gone", general) == TimeLimits(300, 240, 0)


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


WHOLE = """
plugins = []
[agents.claude]
title = "Claude here"
summary = "Ours."
command = ["/opt/claude/bin/claude"]
models = ["sonnet", "opus"]
allow_other_models = true
secrets = { api_key = "CLAUDE_KEY" }
upstream = "https://models.example.org/anthropic/"
readable = ["/opt/claude"]
push = true
timeout = 300
warning = 240
extension = 60
idle = 90
memory_mb = 4096
network = "model-only"
[agents.small-claude]
driver = "claude"
[agents.slow-report]
driver = "lines"
command = ["./bin/report", "--all"]
secrets = ["REPORT_KEY"]
network = "open"
idle = inf
[agents.shell]
recipes = { test = ["make", "test"] }
[[agents.deployment-bot.targets]]
repo = "https://git.example.org/team/website"
env = "staging"
command = ["./deploy.sh", "staging"]
health_url = "https://staging.example.org/health"
secrets = ["DEPLOY_TOKEN"]
network = "open"
[[agents.deployment-bot.targets]]
repo = "https://git.example.org/team/website"
env = "production"
[repositories.hosts."git.example.org"]
private = true
user = "oauth2"
token = "GIT_TOKEN"
push = ["team/website", "group/sub/name"]
[repositories.hosts."10.1.2.3"]
push = ["*"]
"""


def test_every_setting_of_an_agent_and_of_a_host_is_read(file: Path) -> None:
    file.write_text(WHOLE)
    found = catalog()
    claude, report = found.agents["claude"], found.agents["slow-report"]
    assert isinstance(claude, ClaudeSettings) and isinstance(report, LinesSettings)
    assert (claude.command, claude.models) == (("/opt/claude/bin/claude",), ("sonnet", "opus"))
    assert (claude.upstream, claude.readable) == ("https://models.example.org/anthropic", (Path("/opt/claude"),))
    assert (claude.idle, claude.memory_mb, claude.allow_other_models) == (90, 4096, True)
    assert (report.command, report.network, report.idle) == (("./bin/report", "--all"), "open", math.inf)
    assert [name for name in found.agents if found.pushes(name)] == ["claude"]
    assert not found.pushes("an agent that is gone")
    hosts = found.repositories.hosts
    assert hosts["git.example.org"] == Host(
        private=True, user="oauth2", token="GIT_TOKEN", push=("team/website", "group/sub/name")
    )
    assert (hosts["10.1.2.3"].private, hosts["10.1.2.3"].token, hosts["10.1.2.3"].push) == (False, None, ("*",))


def test_agents_that_talk_with_a_model_are_given_up_when_they_are_silent_and_others_may_compute(file: Path) -> None:
    file.write_text(WHOLE)
    idle = {name: agent.idle for name, agent in catalog().agents.items() if isinstance(agent, AgentSettings)}
    assert (idle.pop("claude"), idle.pop("codex"), idle.pop("small-claude")) == (90, 120, 120)
    assert set(idle.values()) == {math.inf}


def test_what_every_name_of_a_variable_leads_to_is_a_secret(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(WHOLE)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CLAUDE_KEY", "REPORT_KEY", "DEPLOY_TOKEN", "GIT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert catalog().secrets() == ()
    for name in ("CLAUDE_KEY", "REPORT_KEY", "DEPLOY_TOKEN", "GIT_TOKEN", "OPENAI_API_KEY", "ANOTHER"):
        monkeypatch.setenv(name, f" the {name}\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", " ")
    assert set(catalog().secrets()) == {
        f"the {name}" for name in ("CLAUDE_KEY", "REPORT_KEY", "DEPLOY_TOKEN", "GIT_TOKEN", "OPENAI_API_KEY")
    }


def test_of_a_secret_of_several_lines_each_is_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[agents.claude]\nsecrets = { api_key = "CLAUDE_KEY" }\n')
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("CLAUDE_KEY", "-----BEGIN-----\nfirst-line\nsecond-line\n--\n")
    whole, *lines = catalog().secrets()
    assert whole == "-----BEGIN-----\nfirst-line\nsecond-line\n--"
    assert lines == ["-----BEGIN-----", "first-line", "second-line"]


def test_agents_and_repositories_may_stand_in_one_file(file: Path) -> None:
    file.write_text(
        "[repositories]\nlocal_roots = ['/srv']\n[agents.codex]\ntimeout = 60\n[agents.claude]\nwarning = 9\n"
    )
    assert catalog().repositories.local_roots == (Path("/srv"),)
    assert (catalog().agents["codex"].timeout, catalog().agents["claude"].warning) == (60, 9)
