"""How the drivers start the vendors' programs, and what they say when they cannot."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.agents.base import Assignment
from core.agents.drivers.claude import Claude
from core.agents.drivers.codex import Codex
from core.agents.drivers.model_cli import installed
from core.errors import AgentFailed
from core.sandbox.command import GatewayEndpoint
from core.sandbox.gateway import SHIM
from tests.core.agents.drivers.assignments import assignment, program
from tests.core.agents.drivers.runs import KINDS, VARIABLE, Kind, agent, run
from tests.core.agents.model_api import KEY, Text
from tests.support import clis
from tests.support.world import World

TOKEN = "task-token-of-this-task"


@pytest.fixture(autouse=True)
def key(world: World) -> None:
    world.settle(**{VARIABLE: KEY})


@pytest.fixture
def given(tmp_path: Path) -> Assignment:
    endpoint = GatewayEndpoint(tmp_path / "endpoint" / "api", TOKEN, 8788)
    return replace(assignment(tmp_path, "--help", "m1"), endpoint=endpoint)


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_runs_beside_the_shim_and_gets_the_prompt_as_input_alone(
    kind: Kind, given: Assignment, tmp_path: Path
) -> None:
    name, socket = kind.__name__.lower(), tmp_path / "endpoint" / "api"
    own = program(tmp_path / "opt" / "node_modules" / "tool" / "bin" / "tool")
    command = agent(kind, command=(str(own), "--first"), readable=(tmp_path / "more",)).command(given)
    shim = [sys.executable, "-I", str(SHIM), f"{socket}", "8788", "--"]
    assert list(command.argv[:8]) == [*shim, f"{own}", "--first"]
    assert command.argv[command.argv.index("--model") + 1] == "m1"
    assert "--help" not in command.argv
    assert (command.stdin, command.cwd, command.shown) == ("--help", given.repository, f"{name} --model m1")
    assert command.sandbox.network == "none"
    more = [own.parents[2], tmp_path / "more", socket.parent]
    assert list(command.sandbox.readable) == [*given.sandbox.readable, *more]
    assert list(command.sandbox.writable) == list(given.sandbox.writable)
    assert TOKEN in command.env.values() and TOKEN not in str(command.argv) + repr(command)
    assert KEY not in str(command.argv) + str(command.env)
    command = agent(kind).command(replace(given, model=None))  # the program chooses
    assert ("--model" in command.argv, command.shown) == (False, name)


#: What each is always told, what in a sandbox, and what without.
TOLD = {
    Claude: (
        "--setting-sources user --strict-mcp-config --disable-slash-commands --no-session-persistence",
        "--permission-mode bypassPermissions --disallowedTools WebFetch,WebSearch --model",
        "--permission-mode acceptEdits --disallowedTools WebFetch,WebSearch,Bash --model",
    ),
    Codex: ("127.0.0.1:8788/v1", "--dangerously-bypass-approvals-and-sandbox", "--sandbox workspace-write"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_may_do_all_in_a_sandbox_and_little_without(kind: Kind, given: Assignment, world: World) -> None:
    for sandbox, told in (("bwrap", (True, True, False)), ("none", (True, False, True))):
        world.settle(TASKDECK_SANDBOX=sandbox)
        argv = " ".join(agent(kind).command(given).argv)
        assert tuple(words in argv for words in TOLD[kind]) == told


def test_claude_is_led_to_the_gateway_and_to_nobody_else(given: Assignment) -> None:
    environment = agent(Claude).command(given).env
    assert (environment["ANTHROPIC_BASE_URL"], environment["ANTHROPIC_API_KEY"]) == ("http://127.0.0.1:8788", TOKEN)
    assert environment["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] == environment["DISABLE_TELEMETRY"] == "1"
    assert environment["BASH_MAX_TIMEOUT_MS"] == environment["BASH_DEFAULT_TIMEOUT_MS"] == "48000"  # of 60 s idle
    assert "BASH_MAX_TIMEOUT_MS" not in agent(Claude, idle=math.inf).command(given).env
    # The first would let it run as root, the second takes away what it is allowed.
    assert not environment.keys() & {"IS_SANDBOX", "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_has_an_upstream_with_its_key_and_few_paths(kind: Kind) -> None:
    made = agent(kind, "https://api.example.org")
    info = made.info
    assert info.upstream and info.changes_files
    assert (info.upstream.url, info.upstream.key) == ("https://api.example.org", KEY)
    assert KEY not in repr(made)
    assert (made.secrets, made.why_not_accepted("Anything", None)) == ((), None)
    assert all(path.startswith("/v1/") for path in info.upstream.paths) and len(info.upstream.paths) <= 2


@pytest.mark.attack(103)
@pytest.mark.usefixtures("has_sandbox")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_set_up_says_so_before_anything_runs(
    kind: Kind, tmp_path: Path, world: World, given: Assignment, has_none: Callable[[], str]
) -> None:
    good, plain = program(tmp_path / "good"), program(tmp_path / "plain", mode=0o644)

    def check(why: str, command: object = good) -> None:
        found = agent(kind, command=(str(command),)).unavailable()
        assert found == f"{kind.__name__.lower()} is not set up: {why}; try data-processor."

    assert agent(kind, command=(str(good),)).unavailable() is None
    for absent in (plain, tmp_path, "no-such-program-here"):
        check(f"there is no program {absent} that can be started", absent)
        with pytest.raises(AgentFailed, match="is not set up"):
            agent(kind, command=(str(absent),)).command(given)
    for value in (None, ""):
        world.settle(**{VARIABLE: value})
        check(f"the environment variable {VARIABLE} is not set")
    check(has_none())


@pytest.mark.attack(103)
@pytest.mark.usefixtures("programs")
def test_a_program_of_another_version_fails_within_a_second_and_says_so(tmp_path: Path) -> None:
    other = program(tmp_path / "claude", "#!/bin/sh\necho \"error: unknown option '--setting-sources'\" >&2; exit 1\n")
    refusing = clis.CLAUDE.parents[1] / "claude-code" / "bin" / "claude.exe"  # as npm leaves it without its script
    for chosen, status, words in ((other, 1, "unknown option"), (refusing, 127, "could not be started")):
        with run(Claude, tmp_path / "7", Text(), command=(str(chosen),)) as outcome:
            assert outcome.failure == f"claude ended without a result (exit status {status})."
            assert words in "".join(outcome.noise)
            assert outcome.api.calls == []


@pytest.mark.attack(91)
def test_a_result_too_long_to_be_read_is_none(tmp_path: Path) -> None:
    long = "import json; print(json.dumps({'type': 'result', 'is_error': False, 'result': 'x' * 5_000_000}))"
    with run(Claude, tmp_path / "7", Text(), command=(sys.executable, "-c", long)) as outcome:
        assert (outcome.status, outcome.failure) == (0, "claude ended without a result (exit status 0).")
        assert sum(len(entry.message) for entry in outcome.entries) < 10_000


def test_a_program_outside_of_usr_is_seen_in_the_sandbox_and_what_lies_beside_it_is_not(tmp_path: Path) -> None:
    outside = tmp_path / "home"
    secret = program(outside / "secret")
    own = program(outside / "bin" / "tool", f'#!/bin/sh\nls {secret}; ls {outside}/bin; echo "$0"\n')
    link = tmp_path / "bin" / "claude"
    link.parent.mkdir()
    link.symlink_to(own)
    with run(Claude, tmp_path / "7", Text(), command=(str(link),)) as outcome:
        assert outcome.said("info") == ["tool", str(own)]
        assert "No such file" in outcome.noise[0]


def test_what_a_program_needs_is_its_packages_or_the_file_alone(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "node_modules"
    inner = program(packages / "@openai" / "codex" / "node_modules" / "x" / "bin" / "codex.js")
    link = tmp_path / "codex"
    link.symlink_to(inner)
    assert installed(link) == packages
    alone = program(tmp_path / "claude")
    assert installed(alone) == alone
