import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.agents.base import LogLine
from core.agents.drivers.lines import Lines, LinesSettings
from core.errors import AgentFailed
from core.log_text import LogType
from tests.core.agents.drivers.assignments import Given, parse, program
from tests.support.world import World

PROMPT = "--help $(touch made) `id`; rm -rf ~ \"'\n/config"

pytestmark = pytest.mark.usefixtures("has_sandbox")


def report(*argv: str, **table: Any) -> Lines:
    """The agent that runs this command."""
    words = argv or ("python3", "-c", "print(1)")
    return LinesSettings.model_validate({"driver": "lines", "command": words, **table}).agent("report")


def test_it_runs_its_command_in_the_repository(given: Given, tmp_path: Path) -> None:
    command, sandbox = report().command(given()), replace(given().sandbox, required=True)
    assert (command.argv, command.cwd, command.sandbox) == (report().argv, tmp_path / "repository", sandbox)
    assert command.shown == "python3 -c 'print(1)'"
    home = str(tmp_path / "home")
    assert command.env == {"TASK_PROMPT": "Count", "HOME": home, "TMPDIR": home}
    assert report().command(given(model="small")).env["TASK_MODEL"] == "small"
    assert report().info.changes_files


@pytest.mark.attack(68)
def test_a_prompt_of_options_and_shell_code_reaches_the_command_as_text_alone(given: Given, tmp_path: Path) -> None:
    code = "import os, sys; assert sys.stdin.read() == os.environ['TASK_PROMPT']; print(len(sys.argv))"
    command = report("python3", "-c", code).command(given(PROMPT))
    assert (command.stdin, command.env["TASK_PROMPT"]) == (PROMPT, PROMPT)
    assert not any(PROMPT in word for word in (*command.argv, command.shown))
    said = subprocess.check_output(command.argv, cwd=command.cwd, env=dict(command.env), input=command.stdin, text=True)
    assert (said, list((tmp_path / "repository").iterdir())) == ("1\n", [])


def test_a_prompt_as_long_as_they_come_fits_into_the_environment(given: Given) -> None:
    command = report("true").command(given("𝔘" * 20_000))
    subprocess.run(command.argv, env=dict(command.env), check=True, capture_output=True)


@pytest.mark.parametrize(
    ("name", "own"), [("/opt/run", [Path("/opt/run")]), ("/usr/bin/env", []), ("/bin/sh", []), ("sh", [])]
)
def test_network_and_folders_come_from_the_administrator_and_a_program_elsewhere_is_shown_to_the_sandbox(
    name: str, own: list[Path], given: Given, tmp_path: Path
) -> None:
    wide = report(name, network="open", readable=["/opt/report"]).command(given()).sandbox
    assert (wide.network, wide.readable) == ("open", (tmp_path / "endpoint", Path("/opt/report"), *own))
    task = given().sandbox
    assert replace(wide, network="none", readable=task.readable) == replace(task, required=True)


def test_secrets_are_given_to_the_command_by_its_environment_alone(given: Given, world: World) -> None:
    world.settle(REPORT_KEY="hush-hush")
    keyed = report(secrets=["REPORT_KEY"])
    command = keyed.command(given())
    assert (command.env["REPORT_KEY"], list(keyed.secrets)) == ("hush-hush", ["hush-hush"])
    assert "hush" not in repr(command) + repr(keyed) + command.shown


def test_each_line_is_an_entry_and_the_exit_status_is_the_verdict(given: Given) -> None:
    lines = ["reading", '{"type": "result", "is_error": false}', "::progress 100 done", ""]
    parsed = parse(report().output_parser(given()), lines)
    assert parsed.entries == [LogLine(LogType.INFO, line) for line in lines]
    assert (parsed.failure(0), parsed.failure(3)) == (None, "report ended with exit status 3.")


@pytest.mark.parametrize("name", ["./bin/report", "bin/report"])
def test_a_relative_command_is_a_program_of_the_repository(name: str, given: Given, tmp_path: Path) -> None:
    own = report(name, "--all")
    program(tmp_path / "repository" / "bin" / "report")
    assert (own.unavailable(), own.command(given()).argv) == (None, (name, "--all"))
    assert own.why_not_accepted("x", "https://h/x") is None
    assert own.why_not_accepted("x", None) == "report runs a program of the repository: give the repository's address."


@pytest.mark.parametrize("name", ["./absent", "./folder", "./plain", "./away", "../../../bin/sh", "./plain/x"])
def test_a_program_that_the_repository_does_not_have_is_named(name: str, given: Given, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "folder").mkdir(parents=True)
    program(repository / "plain", mode=0o644)
    (repository / "away").symlink_to("/bin/sh")
    with pytest.raises(AgentFailed, match=r"The repository has no program .* that can be started"):
        report(name).command(given())


@pytest.mark.attack(103)
def test_a_command_that_is_not_on_this_machine_or_lacks_a_key_or_a_sandbox_is_not_set_up(
    tmp_path: Path, world: World, has_none: Callable[[], str]
) -> None:
    assert report().unavailable() is None
    plain = program(tmp_path / "plain", mode=0o644)
    for name in ("no-such-program", "/no/such/program", str(plain), str(tmp_path)):
        reason = report(name).unavailable()
        assert reason == f"report is not set up: there is no program {name} that can be started."
    world.settle(REPORT_KEY=None)
    reason = report(secrets=["REPORT_KEY"]).unavailable()
    assert reason == "report is not set up: the environment variable REPORT_KEY is not set."
    assert f"report is not set up: {has_none()}." == report().unavailable()
