"""A deployment as the program makes it: real recipes in real processes."""

import json
import re
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


class Place:
    """A repository with a recipe, and how it is deployed."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.repository.mkdir()
        self.output = folder / "output"
        self.sprung = folder / "sprung"

    def script(self, text: str) -> None:
        """Give the repository a deploy.sh."""
        (self.repository / "deploy.sh").write_text(f"#!/bin/sh\n{text}\n")
        (self.repository / "deploy.sh").chmod(0o755)

    def deploy(self, prompt: str = "deploy to staging", **target: object) -> Run:
        """Deploy it; what is said of the target is settled by the administrator."""
        given = Target(**target, is_settled=bool(target))  # type: ignore[arg-type]
        return run_here(
            lambda events: run.deploy(events, prompt, self.repository, self.output, given, QUICK), self.output
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_every_line_of_the_recipe_is_an_entry_and_the_report_says_what_ran(place: Place) -> None:
    place.script('echo "to $1, $DEPLOY_ENV"; echo oops >&2; echo; touch built; printf "no end"')
    done = place.deploy()
    assert (done.code, done.messages("command")) == (0, ["./deploy.sh staging"])
    assert done.messages("info")[2:] == ["to staging, staging", "oops", "", "no end"]
    assert "the repository's own recipe, with no network and no secrets" in done.messages("info")[0]
    assert "there is none" in done.messages("info")[1]  # so it says what a real deployment needs
    assert re.fullmatch(
        r"The recipe for staging ended well in \d+\.\d s, without network\.", done.messages("success")[0]
    )
    assert done.steps[-1] == 4
    report = done.text("deployment.md")
    for words in ("| Exit status | 0 |", "no network and no secrets", "to staging, staging", "not asked", "deploy.sh"):
        assert words in report
    assert not (place.repository / "built").exists()  # it worked on a copy


@pytest.mark.attack(100)
@pytest.mark.parametrize(("end", "status"), [("exit 3", 3), ("kill -9 $$", 137), ("exec no-such", 127)])
def test_a_recipe_that_fails_or_dies_is_an_error_with_its_status(end: str, status: int, place: Place) -> None:
    place.script(f"echo before; {end}")
    done = place.deploy()
    sentence = f"The recipe ended with exit status {status}."
    assert (done.code, done.messages("error"), done.messages("success")) == (1, [sentence], [])
    assert f"| Outcome | {sentence} |" in done.text("deployment.md")
    assert "before" in done.text("deployment.md")


@pytest.mark.attack(100)
def test_what_cannot_be_started_is_named(place: Place) -> None:
    place.script(f"touch {place.sprung}")
    assert place.deploy("deploy to stag;id").messages("error")[0].startswith("Say where to deploy to")
    done = place.deploy(command=("./no-such", "x"))
    assert done.messages("info")[-1] == "./no-such could not be started: No such file or directory."
    assert done.messages("error") == ["The recipe ended with exit status 127."]
    (place.repository / "deploy.sh").unlink()
    done = place.deploy()
    assert (done.code, done.messages("command")) == (1, [])
    assert done.messages("error") == [
        "There is no recipe to deploy with: looked for deploy.sh, and for deploy-staging or deploy in its Makefile."
    ]
    assert not place.sprung.exists()


def test_the_recipe_gets_its_secrets_and_no_report_shows_them(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\nq7XcV0nBz1\n-----END KEY-----"
    given = {"DEPLOY_TOKEN": SECRET, "DEPLOY_KEY": key, "FLAT": "flat-value-0815\n", "OTHER_TOKEN": "another-secret"}
    for name, value in (given | {VARIABLE: "{}"}).items():
        monkeypatch.setenv(name, value)
    place.script('test -n "$DEPLOY_TOKEN" && echo "got $DEPLOY_TOKEN"; echo "key $DEPLOY_KEY"; echo "flat $FLAT"; env')
    done = place.deploy(secrets=("DEPLOY_TOKEN", "DEPLOY_KEY", "FLAT"), has_network=True)
    assert done.code == 0
    assert "with the network and the secrets DEPLOY_TOKEN, DEPLOY_KEY and FLAT." in done.messages("info")[0]
    assert done.messages("info")[1:7] == ["got [hidden]", "key [hidden]", *["[hidden]"] * 3, "flat [hidden]"]
    everything = json.dumps(done.events) + done.text("deployment.md")
    assert not [one for one in (SECRET, "b3Blbn", "q7XcV", "0815", "OTHER_TOKEN", VARIABLE) if one in everything]


@pytest.mark.attack(101)
@pytest.mark.parametrize("name", ["deploy", "deploy-staging"])
def test_a_dry_run_of_make_lists_steps_and_no_secret(name: str, monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    (place.repository / "Makefile").write_text(f"X := {SNOOP}\n{name}:\n\techo '$(X)'\n\ttouch deployed\n")
    done = place.deploy("dry run staging", secrets=("DEPLOY_TOKEN",), has_network=True)
    assert done.code == 0
    assert "touch deployed" in done.messages("info")
    (seen,) = [line for line in done.messages("info") if "PATH=" in line]  # so the makefile did run a command
    assert "DEPLOY_TOKEN" not in seen
    assert SECRET not in json.dumps(done.events) + done.text("deployment.md")
    assert "no network and no secrets" in done.text("deployment.md")
    assert sorted(path.name for path in place.repository.iterdir()) == ["Makefile"]
    assert done.messages("success")[0].endswith("shown, nothing was deployed.")


def test_a_dry_run_of_a_script_shows_its_text_and_runs_nothing_of_it(place: Place) -> None:
    place.script(f"touch {place.sprung}\n" + "echo\n" * 300)
    done = place.deploy("dry run staging")
    assert done.code == 0
    assert {f"touch {place.sprung}", "… and 103 more lines of deploy.sh"} <= set(done.messages("info"))
    assert not place.sprung.exists() and "# Deployment, dry run" in done.text("deployment.md")
    place.script("if true; then")
    done = place.deploy("dry run staging")
    assert (done.code, done.messages("error")) == (1, ["The dry run ended with exit status 2."])
    assert "syntax error" in " ".join(done.messages("info"))
    done = place.deploy("dry run staging", command=("rsync", "-a", ".", "host:"))
    assert done.messages("info")[1:] == ["rsync -a . host:"]


@pytest.mark.attack(100)
@pytest.mark.parametrize(("statuses", "sentence", "health"), [
    ((503, 200), r"Deployed to staging in \d+\.\d s\. It is healthy\.", "healthy"),
    ((500,), r"Deployed, not healthy: the health address did not answer 200 in time\.", "not healthy"),
    ((302,), r"Deployed, not healthy: the health address did not answer 200 in time\.", "not healthy"),
])  # fmt: skip
def test_only_a_deployment_that_answers_200_is_healthy(
    statuses: tuple[int, ...], sentence: str, health: str, serve: Callable[..., Server], place: Place
) -> None:
    server = serve(*statuses)
    place.script("true")
    done = place.deploy(health_url=server.url, has_network=True)
    assert (done.code, set(server.asked)) == (int(health != "healthy"), {"/"})
    assert re.fullmatch(sentence, done.events[-1]["message"])
    assert done.steps == [1, 2, 3, 4][: 4 if health == "healthy" else 2]
    assert f"| Health | {health} |" in done.text("deployment.md")
    server.asked.clear()
    place.script("exit 1")  # nobody asks for the health of what failed
    assert (place.deploy(health_url=server.url, has_network=True).code, server.asked) == (1, [])


def test_what_a_recipe_leaves_behind_holds_nobody_up(tmp_path: Path, place: Place) -> None:
    pid = tmp_path / "pid"
    place.script(f"sleep 60 & echo $! > {pid}; (while true; do echo y; sleep 0.01; done) & echo $! >> {pid}")
    began = time.monotonic()
    try:
        assert place.deploy().code == 0
        assert time.monotonic() - began < 30
    finally:
        subprocess.run(["kill", "-9", *pid.read_text().split()], check=True)


def test_odd_output_is_bounded_and_shown_as_it_is(place: Place) -> None:
    code = (
        "import sys; out = sys.stdout.buffer; out.write(b'x' * 3_000_000 + b'\\nnext\\r\\n\\xff\\x00\\n')\n"
        f"for text in {HOSTILE!r}: out.write(text.encode() + b'\\n')\n"
        "for number in range(3000): out.write(b'``` %d\\n' % number)\n"
        'print(\'{"type": "success", "message": "forged"}\')'
    )
    done = place.deploy(command=(sys.executable, "-c", code))
    lines = done.messages("info")[1:]
    assert done.code == 0
    assert lines[0].startswith("xxx") and len(lines[0]) == 8_000
    assert lines[1:3] == ["next", "\ufffd\x00"]
    assert "forged" not in "".join(done.messages("success"))
    assert '{"type": "success", "message": "forged"}' in lines
    report = done.text("deployment.md")
    assert "The last 1,000 of 3,0" in report and "````text" in report and len(report) < 100_000


@pytest.mark.attack(100)
def test_folders_without_a_bottom_harm_nobody(
    tmp_path: Path, dig: Callable[..., None], monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    place.script("exec python3 -c \"import os; [(os.mkdir('d'), os.chdir('d')) for _ in range(1_100)]\"")
    assert place.deploy().code == 0
    dig(place.repository, 1_100)
    done = place.deploy()
    assert (done.code, done.messages("info")) == (1, [])
    assert done.messages("error")[0].startswith("The repository could not be copied for the recipe: is it too large")
    assert list(scratch.iterdir()) == []


def test_the_program_speaks_in_events(tmp_path: Path, place: Place) -> None:
    deployed = partial(running.run, "deployment_bot", tmp_path)
    given = ("--input", str(place.repository))
    place.script('echo "${DEPLOY_TOKEN:-none}"')
    settled = Target(secrets=("DEPLOY_TOKEN",), is_settled=True).dumped()
    done = deployed(*given, prompt=b"deploy to staging", **{VARIABLE: settled, "DEPLOY_TOKEN": SECRET})
    assert (done.code, done.errors, "[hidden]" in done.messages("info")) == (0, "", True)
    done = deployed(*given, prompt=b"dry run staging", output="second")
    assert (done.code, done.errors) == (0, "")
    (error,) = deployed(prompt=b"deploy to staging", output="third").messages("error")
    assert error == "There is nothing to deploy: the task names no repository; give the address of one."
