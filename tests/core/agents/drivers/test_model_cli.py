"""How the drivers start the vendors' programs, and what they say when they cannot."""

import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.agents.base import Assignment
from core.agents.drivers.claude import Claude
from core.agents.drivers.codex import Codex
from core.agents.drivers.model_cli import ModelCli, installed
from core.errors import AgentFailed
from core.sandbox import isolation
from core.sandbox.command import GatewayEndpoint, ResourceLimits
from core.sandbox.gateway import SHIM
from tests.core.agents.drivers.assignments import assignment, program
from tests.core.agents.drivers.runs import VARIABLE, agent, run
from tests.core.agents.model_api import KEY, Text
from tests.support import clis
from tests.support.world import World

KINDS = [Claude, Codex]
TOKEN = "task-token-of-this-task"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture
def given(tmp_path: Path) -> Assignment:
    return replace(
        assignment(tmp_path, "--help", "m1"), endpoint=GatewayEndpoint(tmp_path / "endpoint" / "api", TOKEN, 8788)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_runs_beside_the_shim_and_gets_the_prompt_as_input_alone(
    kind: type[ModelCli], given: Assignment, tmp_path: Path
) -> None:
    own = program(tmp_path / "opt" / "node_modules" / "tool" / "bin" / "tool")
    command = agent(kind, program=(str(own), "--first"), readable=(tmp_path / "more",)).command(given)
    assert list(command.argv[:8]) == [
        sys.executable,
        "-I",
        str(SHIM),
        f"{given.endpoint.socket}",
        "8788",
        "--",
        f"{own}",
        "--first",
    ]
    assert command.argv[command.argv.index("--model") + 1] == "m1"
    assert "--help" not in command.argv
    assert (command.stdin, command.cwd, command.shown) == (
        "--help",
        given.repository,
        f"{kind.__name__.lower()} --model m1",
    )
    assert command.sandbox.network == "none"
    more = [own.parents[2], tmp_path / "more", given.endpoint.socket.parent]
    assert list(command.sandbox.readable) == [*given.sandbox.readable, *more]
    assert list(command.sandbox.writable) == list(given.sandbox.writable)
    assert TOKEN in command.env.values()
    assert TOKEN not in str(command.argv) + repr(command)
    assert KEY not in str(command.argv) + str(command.env)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_model_the_program_chooses(kind: type[ModelCli], given: Assignment) -> None:
    command = agent(kind).command(replace(given, model=None))
    assert "--model" not in command.argv
    assert command.shown == kind.__name__.lower()


def test_claude_may_do_all_in_a_box_and_little_without(given: Assignment, world: World) -> None:
    argv = agent(Claude).command(given).argv
    for words in (
        ("--permission-mode", "bypassPermissions", "--disallowedTools", "WebFetch,WebSearch"),
        ("--setting-sources", "user", "--strict-mcp-config", "--disable-slash-commands", "--no-session-persistence"),
        ("-p", "--output-format", "stream-json", "--verbose"),
    ):
        start = argv.index(words[0])
        assert tuple(argv[start : start + len(words)]) == words
    world.settle(TASKDECK_SANDBOX="none")
    argv = agent(Claude).command(given).argv
    assert argv[argv.index("--permission-mode") + 1] == "acceptEdits"
    assert argv[argv.index("--disallowedTools") + 1] == "WebFetch,WebSearch,Bash"


def test_claude_is_led_to_the_gateway_and_to_nobody_else(given: Assignment) -> None:
    environment = agent(Claude).command(given).env
    assert environment["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8788"
    assert environment["ANTHROPIC_API_KEY"] == TOKEN
    assert environment["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] == environment["DISABLE_TELEMETRY"] == "1"
    assert environment["BASH_MAX_TIMEOUT_MS"] == environment["BASH_DEFAULT_TIMEOUT_MS"] == "48000"  # of 60 s idle
    assert "BASH_MAX_TIMEOUT_MS" not in agent(Claude, idle=math.inf).command(given).env
    # The first would let it run as root, the second takes away what it is allowed.
    assert not environment.keys() & {"IS_SANDBOX", "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB"}


def test_codex_uses_its_own_sandbox_only_without_a_box(given: Assignment, world: World) -> None:
    argv = agent(Codex).command(given).argv
    assert "--dangerously-bypass-approvals-and-sandbox" in argv
    assert 'model_providers.taskdeck.base_url="http://127.0.0.1:8788/v1"' in argv
    world.settle(TASKDECK_SANDBOX="none")
    argv = agent(Codex).command(given).argv
    assert "--dangerously-bypass-approvals-and-sandbox" not in argv
    assert argv[argv.index("--sandbox") + 1] == "workspace-write"


@pytest.mark.parametrize("kind", KINDS)
def test_each_has_an_upstream_with_its_key_and_few_paths(kind: type[ModelCli]) -> None:
    upstream = agent(kind, "https://api.example.org").upstream
    assert (upstream.url, upstream.key) == ("https://api.example.org", KEY)
    assert KEY not in repr(upstream) + repr(agent(kind))
    assert all(path.startswith("/v1/") for path in upstream.paths)
    assert len(upstream.paths) <= 2


@pytest.mark.attack(103)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_set_up_says_so_at_once(
    kind: type[ModelCli], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Assignment
) -> None:
    name = kind.__name__.lower()
    good, plain = program(tmp_path / "good"), program(tmp_path / "plain", mode=0o644)
    began = time.monotonic()
    assert agent(kind, program=(str(good),)).unavailable() is None
    for absent in (str(plain), str(tmp_path), "no-such-program-here"):
        chosen = agent(kind, program=(absent,))
        sentence = f"{name} is not set up: there is no program {absent} that can be started; try data-processor."
        assert chosen.unavailable() == sentence
        with pytest.raises(AgentFailed, match="is not set up"):
            chosen.command(given)
    for value in (None, ""):
        with monkeypatch.context() as patch:
            patch.delenv(VARIABLE) if value is None else patch.setenv(VARIABLE, value)
            unset = f"{name} is not set up: the environment variable {VARIABLE} is not set; try data-processor."
            assert agent(kind, program=(str(good),)).unavailable() == unset
    monkeypatch.setattr(isolation, "unavailable", lambda: "bubblewrap is not installed (apt install bubblewrap)")
    no_box = f"{name} is not set up: bubblewrap is not installed (apt install bubblewrap); try data-processor."
    assert agent(kind, program=(str(good),)).unavailable() == no_box
    assert time.monotonic() - began < 1


@pytest.mark.attack(103)
@pytest.mark.usefixtures("programs")
def test_a_program_of_another_version_fails_within_a_second_and_says_so(tmp_path: Path) -> None:
    other = program(tmp_path / "claude", "#!/bin/sh\necho \"error: unknown option '--setting-sources'\" >&2; exit 1\n")
    refusing = clis.CLAUDE.parents[1] / "claude-code" / "bin" / "claude.exe"  # as npm leaves it without its script
    for chosen, status, words in ((other, 1, "unknown option"), (refusing, 127, "could not be started")):
        with run(Claude, tmp_path / "7", Text(), program=(str(chosen),)) as outcome:
            assert outcome.failure == f"claude ended without a result (exit status {status})."
            assert words in "".join(outcome.noise)
            assert outcome.api.calls == []


@pytest.mark.attack(91)
def test_a_result_too_long_to_be_read_is_none(tmp_path: Path) -> None:
    long = "import json; print(json.dumps({'type': 'result', 'is_error': False, 'result': 'x' * 5_000_000}))"
    with run(Claude, tmp_path / "7", Text(), program=(sys.executable, "-c", long)) as outcome:
        assert outcome.status == 0
        assert outcome.failure == "claude ended without a result (exit status 0)."
        assert sum(len(entry.message) for entry in outcome.entries) < 10_000


@pytest.mark.attack(91)
def test_a_program_that_takes_all_memory_has_failed(tmp_path: Path) -> None:
    result = json.dumps({"type": "result", "is_error": False})
    greedy = f"print({result!r}, flush=True); held = bytearray(2**30); import time; time.sleep(60)"
    chosen = {"program": (sys.executable, "-c", greedy), "limits": ResourceLimits(memory=200 * 2**20)}
    with run(Claude, tmp_path / "7", Text(), **chosen) as outcome:
        assert "memory" in (outcome.failure or "")


def test_a_program_outside_of_usr_is_seen_in_the_box_and_what_lies_beside_it_is_not(tmp_path: Path) -> None:
    outside = tmp_path / "home"
    secret = program(outside / "secret")
    own = program(outside / "bin" / "tool", f'#!/bin/sh\nls {secret}; ls {outside}/bin; echo "$0"\n')
    link = tmp_path / "bin" / "claude"
    link.parent.mkdir()
    link.symlink_to(own)
    with run(Claude, tmp_path / "7", Text(), program=(str(link),)) as outcome:
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
