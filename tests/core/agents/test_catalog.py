import math
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents.catalog import Host, TimeLimits, catalog
from core.agents.drivers.claude import ClaudeSettings
from core.agents.drivers.lines import LinesSettings
from core.agents.settings import AgentSettings
from core.config import Settings
from core.errors import ConfigurationError
from tests.support.world import World


def test_roots_are_read_with_their_links_followed_and_without_a_file_is_none(world: World, tmp_path: Path) -> None:
    assert catalog().repositories.local_roots == ()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    world.catalog(f'[repositories]\nlocal_roots = ["{tmp_path}/link", "/srv/../srv/git"]\n')
    assert catalog().repositories.local_roots == (tmp_path / "real", Path("/srv/git"))


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_named(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    spoil(tmp_path / "agents.toml")
    with pytest.raises(ConfigurationError, match=r"agents\.toml cannot be read: "):
        catalog()


@pytest.mark.parametrize(("text", "limits"), [
    *(("timeout = 600", TimeLimits(600, 480, 0)), ("timeout = 600\nwarning = 590.5", TimeLimits(600, 590.5, 0))),
    *(("warning = 10", TimeLimits(300, 10, 0)), ("extension = 120", TimeLimits(300, 240, 120))),
])  # fmt: skip
def test_an_agents_own_timeout_moves_its_warning_in_proportion(text: str, limits: TimeLimits, world: World) -> None:
    world.catalog(f"[agents.claude]\n{text}\n")
    general = Settings(timeout=300, warning=240)
    assert catalog().limits("claude", general) == limits
    for other in ("codex", "an agent that is gone"):
        assert catalog().limits(other, general) == TimeLimits(300, 240, 0)


def test_a_warning_is_measured_by_the_general_timeout_of_this_server(world: World) -> None:
    world.catalog("[agents.claude]\nwarning = 250\n")
    assert catalog().agents["claude"].warning == 250
    world.settle(TASKDECK_TIMEOUT="250")
    catalog.cache_clear()
    with pytest.raises(ConfigurationError, match=r"agents\.claude\.warning must be less than its timeout"):
        catalog()


WHOLE = """
plugins = []
[agents.claude]
title = "Claude here"
command = ["/opt/claude/bin/claude"]
models = ["sonnet", "opus"]
allow_other_models = true
secrets = { api_key = "CLAUDE_KEY" }
upstream = "https://models.example.org/anthropic/"
readable = ["/opt/claude"]
push = true
idle = 90
memory_mb = 4096
network = "model-only"
[agents]
small-claude = { driver = "claude" }
slow-report = { driver = "lines", command = ["./bin/report", "--all"], secrets = ["REPORT_KEY"], network = "open" }
shell = { recipes = { test = ["make", "test"] }, idle = inf }
[[agents.deployment-bot.targets]]
repo = "https://git.example.org/team/website"
env = "staging"
command = ["./deploy.sh", "staging"]
health_url = "https://staging.example.org/health"
secrets = ["DEPLOY_TOKEN"]
network = "open"
[repositories]
local_roots = ["/srv"]
hosts."10.1.2.3" = { push = ["*"] }
hosts."git.example.org" = { private = true, user = "ci", token = "GIT_TOKEN", push = ["team/website", "group/sub/x"] }
"""


def test_every_setting_of_an_agent_and_of_a_host_is_read(world: World) -> None:
    world.catalog(WHOLE)
    found = catalog()
    claude, report = found.agents["claude"], found.agents["slow-report"]
    assert isinstance(claude, ClaudeSettings) and isinstance(report, LinesSettings)
    assert (claude.command, claude.models) == (("/opt/claude/bin/claude",), ("sonnet", "opus"))
    assert (claude.upstream, claude.readable) == ("https://models.example.org/anthropic", (Path("/opt/claude"),))
    assert (claude.idle, claude.memory_mb, claude.allow_other_models) == (90, 4096, True)
    assert (report.command, report.network, report.idle) == (("./bin/report", "--all"), "open", math.inf)
    assert [name for name in found.agents if found.pushes(name)] == ["claude"]
    assert not found.pushes("an agent that is gone")
    assert found.repositories.local_roots == (Path("/srv"),)
    assert found.repositories.hosts == {
        "git.example.org": Host(private=True, user="ci", token="GIT_TOKEN", push=("team/website", "group/sub/x")),
        "10.1.2.3": Host(private=False, user="oauth2", token=None, push=("*",)),
    }
    # Agents that talk with a model are given up when they are silent; others may compute.
    idle = {name: agent.idle for name, agent in found.agents.items() if isinstance(agent, AgentSettings)}
    assert (idle.pop("claude"), idle.pop("codex"), idle.pop("small-claude")) == (90, 120, 120)
    assert set(idle.values()) == {math.inf}


def test_what_every_name_of_a_variable_leads_to_is_a_secret(world: World) -> None:
    world.catalog(WHOLE)
    names = ("CLAUDE_KEY", "REPORT_KEY", "DEPLOY_TOKEN", "GIT_TOKEN", "OPENAI_API_KEY")
    world.settle(**dict.fromkeys(("ANTHROPIC_API_KEY", *names)))
    assert catalog().secrets() == ()
    world.settle(ANTHROPIC_API_KEY=" ", **{name: f" the {name}\n" for name in (*names, "ANOTHER")})
    assert set(catalog().secrets()) == {f"the {name}" for name in names}
