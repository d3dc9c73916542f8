"""The commands as an operator runs them: some as real processes, on the test's own database."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.__main__ import main
from core.database.models import Role, TokenScope
from core.database.ownership import Actor
from core.identity import tokens
from core.operations import COMMANDS
from tests.conftest import PASSWORD
from tests.core.identity.trail import verify
from tests.core.operating import core, one_sentence, operate
from tests.support.databases import Database
from tests.support.server import ROOT

ADD = ("users", "add", "Ada", "--email", "ada@example.org", "--password-stdin")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\nnot this line\n"])
def test_users_add_takes_the_password_from_standard_input(ending: str) -> None:
    run = core if "not" in ending else operate
    done = run(*ADD, "--name", "Ada L", "--role", "analyst", typed=PASSWORD + ending)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ada\n", "")
    person = verify("ada", PASSWORD)
    assert person and (person.name, person.role) == ("Ada L", Role.ANALYST)


def test_tokens_create_prints_the_token_alone_and_the_advice_beside_it(ada: Actor) -> None:
    done = operate("tokens", "create", "--user", "ADA", "--name", "laptop", "--scope", "read")
    assert (done.returncode, done.stderr) == (0, "Keep it now: it is not shown again.\n")
    known = tokens.person(done.stdout.removesuffix("\n"))
    assert known and (known.actor, known.scope) == (ada, TokenScope.READ)


def test_db_upgrade_makes_an_empty_database_usable(tmp_path: Path, database: Database) -> None:
    environment = {"TASKDECK_DATA": str(tmp_path / "new")} | database.empty()
    done = core("db", "upgrade", **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "The database has the newest schema.\n")
    listed = core("users", "list", **environment)
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "", "")
    database.drop(environment)


@pytest.mark.usefixtures("sqlite_file")
def test_a_refusal_is_one_sentence_and_status_1(bob: Actor) -> None:
    add, stdin = ("users", "add"), "--password-stdin"
    for words, typed, sentence in (
        *((ADD, "short\n", "at least 10 characters"), (ADD, "", "at least 10 characters")),
        (ADD, "ada@example.org\n", "must not be your username"),
        ((*add, "b", "--email", "b", stdin), PASSWORD, "not an e-mail address"),
        ((*add, "BOB", "--email", "b@example.org", stdin), PASSWORD, "already in use"),
        (("tokens", "create", "--user", "nobody", "--name", "x"), "", "no active person nobody"),
        (("tokens", "create", "--user", "bob", "--name", " "), "", "A token's name"),
    ):
        done = operate(*words, typed=typed)
        one_sentence(done, sentence, status=1)
        assert not typed.strip() or typed.strip() not in done.stderr, "a password is not repeated"
    one_sentence(core(*ADD[:-1]), "There is no terminal to type a password at: use --password-stdin.", status=1)


@pytest.mark.parametrize("url", ["sqlite:////dev/null/x.db", "sqlite:////proc"])
def test_a_database_that_cannot_be_opened_is_one_sentence_too(url: str) -> None:
    done = core("db", "upgrade", DATABASE_URL=url, WORKER_DATABASE_URL="", MIGRATION_DATABASE_URL="")
    one_sentence(done, "DATABASE_URL", status=1)


@pytest.mark.no_database
def test_a_bad_configuration_is_exit_status_2_and_does_not_show_the_value() -> None:
    done = core("users", "list", TASKDECK_SECRET="hunter2-too-short")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "TASKDECK_SECRET: must be at least 32 bytes long.\n"


def refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as left:
        main(words)
    return (left.value.code, *capsys.readouterr())


@pytest.mark.no_database
@pytest.mark.parametrize("words", [
    *((), ("users",), ("users", "add"), ("nothing",), ("users", "add", "x", "--email", "e", "--role", "king")),
    *(("users", word) for word in ("invite", "role", "disable", "enable", "reset-link", "delete")),
    *(("users", "role", "ada"), ("users", "role", "ada", "king"), ("users", "invite", "x"), ("tokens", "create")),
    ("tokens", "create", "--user", "ada", "--name", "x", "--days", "many"),
])  # fmt: skip
def test_a_wrong_call_is_status_2_with_the_usage(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = refused(words, capsys)
    assert (status, out) == (2, "")
    assert err.startswith("usage: python -m core")


@pytest.mark.no_database
def test_every_command_has_help_and_help_loads_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    helps = {words: refused((*words, "--help"), capsys) for words in ((), ("users",), ("tokens",), ("db",), *COMMANDS)}
    assert {(status, err) for status, _, err in helps.values()} == {(0, "")}
    for words, (_, out, _) in helps.items():
        assert out.startswith(" ".join(["usage: python -m core", *words]))
        assert not words[1:] or words[1] in helps[words[:1]][1]
    for words, said in {
        ("users",): "with all their tasks, logs and files",
        ("users", "add"): "--password-stdin",
        ("users", "role"): "{member,analyst,admin}",
        ("tokens", "create"): "--days",
        ("tokens",): "print it alone",
    }.items():
        assert said in helps[words][1]
    assert core("users", "--help").stdout == helps["users",][1]
    assert tokens.DAYS == 90, "as the parser has it, which loads nothing"
    loaded = "import sys, core.__main__; print({'sqlalchemy', 'pydantic'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
