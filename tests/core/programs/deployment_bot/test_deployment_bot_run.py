"""A deployment as the program makes it: real recipes in real processes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from core.programs.deployment_bot import run
from core.programs.deployment_bot.health import Patience
from core.programs.deployment_bot.target import VARIABLE, Target
from tests.core.programs.deployment_bot.conftest import Server
from tests.core.programs.shared import running
from tests.core.programs.shared.hostile import HOSTILE
from tests.core.programs.shared.running import Run, run_here

SECRET = "q7XcV0nBz1LmKdJfHgTs"
QUICK = Patience(tries=3, in_all=30, one_try=10, pause=0.02)
#: What would show each name in the environment of whatever runs it, and each secret.
SNOOP = "$(shell env > seen; env | tr '\\n' ' ')"

Script = Callable[[str], None]
Deploy = Callable[..., Run]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


@pytest.fixture
def script(repository: Path) -> Script:
    """Give the repository a deploy.sh."""

    def write(text: str) -> None:
        path = repository / "deploy.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    return write


@pytest.fixture
def deploy(tmp_path: Path, repository: Path) -> Deploy:
    """Deploy the repository; what is said of the target is settled by the administrator."""

    def deployed(prompt: str = "deploy to staging", **target: object) -> Run:
        given = Target(**target, is_settled=bool(target))  # type: ignore[arg-type]
        output = tmp_path / "output"
        return run_here(lambda events: run.deploy(events, prompt, repository, output, given, QUICK), output)

    return deployed


def test_every_line_of_the_recipe_is_an_entry_and_the_report_says_what_ran(
    script: Script, repository: Path, deploy: Deploy
) -> None:
    script('echo "to $1, $DEPLOY_ENV"; echo oops >&2; echo; touch built; printf "no end"')
    done = deploy()
    assert done.code == 0
    assert done.messages("command") == ["./deploy.sh staging"]
    assert done.messages("info")[2:] == ["to staging, staging", "oops", "", "no end"]
    assert "the repository's own recipe, with no network and no secrets" in done.messages("info")[0]
    assert "there is none" in done.messages("info")[1]  # so it says what a real deployment needs
    assert done.messages("success")[0].startswith("The recipe for staging ended well in 0.")
    assert done.messages("success")[0].endswith(" s, without network.")
    assert done.steps[-1] == 4
    report = done.text("deployment.md")
    for words in ("| Exit status | 0 |", "no network and no secrets", "to staging, staging", "not asked", "deploy.sh"):
        assert words in report
    assert not (repository / "built").exists()  # it worked on a copy


@pytest.mark.attack(100)
@pytest.mark.parametrize(
    ("text", "status"),
    [("echo before; exit 3", 3), ("echo before; kill -9 $$", 137), ("echo before; exec no-such", 127)],
)
def test_a_recipe_that_fails_or_dies_is_an_error_with_its_status(
    text: str, status: int, script: Script, deploy: Deploy
) -> None:
    script(text)
    done = deploy()
    sentence = f"The recipe ended with exit status {status}."
    assert (done.code, done.messages("error"), done.messages("success")) == (1, [sentence], [])
    assert f"| Outcome | {sentence} |" in done.text("deployment.md")
    assert "before" in done.text("deployment.md")


def test_a_program_that_is_not_there_is_named(deploy: Deploy) -> None:
    done = deploy(command=("./no-such", "x"))
    assert done.messages("info")[-1] == "./no-such could not be started: No such file or directory."
    assert done.messages("error") == ["The recipe ended with exit status 127."]


@pytest.mark.attack(100)
def test_without_a_recipe_it_says_what_it_looked_for(deploy: Deploy) -> None:
    done = deploy()
    assert (done.code, done.messages("error")) == (
        1,
        ["There is no recipe to deploy with: looked for deploy.sh, and for deploy-staging or deploy in its Makefile."],
    )
    assert done.messages("command") == []


@pytest.mark.attack(100)
def test_a_false_environment_runs_nothing(script: Script, repository: Path, tmp_path: Path, deploy: Deploy) -> None:
    script(f"touch {tmp_path}/sprung")
    done = deploy("deploy to stag;id")
    assert done.code == 1
    assert done.messages("error")[0].startswith("Say where to deploy to")
    assert not (tmp_path / "sprung").exists()


def test_the_recipe_gets_its_secrets_alone_and_no_report_shows_any_line_of_them(
    script: Script, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    monkeypatch.setenv("DEPLOY_KEY", "-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\nq7XcV0nBz1\n-----END KEY-----")
    monkeypatch.setenv("FLAT", "flat-value-0815\n")
    monkeypatch.setenv("OTHER_TOKEN", "another-secret")
    monkeypatch.setenv(VARIABLE, "{}")
    script('test -n "$DEPLOY_TOKEN" && echo "got $DEPLOY_TOKEN"; echo "key $DEPLOY_KEY"; echo "flat $FLAT"; env')
    done = deploy(secrets=("DEPLOY_TOKEN", "DEPLOY_KEY", "FLAT"), has_network=True)
    assert done.code == 0
    assert "with the network and the secrets DEPLOY_TOKEN, DEPLOY_KEY and FLAT." in done.messages("info")[0]
    assert done.messages("info")[1:7] == ["got [hidden]", "key [hidden]", *["[hidden]"] * 3, "flat [hidden]"]
    everything = json.dumps(done.events) + done.text("deployment.md")
    assert not [one for one in (SECRET, "b3Blbn", "q7XcV", "0815", "OTHER_TOKEN", VARIABLE) if one in everything]


@pytest.mark.attack(101)
@pytest.mark.parametrize("name", ["deploy", "deploy-staging"])
def test_a_dry_run_of_make_lists_the_steps_and_what_runs_all_the_same_sees_no_secret(
    name: str, repository: Path, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    (repository / "Makefile").write_text(f"X := {SNOOP}\n{name}:\n\techo '$(X)'\n\ttouch deployed\n")
    done = deploy("dry run staging", secrets=("DEPLOY_TOKEN",), has_network=True)
    assert done.code == 0
    assert "touch deployed" in done.messages("info")
    (seen,) = [line for line in done.messages("info") if "PATH=" in line]  # so the makefile did run a command
    assert "DEPLOY_TOKEN" not in seen
    assert SECRET not in json.dumps(done.events) + done.text("deployment.md")
    assert "no network and no secrets" in done.text("deployment.md")
    assert sorted(path.name for path in repository.iterdir()) == ["Makefile"]
    assert done.messages("success")[0].endswith("shown, nothing was deployed.")


def test_a_dry_run_of_a_script_shows_its_text_and_runs_nothing_of_it(
    script: Script, tmp_path: Path, deploy: Deploy
) -> None:
    script(f"touch {tmp_path}/sprung\n" + "echo\n" * 300)
    done = deploy("dry run staging")
    assert done.code == 0
    assert {f"touch {tmp_path}/sprung", "… and 103 more lines of deploy.sh"} <= set(done.messages("info"))
    assert not (tmp_path / "sprung").exists()
    assert "# Deployment, dry run" in done.text("deployment.md")
    script("if true; then")
    done = deploy("dry run staging")
    assert (done.code, done.messages("error")) == (1, ["The dry run ended with exit status 2."])
    assert "syntax error" in " ".join(done.messages("info"))
    assert deploy("dry run staging", command=("rsync", "-a", ".", "host:")).messages("info")[1:] == ["rsync -a . host:"]


def test_a_deployment_that_answers_is_healthy(script: Script, serve: Callable[..., Server], deploy: Deploy) -> None:
    server = serve(503, 200)
    script("true")
    done = deploy(health_url=server.url, has_network=True)
    assert (done.code, len(server.asked)) == (0, 2)
    assert done.messages("success")[0].startswith("Deployed to staging in ")
    assert done.messages("success")[0].endswith("It is healthy.")
    assert done.steps == [1, 2, 3, 4]
    assert "| Health | healthy |" in done.text("deployment.md")


@pytest.mark.attack(100)
@pytest.mark.parametrize("status", [500, 302])
def test_a_deployment_that_never_answers_200_is_an_error(
    status: int, script: Script, serve: Callable[..., Server], deploy: Deploy
) -> None:
    server = serve(status)
    script("true")
    done = deploy(health_url=server.url, has_network=True)
    assert (done.code, set(server.asked)) == (1, {"/"})
    assert done.messages("error") == ["Deployed, not healthy: the health address did not answer 200 in time."]
    assert "| Health | not healthy |" in done.text("deployment.md")
    server.asked.clear()
    script("exit 1")  # nobody asks for the health of what failed
    assert (deploy(health_url=server.url, has_network=True).code, server.asked) == (1, [])


def test_what_a_recipe_leaves_behind_holds_nobody_up(script: Script, tmp_path: Path, deploy: Deploy) -> None:
    script(
        f"sleep 60 & echo $! > {tmp_path}/pid; (while true; do echo y; sleep 0.01; done) & echo $! >> {tmp_path}/pid"
    )
    began = time.monotonic()
    try:
        assert deploy().code == 0
        assert time.monotonic() - began < 30
    finally:
        subprocess.run(["kill", "-9", *(tmp_path / "pid").read_text().split()], check=True)


def test_odd_output_is_bounded_and_shown_as_it_is(
    repository: Path, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys; out = sys.stdout.buffer; out.write(b'x' * 3_000_000 + b'\\nnext\\r\\n\\xff\\x00\\n')\n"
        f"for text in {HOSTILE!r}: out.write(text.encode() + b'\\n')\n"
        "for number in range(3000): out.write(b'``` %d\\n' % number)\n"
        'print(\'{"type": "success", "message": "forged"}\')'
    )
    done = deploy(command=(sys.executable, "-c", code))
    lines = done.messages("info")[1:]
    assert done.code == 0
    assert lines[0].startswith("xxx") and len(lines[0]) == 8_000
    assert lines[1:3] == ["next", "\ufffd\x00"]
    assert "forged" not in "".join(done.messages("success"))
    assert '{"type": "success", "message": "forged"}' in lines
    report = done.text("deployment.md")
    assert "The last 1,000 of 3,0" in report
    assert "````text" in report
    assert len(report) < 100_000


@pytest.mark.attack(100)
def test_a_repository_with_folders_without_a_bottom_is_refused_with_a_sentence(
    repository: Path, script: Script, deploy: Deploy, dig: Callable[..., None]
) -> None:
    script("echo never")
    dig(repository, 1_100)
    done = deploy()
    assert (done.code, done.messages("info")) == (1, [])
    assert done.messages("error") == [
        "The repository could not be copied for the recipe: is it too large, or too deep?"
    ]


@pytest.mark.attack(100)
def test_a_recipe_that_makes_folders_without_a_bottom_harms_nobody(
    script: Script, deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    script("exec python3 -c \"import os; [(os.mkdir('d'), os.chdir('d')) for _ in range(1_100)]\"")
    assert deploy().code == 0
    assert list(scratch.iterdir()) == []


def test_the_program_speaks_in_events(tmp_path: Path, repository: Path, script: Script) -> None:
    deploy = partial(running.run, "deployment_bot", tmp_path, "--input", str(repository))
    script('echo "${DEPLOY_TOKEN:-none}"')
    settled = Target(secrets=("DEPLOY_TOKEN",), is_settled=True).dumped()
    done = deploy(prompt=b"deploy to staging", env={VARIABLE: settled, "DEPLOY_TOKEN": SECRET})
    assert (done.code, done.errors) == (0, "")
    assert "[hidden]" in done.messages("info")
    done = deploy(prompt=b"dry run staging", output="second")
    assert (done.code, done.errors) == (0, "")
    done = running.run("deployment_bot", tmp_path, prompt=b"deploy to staging", output="third")
    assert done.messages("error") == [
        "There is nothing to deploy: the task names no repository; give the address of one."
    ]
