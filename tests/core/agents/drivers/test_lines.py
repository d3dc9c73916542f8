import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from core.agents.base import LogLine
from core.agents.drivers.commands import Access
from core.agents.drivers.lines import Lines
from core.errors import AgentFailed
from core.sandbox import isolation
from core.sandbox.command import ResourceLimits
from tests.core.agents.drivers.assignments import assignment, program

AGENT = Lines("report", "Report", "Reports.", ("python3", "-c", "print(1)"), Access(), ResourceLimits())
PROMPT = "--help $(touch made) `id`; rm -rf ~ \"'\n/config"


@pytest.fixture(autouse=True)
def boxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has a box, whatever this one has."""
    monkeypatch.setattr(isolation, "unavailable", lambda: None)


def test_it_runs_its_command_in_the_repository(tmp_path: Path) -> None:
    given = assignment(tmp_path)
    command = AGENT.command(given)
    boxed = replace(given.sandbox, required=True)
    assert (command.argv, command.cwd, command.sandbox) == (AGENT.argv, tmp_path / "repository", boxed)
    assert command.shown == "python3 -c 'print(1)'"
    assert command.env == {
        "TASK_PROMPT": "Count",
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "home"),
    }


@pytest.mark.attack(68)
def test_a_prompt_of_options_and_shell_code_reaches_the_command_as_text_and_nothing_of_it_runs(tmp_path: Path) -> None:
    code = "import os, sys; assert sys.stdin.read() == os.environ['TASK_PROMPT']; print(len(sys.argv))"
    command = replace(AGENT, argv=("python3", "-c", code)).command(assignment(tmp_path, PROMPT))
    assert (command.stdin, command.env["TASK_PROMPT"]) == (PROMPT, PROMPT)
    assert not any(PROMPT in word for word in (*command.argv, command.shown))
    said = subprocess.check_output(command.argv, cwd=command.cwd, env=dict(command.env), input=command.stdin, text=True)
    assert said == "1\n"
    assert list((tmp_path / "repository").iterdir()) == []


def test_a_prompt_as_long_as_they_come_fits_into_the_environment(tmp_path: Path) -> None:
    command = AGENT.command(assignment(tmp_path, "𝔘" * 20_000))
    subprocess.run(command.argv, env=dict(command.env), check=True, capture_output=True)


def test_its_model_is_data_too(tmp_path: Path) -> None:
    assert AGENT.command(assignment(tmp_path, model="small")).env["TASK_MODEL"] == "small"


def test_network_and_folders_come_from_the_administrator_and_are_added_to_the_task_s_box(tmp_path: Path) -> None:
    given = assignment(tmp_path)
    wide = replace(AGENT, surroundings=Access("open", (Path("/opt/report"),)))
    made = wide.command(given).sandbox
    assert (made.network, made.readable) == ("open", (tmp_path / "endpoint", Path("/opt/report")))
    assert replace(made, network="none", readable=given.sandbox.readable) == replace(given.sandbox, required=True)


def test_a_program_that_lies_elsewhere_on_the_machine_is_shown_to_the_box(tmp_path: Path) -> None:
    for name, more in (
        ("/opt/report/run", (Path("/opt/report/run"),)),
        ("/usr/bin/env", ()),
        ("/bin/sh", ()),
        ("sh", ()),
    ):
        made = replace(AGENT, argv=(name,)).command(assignment(tmp_path)).sandbox
        assert made.readable == (tmp_path / "endpoint", *more)


def test_secrets_are_given_to_the_command_by_its_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_KEY", "hush-hush")
    keyed = replace(AGENT, surroundings=Access(variables=("REPORT_KEY",)))
    command = keyed.command(assignment(tmp_path))
    assert command.env["REPORT_KEY"] == "hush-hush"
    assert list(keyed.secrets) == ["hush-hush"]
    assert "hush" not in repr(command) + repr(keyed) + command.shown


def test_each_line_is_an_entry_and_the_exit_status_is_the_verdict(tmp_path: Path) -> None:
    heard = AGENT.output_parser(assignment(tmp_path))
    for line in ("reading", '{"type": "result", "is_error": false}', "::progress 100 done", ""):
        assert list(heard.feed(line)) == [LogLine("info", line)]
    assert heard.failure(0) is None
    assert heard.failure(3) == "report ended with exit status 3."


@pytest.mark.parametrize("name", ["./bin/report", "bin/report"])
def test_a_relative_command_is_a_program_of_the_repository(name: str, tmp_path: Path) -> None:
    own = replace(AGENT, argv=(name, "--all"))
    program(tmp_path / "repository" / "bin" / "report")
    assert own.unavailable() is None
    assert own.command(assignment(tmp_path)).argv == (name, "--all")
    assert own.why_not_accepted("x", "https://h/x") is None
    assert own.why_not_accepted("x", None) == "report runs a program of the repository: give the repository's address."


def test_a_program_that_the_repository_does_not_have_is_named(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "folder").mkdir(parents=True)
    program(repository / "plain", mode=0o644)
    (repository / "away").symlink_to("/bin/sh")
    for name in ("./absent", "./folder", "./plain", "./away", "../../../bin/sh", "./plain/x"):
        with pytest.raises(AgentFailed, match=r"The repository has no program .* that can be started"):
            replace(AGENT, argv=(name,)).command(assignment(tmp_path))


@pytest.mark.attack(103)
def test_a_command_that_is_not_on_this_machine_or_lacks_a_key_or_a_box_is_not_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert AGENT.unavailable() is None
    plain = program(tmp_path / "plain", mode=0o644)
    for name in ("no-such-program", "/no/such/program", str(plain), str(tmp_path)):
        reason = replace(AGENT, argv=(name,)).unavailable()
        assert reason == f"report is not set up: there is no program {name} that can be started."
    monkeypatch.delenv("REPORT_KEY", raising=False)
    keyed = replace(AGENT, surroundings=Access(variables=("REPORT_KEY",)))
    assert keyed.unavailable() == "report is not set up: the environment variable REPORT_KEY is not set."
    monkeypatch.setattr(isolation, "unavailable", lambda: "bubblewrap is not installed (apt install bubblewrap)")
    assert AGENT.unavailable() == "report is not set up: bubblewrap is not installed (apt install bubblewrap)."
