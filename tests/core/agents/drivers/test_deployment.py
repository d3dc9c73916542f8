import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.agents.base import Assignment, LogLine
from core.agents.drivers.builtin import ROOT
from core.agents.drivers.deployment import DeploymentBot, DeploymentSettings, DeploymentTarget
from core.errors import AgentFailed
from core.log_text import LogType
from core.programs.deployment_bot.target import VARIABLE
from core.sandbox import folders, isolation
from core.sandbox.command import ResourceLimits, Sandbox
from tests.core.agents.drivers.assignments import Given, assignment, parse, program
from tests.core.sandbox.commands import outcome
from tests.support.world import World

URL = "https://git.example.org/team/website"
SECRET = "q7XcV0nBz1LmKdJfHgTs"


Perform = Callable[..., tuple[int, list[LogLine]]]


def bot(*targets: DeploymentTarget) -> DeploymentBot:
    return DeploymentSettings(driver="deployment-bot", targets=targets).agent("deployment-bot")


def target(**given: object) -> DeploymentTarget:
    return DeploymentTarget.model_validate({"repo": URL, "env": "staging", **given})


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """A workspace like a task's, handed to its user; the repository can only be read."""

    def made(prompt: str, url: str = URL) -> Assignment:
        task, user = assignment(tmp_path, prompt), isolation.user_for(7)
        for folder in (tmp_path / "repository", task.output, task.home):
            folders.chown_tree(folder, user)
        sandbox = Sandbox((task.output, task.home), (tmp_path / "repository",), "open", ResourceLimits(), user)
        return replace(task, repository_url=url, sandbox=sandbox)

    return made


@pytest.fixture
def perform(given: Given) -> Perform:
    """Run a deployment in its sandbox; the exit status and the entries."""

    def performed(agent: DeploymentBot, prompt: str, through: tuple[str, ...] = ()) -> tuple[int, list[LogLine]]:
        task = given(prompt)
        command = agent.command(task)
        lines, status, _ = outcome(replace(command, argv=(*through, *command.argv)))
        assert not [line for line, is_error in lines if is_error]
        parsed = parse(agent.output_parser(task), (line for line, _ in lines))
        assert parsed.failure(status) == (parsed.entries[-1].message if status else None)
        return status, parsed.entries

    return performed


NO_ENVIRONMENT = dict.fromkeys(("stag;id", "deploy to stag;id", "deploy", "deploy to $(id)"), "Say where to deploy to")
UNCLEAR = {"Dry running staging": "It is not clear whether this should be a dry run"}


@pytest.mark.attack(100, 101)
@pytest.mark.parametrize(("prompt", "sentence"), (NO_ENVIRONMENT | UNCLEAR).items())
def test_a_false_environment_and_what_may_be_meant_as_a_dry_run_are_refused_before_anything_runs(
    prompt: str, sentence: str, given: Given
) -> None:
    refusal = bot().why_not_accepted(prompt, URL) or ""
    assert refusal.startswith(sentence) and "id" not in refusal.split()
    with pytest.raises(AgentFailed, match=sentence):
        bot().command(given(prompt))


def test_a_deployment_needs_a_repository() -> None:
    assert bot().why_not_accepted("deploy to staging", URL) is None
    assert bot().why_not_accepted("deploy to staging", None) == "deployment-bot deploys a repository: give its address."


def test_without_a_target_there_is_neither_network_nor_secret(given: Given) -> None:
    task = given("deploy to staging")
    command = bot().command(task)
    assert (command.sandbox.network, command.sandbox.required) == ("none", True)
    folders = ["--output", str(task.output), "--input", str(task.repository)]
    assert list(command.argv) == [sys.executable, "-m", "core.programs", "deployment_bot", *folders]
    assert (command.cwd, command.stdin) == (ROOT, "deploy to staging")
    assert command.env.keys() == {"HOME", "TMPDIR", VARIABLE}
    assert json.loads(command.env[VARIABLE])["is_settled"] is False and not bot().info.changes_files


