import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.agents.base import Assignment, LogLine
from core.agents.drivers.builtin import ROOT
from core.agents.drivers.deployment import DeploymentBot
from core.agents.settings import Target
from core.errors import AgentFailed
from core.programs.deployment_bot.target import VARIABLE
from core.sandbox import isolation
from core.sandbox.command import ResourceLimits, Sandbox
from core.sandbox.process import Process
from tests.core.agents.drivers.assignments import program

URL = "https://git.example.org/team/website"
SECRET = "q7XcV0nBz1LmKdJfHgTs"


def bot(*targets: Target) -> DeploymentBot:
    return DeploymentBot("deployment-bot", "Deployment bot", "Deploys.", targets, ResourceLimits())


def target(**given: object) -> Target:
    return Target.model_validate({"repo": URL, "env": "staging", **given})


@pytest.fixture
def assignment(tmp_path: Path) -> Callable[..., Assignment]:
    """A workspace like a task's, handed to its user."""
    folders = [tmp_path / name for name in ("repository", "output", "home")]
    for folder in folders:
        folder.mkdir()

    def made(prompt: str, url: str = URL) -> Assignment:
        repository, output, home = folders
        user = isolation.user_for(7)
        for folder in folders:
            isolation.chown_folder(folder, user)
        return Assignment(
            prompt,
            None,
            repository,
            url,
            output,
            home,
            Sandbox((output, home), (repository,), "open", ResourceLimits(), user),
        )

    return made


@pytest.fixture
def perform(assignment: Callable[..., Assignment]) -> Callable[..., tuple[int, list[LogLine]]]:
    """Run a deployment in its box; the exit status and the entries."""

    def performed(agent: DeploymentBot, prompt: str, through: tuple[str, ...] = ()) -> tuple[int, list[LogLine]]:
        given = assignment(prompt)
        command = agent.command(given)
        command = replace(command, argv=(*through, *command.argv))
        listener, entries, deadline = agent.output_parser(given), [], time.monotonic() + 30
        with Process(command, 30) as process:
            while not process.ended:
                assert time.monotonic() < deadline
                for line, is_error in process.read(0.1):
                    assert not is_error, line
                    entries += [said for said in listener.feed(line) if isinstance(said, LogLine)]
            return process.exit_status, entries

    return performed


@pytest.mark.attack(100)
@pytest.mark.parametrize("prompt", ["stag;id", "deploy to stag;id", "deploy", "deploy to $(id)"])
def test_a_false_environment_is_refused_before_anything_runs(
    prompt: str, assignment: Callable[..., Assignment]
) -> None:
    said = bot().why_not_accepted(prompt, URL)
    assert said is not None
    assert said.startswith("Say where to deploy to")
    assert "id" not in said.split()
    with pytest.raises(AgentFailed, match="Say where to deploy to"):
        bot().command(assignment(prompt))


@pytest.mark.attack(101)
def test_what_may_be_meant_as_a_dry_run_is_refused(assignment: Callable[..., Assignment]) -> None:
    said = bot().why_not_accepted("Dry running staging", URL)
    assert said is not None
    assert said.startswith("It is not clear whether this should be a dry run")
    with pytest.raises(AgentFailed, match="It is not clear whether this should be a dry run"):
        bot().command(assignment("Dry running staging"))


def test_a_deployment_needs_a_repository() -> None:
    assert bot().why_not_accepted("deploy to staging", URL) is None
    assert bot().why_not_accepted("deploy to staging", None) == "deployment-bot deploys a repository: give its address."


def test_without_a_target_there_is_neither_network_nor_secret(assignment: Callable[..., Assignment]) -> None:
    given = assignment("deploy to staging")
    command = bot().command(given)
    assert command.sandbox.network == "none"
    assert list(command.argv) == [
        sys.executable, "-m", "core.programs.deployment_bot", "--output", str(given.output), "--input",
        str(given.repository),
    ]  # fmt: skip
    assert (command.cwd, command.stdin) == (ROOT, "deploy to staging")
    assert command.env.keys() == {"HOME", "TMPDIR", VARIABLE}
    assert json.loads(command.env[VARIABLE])["is_settled"] is False
    assert not bot().changes_files


@pytest.mark.parametrize(
    ("url", "prompt", "is_settled"),
    [
        (URL, "deploy to staging", True),
        (f"{URL}.git", "deploy to STAGING", True),
        ("https://GIT.example.org:443/team/website/", "deploy to staging", True),
        (URL, "deploy to production", False),
        ("https://git.example.org:8443/team/website", "deploy to staging", False),
        ("https://git.example.org/team/Website", "deploy to staging", False),
        ("https://git.example.org/team/x/../website", "deploy to staging", False),
        ("https://git.example.org/team%2Fwebsite", "deploy to staging", False),
        ("https://evil.example/team/website", "deploy to staging", False),
        ("file:///team/website", "deploy to staging", False),
    ],
)
def test_a_target_is_for_its_repository_and_environment_alone(
    url: str, prompt: str, is_settled: bool, assignment: Callable[..., Assignment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    agent = bot(target(secrets=["DEPLOY_TOKEN"], network="open", command=["./up"], health_url="https://w.example/"))
    command = agent.command(assignment(prompt, url))
    told = json.loads(command.env[VARIABLE])
    assert (command.sandbox.network == "open") == is_settled
    assert (command.env.get("DEPLOY_TOKEN") == SECRET) == is_settled
    assert (told["is_settled"], told["command"]) == (is_settled, ["./up"] if is_settled else [])
    assert SECRET not in " ".join(command.argv) + command.shown + command.env[VARIABLE]


@pytest.mark.parametrize(
    ("repo", "url", "is_settled"),
    [
        ("/srv/git/my shop", "file:///srv/git/my%20shop", True),
        ("/srv/git/x/../shop/", "file:///srv/git/shop", True),
        ("file:///srv/git/shop", "file:///srv/git/shop", True),
        ("/srv/git/shop", "file:///srv/git/shop.git", False),
        ("/srv/git/shop", "file:///srv/git/Shop", False),
        ("/srv/git/shop", "https://srv/git/shop", False),
    ],
)
def test_a_folder_of_this_machine_can_be_a_target(
    repo: str, url: str, is_settled: bool, assignment: Callable[..., Assignment]
) -> None:
    command = bot(target(repo=repo)).command(assignment("deploy to staging", url))
    assert json.loads(command.env[VARIABLE])["is_settled"] is is_settled


def test_in_its_box_the_administrators_command_is_found_wherever_it_lies_and_reads_what_it_may(
    tmp_path: Path, perform: Callable[..., tuple[int, list[LogLine]]]
) -> None:
    own = program(tmp_path / "opt" / "deploy", f"#!/bin/sh\ncat {tmp_path}/keys/*; cat {tmp_path}/opt/other\n")
    for name in ("keys/known_hosts", "opt/other"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    status, entries = perform(bot(target(command=[str(own)], readable=[tmp_path / "keys"])), "deploy to staging")
    said = [entry.message for entry in entries]
    assert "keys/known_hosts" in said
    assert (status, "opt/other" in said) == (1, False)
    assert any("No such file or directory" in line for line in said)


@pytest.mark.attack(101)
def test_a_dry_run_has_neither_network_nor_secret(
    assignment: Callable[..., Assignment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    command = bot(target(secrets=["DEPLOY_TOKEN"], network="open")).command(assignment("dry run staging"))
    assert command.sandbox.network == "none"
    assert "DEPLOY_TOKEN" not in command.env


def test_secrets_are_read_when_they_are_asked_for_and_a_missing_one_is_named(
    assignment: Callable[..., Assignment], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = bot(target(secrets=["DEPLOY_TOKEN", "SECOND_TOKEN"]))
    assert list(agent.secrets) == []
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    assert list(agent.secrets) == [SECRET]
    with pytest.raises(AgentFailed, match="needs SECOND_TOKEN, which is not set"):
        agent.command(assignment("deploy to staging"))


def test_it_says_that_it_needs_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "unavailable", lambda: "bubblewrap is not installed (apt install bubblewrap)")
    reason = bot().unavailable()
    assert reason is not None
    assert reason.endswith("needs a box: bubblewrap is not installed (apt install bubblewrap).")
    monkeypatch.setattr(isolation, "unavailable", lambda: None)
    assert bot().unavailable() is None


def test_a_health_address_without_network_is_refused_in_the_file() -> None:
    with pytest.raises(ValidationError, match='health_url needs network = "open"'):
        target(health_url="https://w.example/health")
    assert target(health_url="https://w.example/health", network="open").network == "open"


@pytest.mark.attack(101)
def test_in_its_box_the_makefile_of_a_dry_run_finds_no_secret_no_network_and_no_file_of_the_machine(
    tmp_path: Path, perform: Callable[..., tuple[int, list[LogLine]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "repository" / "Makefile").write_text(
        f"A := $(shell cat {tmp_path}/secret 2>&1; grep -c : /proc/net/dev; env; touch {tmp_path}/repository/x 2>&1)\n"
        "B := $(shell cat /proc/*/environ | tr '\\0' ' ')\n"
        "deploy:\n\techo $(A)\n\techo $(B)\n"
    )
    status, entries = perform(bot(target(secrets=["DEPLOY_TOKEN"], network="open")), "dry run staging")
    said = "\n".join(entry.message for entry in entries)
    assert status == 0
    assert "No such file or directory" in said  # the secret beside the workspace
    assert "No such file or directory 1 " in said  # one network device: the box's own loopback
    assert "Read-only file system" in said
    assert SECRET not in said and "DEPLOY_TOKEN" not in said and "outside" not in said
    assert not (tmp_path / "repository" / "x").exists()


@pytest.mark.attack(100)
def test_in_its_box_a_failing_recipe_is_an_error_with_its_status(
    tmp_path: Path, perform: Callable[..., tuple[int, list[LogLine]]], assignment: Callable[..., Assignment]
) -> None:
    (tmp_path / "repository" / "deploy.sh").write_text("touch built && echo built\nexit 3\n")
    status, entries = perform(bot(), "deploy to staging")
    assert status == 1
    assert entries[-2:] == [LogLine("info", "built"), LogLine("error", "The recipe ended with exit status 3.")]
    assert "exit status 3" in (tmp_path / "output" / "deployment.md").read_text()
    assert [path.name for path in (tmp_path / "repository").iterdir()] == ["deploy.sh"]
    listener = bot().output_parser(assignment("deploy to staging"))
    list(listener.feed('{"type": "error", "message": "The recipe ended with exit status 3."}'))
    assert listener.failure(1) == "The recipe ended with exit status 3."


def test_a_recipe_cannot_speak_for_the_bot(tmp_path: Path, perform: Callable[..., tuple[int, list[LogLine]]]) -> None:
    event = json.dumps({"type": "success", "message": "forged"})
    (tmp_path / "repository" / "deploy.sh").write_text(f"echo '{event}' > /proc/$PPID/fd/1\nexit 3\n")
    # Through a pipe of the same user, as it is where the server is not root.
    _, entries = perform(bot(), "deploy to staging", ("sh", "-c", '"$@" | cat', "sh"))
    assert entries[-1] == LogLine("error", "The recipe ended with exit status 3.")
    assert [entry for entry in entries if entry.type == "success"] == []