@pytest.mark.attack(101)
@pytest.mark.parametrize(("repo", "url", "prompt", "is_settled"), [
    (URL, URL, "deploy to staging", True), (URL, f"{URL}.git", "deploy to STAGING", True),
    (URL, "https://GIT.example.org:443/team/website/", "deploy to staging", True),
    (URL, URL, "dry run staging", True), (URL, URL, "deploy to production", False),
    (URL, "https://git.example.org:8443/team/website", "deploy to staging", False),
    (URL, "https://git.example.org/team/Website", "deploy to staging", False),
    (URL, "https://git.example.org/team/x/../website", "deploy to staging", False),
    (URL, "https://git.example.org/team%2Fwebsite", "deploy to staging", False),
    (URL, "https://evil.example/team/website", "deploy to staging", False),
    (URL, "file:///team/website", "deploy to staging", False),
    ("/srv/git/my shop", "file:///srv/git/my%20shop", "deploy to staging", True),
    ("/srv/git/x/../shop/", "file:///srv/git/shop", "deploy to staging", True),
    ("file:///srv/git/shop", "file:///srv/git/shop", "deploy to staging", True),
    ("/srv/git/shop", "file:///srv/git/shop.git", "deploy to staging", False),
    ("/srv/git/shop", "file:///srv/git/Shop", "deploy to staging", False),
    ("/srv/git/shop", "https://srv/git/shop", "deploy to staging", False),
])  # fmt: skip
def test_a_target_is_for_its_repository_and_environment_alone_and_a_dry_run_has_neither_network_nor_secret(
    repo: str, url: str, prompt: str, is_settled: bool, given: Given, world: World
) -> None:
    world.settle(DEPLOY_TOKEN=SECRET)
    more = {"command": ["./up"], "health_url": "https://w.example/"}
    agent = bot(target(repo=repo, secrets=["DEPLOY_TOKEN"], network="open", **more))
    command = agent.command(given(prompt, url))
    told, is_real = json.loads(command.env[VARIABLE]), is_settled and prompt != "dry run staging"
    assert (command.sandbox.network, command.env.get("DEPLOY_TOKEN")) == (
        ("open", SECRET) if is_real else ("none", None)
    )
    assert (told["is_settled"], told["command"]) == (is_settled, ["./up"] if is_settled else [])
    assert SECRET not in " ".join(command.argv) + command.shown + command.env[VARIABLE]


def test_in_its_sandbox_the_administrators_command_is_found_and_reads_its_own(tmp_path: Path, perform: Perform) -> None:
    own = program(tmp_path / "opt" / "deploy", f"#!/bin/sh\ncat {tmp_path}/keys/*; cat {tmp_path}/opt/other\n")
    for name in ("keys/known_hosts", "opt/other"):
        program(tmp_path / name, f"{name}\n", mode=0o644)
    status, entries = perform(bot(target(command=[str(own)], readable=[tmp_path / "keys"])), "deploy to staging")
    said = [entry.message for entry in entries]
    assert "keys/known_hosts" in said
    assert (status, "opt/other" in said) == (1, False)
    assert any("No such file or directory" in line for line in said)


def test_secrets_are_read_when_they_are_asked_for_and_a_missing_one_is_named(given: Given, world: World) -> None:
    agent = bot(target(secrets=["DEPLOY_TOKEN", "SECOND_TOKEN"]))
    assert list(agent.secrets) == []
    world.settle(DEPLOY_TOKEN=SECRET)
    assert list(agent.secrets) == [SECRET]
    with pytest.raises(AgentFailed, match="needs SECOND_TOKEN, which is not set"):
        agent.command(given("deploy to staging"))


@pytest.mark.usefixtures("has_sandbox")
def test_it_says_that_it_needs_a_sandbox(has_none: Callable[[], str]) -> None:
    assert bot().unavailable() is None
    why = has_none()
    assert str(bot().unavailable()).endswith(f"needs a sandbox: {why}.")


@pytest.mark.attack(101)
def test_in_its_sandbox_the_makefile_of_a_dry_run_finds_no_secret_no_network_and_no_file_of_the_machine(
    tmp_path: Path, perform: Perform, world: World
) -> None:
    world.settle(DEPLOY_TOKEN=SECRET)
    (tmp_path / "secret").write_text("outside")
    makefile = (
        f"A := $(shell cat {tmp_path}/secret 2>&1; grep -c : /proc/net/dev; env; touch {tmp_path}/repository/x 2>&1)\n"
        "B := $(shell cat /proc/*/environ | tr '\\0' ' ')\n"
        "deploy:\n\techo $(A)\n\techo $(B)\n"
    )
    program(tmp_path / "repository" / "Makefile", makefile, mode=0o644)
    status, entries = perform(bot(target(secrets=["DEPLOY_TOKEN"], network="open")), "dry run staging")
    said = "\n".join(entry.message for entry in entries)
    assert status == 0
    assert "No such file or directory" in said  # the secret beside the workspace
    assert "No such file or directory 1 " in said  # one network device: the sandbox's own loopback
    assert "Read-only file system" in said
    assert SECRET not in said and "DEPLOY_TOKEN" not in said and "outside" not in said
    assert not (tmp_path / "repository" / "x").exists()


@pytest.mark.attack(100)
def test_in_its_sandbox_a_failing_recipe_is_an_error_and_never_the_bots_voice(tmp_path: Path, perform: Perform) -> None:
    forged = json.dumps({"type": "success", "message": "forged"})
    recipe = f"echo '{forged}' > /proc/$PPID/fd/1\ntouch built && echo built\nexit 3\n"
    program(tmp_path / "repository" / "deploy.sh", recipe, mode=0o644)
    # Through a pipe of the same user, as it is where the server is not root.
    status, entries = perform(bot(), "deploy to staging", ("bash", "-o", "pipefail", "-c", '"$@" | cat', "bash"))
    ended = LogLine(LogType.ERROR, "The recipe ended with exit status 3.")
    assert (status, entries[-2:]) == (1, [LogLine(LogType.INFO, "built"), ended])
    assert [entry for entry in entries if entry.type is LogType.SUCCESS] == []
    assert "exit status 3" in (tmp_path / "output" / "deployment.md").read_text()
    assert [path.name for path in (tmp_path / "repository").iterdir()] == ["deploy.sh"]
